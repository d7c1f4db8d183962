import * as assert from 'node:assert/strict';
import { test } from 'node:test';

import * as cdk from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';

import { Mode, MtlsGate, MtlsGateProps, Revocation, Signature } from '..';
import { PEM, loadBalancer, ownFunction, stacks } from './stacks';

const HEADER_ATTRIBUTE = 'routing.http.request.x_amzn_mtls_clientcert.header_name';
const STACK_UUID = { 'Fn::Join': ['', ['x-', { 'Fn::Select': [2, { 'Fn::Split': ['/', { Ref: 'AWS::StackId' }] }] }]] };

function template(name: string): Template {
  const app = new cdk.App();
  const stack = stacks(app, __dirname).find((one) => one.stackName === name);
  assert.ok(stack);
  return Template.fromStack(stack);
}

function gate(props: Partial<MtlsGateProps>): MtlsGate {
  return new MtlsGate(new cdk.Stack(), 'Gate', { anchors: { root: PEM }, ...props });
}

test('listener is in passthrough mode, renames the header and has the post-quantum policy', () => {
  template('Layer').hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
    MutualAuthentication: { Mode: 'passthrough' },
    SslPolicy: 'ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09',
    ListenerAttributes: [{ Key: HEADER_ATTRIBUTE, Value: STACK_UUID }],
  });
});

test('function with the layer reads the header that the listener writes', () => {
  template('Layer').hasResourceProperties('AWS::Lambda::Function', {
    Runtime: 'python3.13',
    Environment: {
      Variables: {
        AWS_LAMBDA_EXEC_WRAPPER: '/opt/alb-mtls',
        MTLS_ANCHORS: { 'Fn::Join': ['', ['ssm:/', { Ref: 'AWS::StackName' }, '/Gate/anchors/*']] },
        MTLS_HEADER: STACK_UUID,
        MTLS_INTERMEDIATES: { 'Fn::Join': ['', ['ssm:/', { Ref: 'AWS::StackName' }, '/Gate/intermediates/*']] },
        MTLS_METRICS: 'AlbMtls',
        MTLS_MODE: 'enforce',
        MTLS_SERVICE: { Ref: 'AWS::StackName' },
        MTLS_TARGET_GROUPS: Match.anyValue(),
      },
    },
  });
});

test('target group has multi-value headers, and it alone may invoke the function', () => {
  const layer = template('Layer');
  layer.hasResourceProperties('AWS::ElasticLoadBalancingV2::TargetGroup', {
    TargetType: 'lambda',
    TargetGroupAttributes: Match.arrayWith([{ Key: 'lambda.multi_value_headers.enabled', Value: 'true' }]),
  });
  layer.resourceCountIs('AWS::Lambda::Permission', 1);
  const [permission] = Object.values(layer.findResources('AWS::Lambda::Permission'));
  assert.ok(permission);
  assert.match(JSON.stringify(permission.Properties.SourceArn), /:targetgroup\/[A-Za-z0-9-]{1,32}\/\*"/);
  assert.deepEqual(permission.Properties.SourceAccount, { Ref: 'AWS::AccountId' });
});

test('CRLs are strict, and refresh-crls knows the issuing CA', () => {
  const twoTiers = template('TwoTiers');
  twoTiers.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: Match.objectLike({ MTLS_REVOCATION: 'strict', MTLS_CRLS: Match.anyValue() }) },
  });
  twoTiers.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: Match.objectLike({ CRL_INTERMEDIATES: Match.anyValue(), CRL_ANCHORS: Match.anyValue() }) },
  });
  twoTiers.hasResourceProperties('AWS::S3::Bucket', { VersioningConfiguration: { Status: 'Enabled' } });
  twoTiers.resourceCountIs('Custom::Trigger', 1);
});

test('CAs in objects need no parameter, and a permission for each object alone', () => {
  const stack = new cdk.Stack();
  const bucket = s3.Bucket.fromBucketName(stack, 'Pki', 'example-pki');
  const own = new MtlsGate(stack, 'Gate', {
    anchorsObjects: [{ bucket, key: 'roots.pem', region: 'eu-west-1', owner: '123456789012', sha256: '0'.repeat(64) }],
    intermediatesObjects: [{ bucket, key: 'ca/issuing.pem' }],
    signatures: ['ml-dsa-87', 'ecdsa-p384-sha384'],
  });
  own.respond('Respond', lambda.Code.fromAsset(__dirname));
  const made = Template.fromStack(stack);
  made.resourceCountIs('AWS::SSM::Parameter', 0);
  made.hasResourceProperties('AWS::Lambda::Function', {
    Environment: {
      Variables: Match.objectLike({
        MTLS_ANCHORS: `s3://example-pki/roots.pem?region=eu-west-1&owner=123456789012#sha256=${'0'.repeat(64)}`,
        MTLS_INTERMEDIATES: 's3://example-pki/ca/issuing.pem',
        MTLS_SIGNATURES: 'ml-dsa-87 ecdsa-p384-sha384',
      }),
    },
  });
  const object = (key: string): object => ({ 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, `:s3:::example-pki/${key}`]] });
  made.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: [
        { Sid: 'ReadTrustObjects', Effect: 'Allow', Action: 's3:GetObject', Resource: [object('roots.pem'), object('ca/issuing.pem')] },
      ],
    },
  });
});

test('authorizers keep no answers', () => {
  template('Rest').hasResourceProperties('AWS::ApiGateway::Authorizer', { AuthorizerResultTtlInSeconds: 0 });
  template('Http').hasResourceProperties('AWS::ApiGatewayV2::Authorizer', { AuthorizerResultTtlInSeconds: 0 });
});

test('forward may invoke its upstream, and nothing else', () => {
  const forward = template('ForwardToFunction');
  forward.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Action: 'lambda:InvokeFunction',
          Resource: 'arn:aws:lambda:us-east-1:123456789012:function:orders',
        }),
      ]),
    },
  });
});

test('choices of the operator are taken over', () => {
  const stack = new cdk.Stack();
  const { alb, certificates } = loadBalancer(stack);
  const bucket = s3.Bucket.fromBucketName(stack, 'Crls', 'example-external');
  const own = new MtlsGate(stack, 'Gate', {
    anchorsParameterPath: '/pki/anchors',
    certificateHeader: 'x-gate-7f3a',
    extensions: ['device_id=1.3.6.1.4.1.99999.1'],
    crls: [{ bucket, key: 'serverless-root-ca-dev.crl' }],
    denyList: { bucket, key: 'deny.txt' },
    ocsp: ['http://ocsp.example.com/', 'aia-cas'],
    mode: Mode.OPTIONAL,
    policiesParameterPath: '/pki/policies',
    revocation: Revocation.SOFT,
  });
  const target = own.respond('Respond', lambda.Code.fromAsset(__dirname));
  own.listen('Https', { loadBalancer: alb, certificates, target, port: 8443, sslPolicy: elb.SslPolicy.TLS13_13 });
  const made = Template.fromStack(stack);
  made.hasResourceProperties('AWS::Lambda::Function', {
    Environment: {
      Variables: Match.objectLike({
        MTLS_ANCHORS: 'ssm:/pki/anchors/*',
        MTLS_CRLS: 's3://example-external/serverless-root-ca-dev.crl',
        MTLS_DENY: 's3://example-external/deny.txt',
        MTLS_EXTENSIONS: 'device_id=1.3.6.1.4.1.99999.1',
        MTLS_HEADER: 'x-gate-7f3a',
        MTLS_MODE: 'optional',
        MTLS_OCSP: 'http://ocsp.example.com/ aia-cas',
        MTLS_POLICY: 'ssm:/pki/policies/*',
        MTLS_REVOCATION: 'soft',
      }),
    },
  });
  made.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', { Port: 8443, SslPolicy: 'ELBSecurityPolicy-TLS13-1-3-2021-06' });
  made.resourceCountIs('AWS::S3::Bucket', 0);
});

test('what cannot work is refused', () => {
  const bucket = s3.Bucket.fromBucketName(new cdk.Stack(), 'Pki', 'example-pki');
  const sources = (urls?: string[]): Partial<MtlsGateProps> => ({ crlSources: { code: lambda.Code.fromAsset(__dirname), urls } });
  for (const [props, message] of [
    [{ anchors: {} }, /give anchors/],
    [{ anchors: { root: 'root.pem' } }, /`root` is not a PEM certificate/],
    [{ anchors: { root: `${PEM}-----BEGIN PRIVATE KEY-----` } }, /without a private key/],
    [{ anchors: { 'a/b': PEM } }, /the name of a certificate/],
    [{ anchors: { root: PEM.padEnd(8193) } }, /longer than a parameter/],
    [{ anchors: {}, anchorsParameterPath: '/pki/' }, /begins with a slash and does not end with one/],
    [{ intermediates: { issuing: 'issuing.pem' } }, /`issuing` is not a PEM certificate/],
    [{ anchorsObjects: [{ bucket, key: '*' }] }, /its key is `\*`/],
    [{ anchorsObjects: [{ bucket, key: 'roots.pem', sha256: '00' }] }, /its sha256 is `00`/],
    [{ intermediatesObjects: [{ bucket, key: 'ca.pem', region: 'EU' }] }, /its region is `EU`/],
    [{ crls: [{ bucket, key: 'root.crl', owner: '1' }] }, /its owner is `1`/],
    [{ ocsp: ['https://ocsp.example.com/'] }, /`https:\/\/ocsp.example.com\/` is not one of them/],
    [{ ocsp: ['http://ocsp.example.com/ aia-cas'] }, /is not one of them/],
    [{ signatures: ['ed25519' as Signature] }, /`ed25519` is not/],
    [{ certificateHeader: 'X-Amzn-Mtls-Clientcert' }, /does not begin with x-amzn-/],
    [{ extensions: ['device_id'] }, /is an object identifier/],
    [{ certificateHeader: 'x gate' }, /letters, digits and hyphens/],
    [sources(), /needs urls or objects/],
    [sources(['http://CRL.example.com/root.crl']), /is not derived here/],
    [sources(['http://ca.example.com/certdist?cmd=crl']), /is not derived here/],
    [sources(['http://crl.example.com/../root.crl']), /is not derived here/],
    [sources(['ldap://ca.example.com/root.crl']), /is not derived here/],
  ] as [Partial<MtlsGateProps>, RegExp][]) {
    assert.throws(() => gate(props), message);
  }
});

test('function that the gate cannot be before is refused', () => {
  const stack = new cdk.Stack();
  const own = new MtlsGate(stack, 'Gate', { anchors: { root: PEM } });
  const layer = own.layer('GateLayer', lambda.Code.fromAsset(__dirname));
  const short = ownFunction(stack, { timeout: undefined });
  assert.throws(() => own.protect(short, layer), /needs a timeout of 6 seconds/);
  const { alb, certificates } = loadBalancer(stack);
  assert.throws(() => own.listen('Https', { loadBalancer: alb, certificates, target: short }), /has no gate/);
  const provided = new lambda.Function(stack, 'Provided', {
    code: lambda.Code.fromAsset(__dirname),
    handler: 'bootstrap',
    runtime: lambda.Runtime.PROVIDED_AL2023,
    timeout: cdk.Duration.seconds(10),
  });
  assert.throws(() => own.protect(provided, layer), /starts no wrapper/);
});

test('listener that exists needs the name of its header', () => {
  const stack = new cdk.Stack();
  const { alb } = loadBalancer(stack);
  const listener = elb.ApplicationListener.fromApplicationListenerAttributes(stack, 'Existing', {
    listenerArn: 'arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/a/50dc6c495c0c9188/f2f7dc8efc522ab2',
    securityGroup: alb.connections.securityGroups[0]!,
  });
  const unnamed = new MtlsGate(stack, 'Unnamed', { anchors: { root: PEM } });
  const target = unnamed.respond('Respond', lambda.Code.fromAsset(__dirname));
  assert.throws(() => unnamed.addRule('Rule', { listener, target, priority: 1 }), /give certificateHeader/);
  const named = new MtlsGate(stack, 'Named', { anchors: { root: PEM }, certificateHeader: 'x-gate-7f3a' });
  named.addRule('Rule', { listener, target: named.respond('Respond', lambda.Code.fromAsset(__dirname)), priority: 1 });
  Template.fromStack(stack).hasResourceProperties('AWS::ElasticLoadBalancingV2::ListenerRule', { Priority: 1 });
});

test('two gates of one stack share no anchors', () => {
  const stack = new cdk.Stack();
  new MtlsGate(stack, 'One', { anchors: { root: PEM } });
  new MtlsGate(stack, 'Other', { anchors: { root: PEM } });
  const names = Object.values(Template.fromStack(stack).findResources('AWS::SSM::Parameter')).map((one) =>
    JSON.stringify(one.Properties.Name),
  );
  assert.equal(new Set(names).size, 2);
});
