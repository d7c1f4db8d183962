import { Aws, Duration, Fn, Names, Stack, Token } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import { HttpLambdaAuthorizer, HttpLambdaResponseType } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';

import { Trust, TrustProps, logGroup } from './trust';

/** Effect of the gate's decisions. */
export enum Mode {
  /** Denies every client without a valid certificate. */
  ENFORCE = 'enforce',
  /** Allows clients without a certificate as anonymous, and denies those with a bad one. */
  OPTIONAL = 'optional',
  /** Decides and records, and denies no client. */
  REPORT = 'report',
}

export interface MtlsGateProps extends TrustProps {
  /** @default Mode.ENFORCE */
  readonly mode?: Mode;
  /**
   * Name that the listener gives the certificate header, which clients must not know.
   *
   * @default `x-` and the UUID of the stack's id
   */
  readonly certificateHeader?: string;
  /**
   * Private X.509 extensions that become part of a client's identity, such as `device_id=1.3.6.1.4.1.99999.1`.
   *
   * @default none
   */
  readonly extensions?: string[];
}

/** Options of a listener in mTLS passthrough mode. */
export interface GateListenerProps {
  readonly loadBalancer: elb.IApplicationLoadBalancer;
  readonly certificates: elb.IListenerCertificate[];
  /** Function with the gate, from `protect`, `respond` or `forward`. */
  readonly target: lambda.Function;
  /** @default 443 */
  readonly port?: number;
  /** @default ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09 */
  readonly sslPolicy?: elb.SslPolicy;
  /**
   * Whether the load balancer's security group lets every client connect.
   *
   * @default true
   */
  readonly open?: boolean;
}

/** Rule of a listener that exists. */
export interface GateRuleProps {
  readonly listener: elb.IApplicationListener;
  readonly target: lambda.Function;
  readonly priority: number;
  /** @default every path */
  readonly conditions?: elb.ListenerCondition[];
}

/** Server or function that verified requests go to. */
export interface ForwardProps {
  /** Folder or zip file of the built `forward`. */
  readonly code: lambda.Code;
  /** URL such as `http://10.0.0.7:8080`, or a function. */
  readonly upstream: string | lambda.IFunction;
  /**
   * Headers that tell the upstream who the client is.
   *
   * @default verify-mode
   */
  readonly identity?: string;
  /** @default the function is in no VPC */
  readonly vpc?: ec2.IVpc;
  /** @default private subnets */
  readonly vpcSubnets?: ec2.SubnetSelection;
}

/** Least time that a function needs, in seconds: a lookup of trust material can take 5. */
const LEAST_TIMEOUT = 6;

/** Name of the listener attribute that renames the certificate header. */
const HEADER_ATTRIBUTE = 'routing.http.request.x_amzn_mtls_clientcert.header_name';

/** Client-certificate authentication for functions behind an Application Load Balancer in mTLS passthrough mode, or an API. */
export class MtlsGate extends Construct {
  /** Name of the certificate header, for a listener that is made elsewhere; keep it to yourself. */
  readonly certificateHeader: string;
  readonly trust: Trust;
  private readonly mode: Mode;
  private readonly extensions: string[];
  private readonly isHeaderGiven: boolean;
  private readonly groups = new Map<lambda.Function, elb.ApplicationTargetGroup>();
  private readonly gated = new Set<lambda.Function>();

  constructor(scope: Construct, id: string, props: MtlsGateProps) {
    super(scope, id);
    const header = props.certificateHeader;
    if (header !== undefined && !Token.isUnresolved(header)) {
      // AWS's own names are those that every client knows.
      if (!/^[A-Za-z][A-Za-z0-9-]{0,39}$/.test(header) || /^x-amzn-/i.test(header)) {
        throw new Error(`the certificate header has up to 40 letters, digits and hyphens, and does not begin with x-amzn-: \`${header}\``);
      }
    }
    this.isHeaderGiven = header !== undefined;
    this.certificateHeader = header ?? Fn.join('', ['x-', Fn.select(2, Fn.split('/', Aws.STACK_ID))]);
    this.mode = props.mode ?? Mode.ENFORCE;
    this.extensions = props.extensions ?? [];
    for (const extension of this.extensions) {
      if (!Token.isUnresolved(extension) && !/^([A-Za-z0-9_-]+=)?[0-2](\.[0-9]+)+$/.test(extension)) {
        throw new Error(`an extension is an object identifier, with a name before it or none: \`${extension}\``);
      }
    }
    this.trust = new Trust(this, 'Trust', props);
  }

  /** Makes the layer of the gate from the folder or zip file that `make layer` leaves. */
  layer(id: string, code: lambda.Code, architecture = lambda.Architecture.ARM_64): lambda.LayerVersion {
    return new lambda.LayerVersion(this, id, {
      code,
      compatibleArchitectures: [architecture],
      description: 'Client-certificate authentication before a function behind a load balancer',
      layerVersionName: Names.uniqueResourceName(this, { maxLength: 60, separator: '-' }) + '-gate',
    });
  }

  /** Puts the gate before a function in a language runtime. Layers that it gets later would take the gate's place. */
  protect(fn: lambda.Function, layer: lambda.ILayerVersion): lambda.Function {
    if (fn.runtime.name.startsWith('provided')) {
      throw new Error('Lambda starts no wrapper in the provided runtimes: have the bootstrap start /opt/alb-mtls');
    }
    this.checkTimeout(fn);
    fn.addLayers(layer);
    fn.addEnvironment('AWS_LAMBDA_EXEC_WRAPPER', '/opt/alb-mtls');
    return this.gate(fn);
  }

  /** Makes the function that answers with the identity of the client, from the folder or zip file of the built `respond`. */
  respond(id: string, code: lambda.Code): lambda.Function {
    return this.gate(this.function(id, code, 'Answers with the verified identity of the client'));
  }

  /** Makes the function that forwards requests of verified clients. */
  forward(id: string, props: ForwardProps): lambda.Function {
    const { upstream } = props;
    const fn = this.function(id, props.code, 'Forwards requests of verified clients to an upstream', {
      vpc: props.vpc,
      vpcSubnets: props.vpcSubnets,
    });
    if (typeof upstream === 'string') {
      if (!Token.isUnresolved(upstream) && !/^https?:\/\/[^ ]+$/.test(upstream)) {
        throw new Error(`the upstream is an http:// or https:// URL: \`${upstream}\``);
      }
      fn.addEnvironment('FORWARD_UPSTREAM', upstream);
    } else {
      fn.addEnvironment('FORWARD_UPSTREAM', `lambda:${upstream.functionArn}`);
      fn.addToRolePolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [upstream.functionArn] }));
    }
    fn.addEnvironment('FORWARD_IDENTITY', props.identity ?? 'verify-mode');
    return this.gate(fn);
  }

  /** Makes a listener in mTLS passthrough mode that forwards to a function with the gate. */
  listen(id: string, props: GateListenerProps): elb.ApplicationListener {
    if (props.certificates.length === 0) {
      throw new Error('the listener needs a certificate');
    }
    const listener = new elb.ApplicationListener(this, id, {
      loadBalancer: props.loadBalancer,
      port: props.port ?? 443,
      protocol: elb.ApplicationProtocol.HTTPS,
      certificates: props.certificates,
      sslPolicy: props.sslPolicy ?? elb.SslPolicy.TLS13_12_RES_PQ,
      mutualAuthentication: { mutualAuthenticationMode: elb.MutualAuthenticationMode.PASS_THROUGH },
      defaultAction: elb.ListenerAction.forward([this.targetGroup(props.target)]),
      open: props.open ?? true,
    });
    listener.setAttribute(HEADER_ATTRIBUTE, this.certificateHeader);
    return listener;
  }

  /** Adds a rule to a listener in mTLS passthrough mode that exists, whose certificate header has the name of `certificateHeader`. */
  addRule(id: string, props: GateRuleProps): elb.ApplicationListenerRule {
    if (!this.isHeaderGiven) {
      throw new Error('give certificateHeader: the name that the attribute of that listener has');
    }
    return new elb.ApplicationListenerRule(this, id, {
      listener: props.listener,
      priority: props.priority,
      conditions: props.conditions ?? [elb.ListenerCondition.pathPatterns(['/*'])],
      action: elb.ListenerAction.forward([this.targetGroup(props.target)]),
    });
  }

  /** Returns the target group of a function with the gate: the only one that it serves. */
  targetGroup(fn: lambda.Function): elb.ApplicationTargetGroup {
    if (!this.gated.has(fn)) {
      throw new Error(`${fn.node.path} has no gate: make it with respond or forward, or give it to protect`);
    }
    const known = this.groups.get(fn);
    if (known) {
      return known;
    }
    // The permission names the target group, and the group's target needs the permission: a fixed name breaks the cycle.
    const name = Names.uniqueResourceName(fn, { maxLength: 32, separator: '-' });
    const pattern = Stack.of(this).formatArn({
      service: 'elasticloadbalancing',
      resource: 'targetgroup',
      resourceName: `${name}/*`,
    });
    const permission = new lambda.CfnPermission(this, `${fn.node.id}Permission`, {
      action: 'lambda:InvokeFunction',
      functionName: fn.functionArn,
      principal: 'elasticloadbalancing.amazonaws.com',
      sourceAccount: Aws.ACCOUNT_ID,
      sourceArn: pattern,
    });
    const group = new elb.ApplicationTargetGroup(this, `${fn.node.id}Targets`, {
      // With single values a second certificate header could not be seen.
      multiValueHeadersEnabled: true,
      targetGroupName: name,
      targetType: elb.TargetType.LAMBDA,
      // CDK's own LambdaTarget would let every target group invoke the function.
      targets: [
        { attachToApplicationTargetGroup: () => ({ targetType: elb.TargetType.LAMBDA, targetJson: { id: fn.functionArn } }) },
      ],
    });
    group.node.addDependency(permission);
    fn.addEnvironment('MTLS_TARGET_GROUPS', pattern);
    this.groups.set(fn, group);
    return group;
  }

  /** Makes an authorizer for REST APIs with mutual TLS, from the folder or zip file of the built `authorize`. Switch the API's default endpoint off. */
  restAuthorizer(id: string, code: lambda.Code): apigateway.RequestAuthorizer {
    return new apigateway.RequestAuthorizer(this, id, {
      handler: this.authorize(`${id}Function`, code, 'iam'),
      identitySources: [],
      // No documented cache key contains the certificate: from a cache, one client would get another's verdict.
      resultsCacheTtl: Duration.seconds(0),
    });
  }

  /** Makes an authorizer for HTTP APIs with mutual TLS, likewise. */
  httpAuthorizer(id: string, code: lambda.Code): HttpLambdaAuthorizer {
    return new HttpLambdaAuthorizer(id, this.authorize(`${id}Function`, code, 'simple'), {
      identitySource: [],
      responseTypes: [HttpLambdaResponseType.SIMPLE],
      resultsCacheTtl: Duration.seconds(0),
    });
  }

  private authorize(id: string, code: lambda.Code, response: string): lambda.Function {
    const fn = this.function(id, code, "Tells API Gateway whether the client's certificate is valid");
    fn.addEnvironment('AUTHORIZE_CERTIFICATE', 'client-cert');
    fn.addEnvironment('AUTHORIZE_RESPONSE', response);
    return this.gate(fn);
  }

  private function(
    id: string,
    code: lambda.Code,
    description: string,
    more: Pick<lambda.FunctionProps, 'vpc' | 'vpcSubnets'> = {},
  ): lambda.Function {
    return new lambda.Function(this, id, {
      ...more,
      architecture: lambda.Architecture.ARM_64,
      code,
      description,
      handler: 'bootstrap',
      runtime: lambda.Runtime.PROVIDED_AL2023,
      memorySize: 256,
      timeout: Duration.seconds(29),
      logGroup: logGroup(this, `${id}Logs`),
      loggingFormat: lambda.LoggingFormat.JSON,
    });
  }

  private gate(fn: lambda.Function): lambda.Function {
    this.trust.serve(fn);
    fn.addEnvironment('MTLS_HEADER', this.certificateHeader);
    fn.addEnvironment('MTLS_METRICS', 'AlbMtls');
    fn.addEnvironment('MTLS_MODE', this.mode);
    fn.addEnvironment('MTLS_SERVICE', Aws.STACK_NAME);
    if (this.extensions.length > 0) {
      fn.addEnvironment('MTLS_EXTENSIONS', this.extensions.join(' '));
    }
    this.gated.add(fn);
    return fn;
  }

  private checkTimeout(fn: lambda.Function): void {
    if (fn.timeout === undefined || fn.timeout.toSeconds() < LEAST_TIMEOUT) {
      throw new Error(`${fn.node.path} needs a timeout of ${LEAST_TIMEOUT} seconds or more: a lookup of trust material can take 5`);
    }
  }
}
