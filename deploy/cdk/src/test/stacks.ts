import * as cdk from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpUrlIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

import { MtlsGate } from '..';

export const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const CERTIFICATE = 'arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d';

/** A load balancer in a VPC of two zones. */
export function loadBalancer(scope: Construct): { vpc: ec2.IVpc; alb: elb.ApplicationLoadBalancer; certificates: elb.IListenerCertificate[] } {
  const vpc = ec2.Vpc.fromVpcAttributes(scope, 'Vpc', {
    vpcId: 'vpc-0a1b2c3d',
    availabilityZones: ['us-east-1a', 'us-east-1b'],
    publicSubnetIds: ['subnet-0a1b2c3d', 'subnet-1a2b3c4d'],
    privateSubnetIds: ['subnet-2a3b4c5d', 'subnet-3a4b5c6d'],
  });
  const alb = new elb.ApplicationLoadBalancer(scope, 'LoadBalancer', { vpc, internetFacing: true, dropInvalidHeaderFields: true });
  const certificates = [acm.Certificate.fromCertificateArn(scope, 'Certificate', CERTIFICATE)];
  return { vpc, alb, certificates };
}

/** A function of one's own in Python. */
export function ownFunction(scope: Construct, more: Partial<lambda.FunctionProps> = {}): lambda.Function {
  return new lambda.Function(scope, 'Orders', {
    code: lambda.Code.fromInline('def handler(event, context): return {"statusCode": 200}'),
    handler: 'index.handler',
    runtime: lambda.Runtime.PYTHON_3_13,
    timeout: cdk.Duration.seconds(10),
    logGroup: new logs.LogGroup(scope, 'OrdersLogs', { retention: logs.RetentionDays.THREE_MONTHS }),
    ...more,
  });
}

/** Stack of each way to use the construct; `code` is a folder that stands for what is built. */
export function stacks(app: cdk.App, code: string, root = PEM, issuing = PEM): cdk.Stack[] {
  const built = (): lambda.Code => lambda.Code.fromAsset(code);
  const trust = { anchors: { root }, intermediates: { issuing } };

  const layer = new cdk.Stack(app, 'Layer');
  {
    const { alb, certificates } = loadBalancer(layer);
    const gate = new MtlsGate(layer, 'Gate', trust);
    const target = gate.protect(ownFunction(layer), gate.layer('GateLayer', built()));
    gate.listen('Https', { loadBalancer: alb, certificates, target });
  }

  const twoTiers = new cdk.Stack(app, 'TwoTiers');
  {
    const { alb, certificates } = loadBalancer(twoTiers);
    const bucket = s3.Bucket.fromBucketName(twoTiers, 'Crls', 'example-crls');
    const gate = new MtlsGate(twoTiers, 'Gate', {
      ...trust,
      crlSources: {
        code: built(),
        urls: ['http://crl.example.com:8080/root.crl'],
        objects: [{ bucket, key: 'crl/SUBORDINATE/1.crl', region: 'us-east-1', owner: '123456789012' }],
      },
      anchorsObjects: [{ bucket: s3.Bucket.fromBucketName(twoTiers, 'Pki', 'example-pki'), key: 'roots.pem', sha256: '0'.repeat(64) }],
      signatures: ['ecdsa-p256-sha256', 'ml-dsa-87'],
    });
    gate.listen('Https', { loadBalancer: alb, certificates, target: gate.respond('Respond', built()) });
  }

  const forward = new cdk.Stack(app, 'Forward');
  {
    const { alb, certificates, vpc } = loadBalancer(forward);
    const gate = new MtlsGate(forward, 'Gate', trust);
    const server = gate.forward('ToServer', { code: built(), upstream: 'http://10.0.0.7:8080', vpc });
    gate.listen('Https', { loadBalancer: alb, certificates, target: server });
  }

  const existing = new cdk.Stack(app, 'ForwardToFunction');
  {
    const { alb, certificates } = loadBalancer(existing);
    const gate = new MtlsGate(existing, 'Gate', trust);
    const orders = lambda.Function.fromFunctionArn(existing, 'Orders', 'arn:aws:lambda:us-east-1:123456789012:function:orders');
    const target = gate.forward('ToFunction', { code: built(), upstream: orders });
    gate.listen('Https', { loadBalancer: alb, certificates, target });
  }

  const rest = new cdk.Stack(app, 'Rest');
  {
    const gate = new MtlsGate(rest, 'Gate', trust);
    const authorizer = gate.restAuthorizer('Authorizer', built());
    const api = new apigateway.RestApi(rest, 'Api', { disableExecuteApiEndpoint: true, cloudWatchRole: false });
    api.root.addMethod('GET', new apigateway.MockIntegration(), { authorizer });
  }

  const http = new cdk.Stack(app, 'Http');
  {
    const gate = new MtlsGate(http, 'Gate', trust);
    const authorizer = gate.httpAuthorizer('Authorizer', built());
    const api = new apigatewayv2.HttpApi(http, 'Api', { disableExecuteApiEndpoint: true });
    api.addRoutes({ path: '/{proxy+}', integration: new HttpUrlIntegration('Upstream', 'https://orders.example.com/'), authorizer });
  }
  return [layer, twoTiers, forward, existing, rest, http];
}
