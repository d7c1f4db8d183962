import { Aws, Duration, Fn, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import * as triggers from 'aws-cdk-lib/triggers';
import { Construct } from 'constructs';

import { CertificatesObject, TrustObject, arn, check, url } from './objects';

/** Certificates as PEM, by a name of their own. */
export type Certificates = { readonly [name: string]: string };

/** Verdict on a client whose status no CRL clears. */
export enum Revocation {
  /** Denies the client. */
  STRICT = 'strict',
  /** Denies revoked clients only. */
  SOFT = 'soft',
}

/** CRLs that something else writes into a bucket. */
export type CrlObject = TrustObject;

/** Algorithms that can sign certificates and CRLs. */
export const SIGNATURES = [
  'rsa-pkcs1-sha256', 'rsa-pkcs1-sha384', 'rsa-pkcs1-sha512', 'rsa-pss-sha256', 'rsa-pss-sha384', 'rsa-pss-sha512',
  'ecdsa-p256-sha256', 'ecdsa-p256-sha384', 'ecdsa-p256-sha512', 'ecdsa-p384-sha256', 'ecdsa-p384-sha384', 'ecdsa-p384-sha512',
  'ecdsa-p521-sha256', 'ecdsa-p521-sha384', 'ecdsa-p521-sha512', 'ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87',
] as const;

export type Signature = (typeof SIGNATURES)[number];

/** CRLs that `refresh-crls` fetches, verifies and publishes for the gate. */
export interface CrlSources {
  /** URLs such as `http://crl.example.com/root.crl`. */
  readonly urls?: string[];
  /** Objects that a CA writes, such as those of AWS Private CA, beside `urls` or alone. */
  readonly objects?: CrlObject[];
  /** Folder or zip file of the built `refresh-crls`. */
  readonly code: lambda.Code;
  /** @default every 6 hours */
  readonly schedule?: events.Schedule;
}

export interface TrustProps {
  /**
   * Trust anchors, as parameters of the stack.
   *
   * @default none: they are put below `anchorsParameterPath` by other means, or are in `anchorsObjects`
   */
  readonly anchors?: Certificates;
  /**
   * Path in Parameter Store whose parameters are the trust anchors, without the last slash.
   *
   * @default a path of the stack and the construct
   */
  readonly anchorsParameterPath?: string;
  /**
   * Trust anchors that do not fit a parameter.
   *
   * @default none
   */
  readonly anchorsObjects?: CertificatesObject[];
  /**
   * Issuing CAs, for clients that send their own certificate alone, and for the CRLs that issuing CAs sign.
   *
   * @default none
   */
  readonly intermediates?: Certificates;
  /**
   * Issuing CAs that do not fit a parameter.
   *
   * @default none
   */
  readonly intermediatesObjects?: CertificatesObject[];
  /**
   * Algorithms that may sign certificates and CRLs.
   *
   * @default all of `SIGNATURES`
   */
  readonly signatures?: Signature[];
  /**
   * CRLs that the gate reads as they are.
   *
   * @default none
   */
  readonly crls?: CrlObject[];
  /**
   * CRLs that are fetched first.
   *
   * @default none
   */
  readonly crlSources?: CrlSources;
  /**
   * OCSP responders, as `MTLS_OCSP` takes them: `http://host/`, also with the SHA-256 of an issuer and `=` before it, `aia-cas` and `aia-clients`.
   *
   * @default none
   */
  readonly ocsp?: string[];
  /**
   * Effect of the CRLs and of OCSP.
   *
   * @default Revocation.STRICT
   */
  readonly revocation?: Revocation;
  /**
   * Object with the clients that are denied within seconds, which `alb-mtls deny create` wrote.
   *
   * @default none
   */
  readonly denyList?: TrustObject;
  /**
   * Path in Parameter Store whose parameters are Cedar policies.
   *
   * @default none: every verified client may pass
   */
  readonly policiesParameterPath?: string;
}

/** Longest value of a parameter of the standard tier, and of the advanced one. */
const STANDARD_TIER = 4096;
const ADVANCED_TIER = 8192;

/** Word of `MTLS_OCSP`. */
const RESPONDER = /^(([0-9A-Fa-f:]+=)?http:\/\/[^\s]+|aia-cas|aia-clients)$/;

/** URLs whose published name is the URL without its scheme; the others need `alb-mtls bundle crls`. */
const PLAIN_URL = /^https?:\/\/([a-z0-9.-]+)(?::([0-9]+))?((?:\/[A-Za-z0-9_()%+-][A-Za-z0-9_.()%+-]*)+)$/;

/** What the gate trusts, and who may read it. */
export class Trust extends Construct {
  /** Bucket that CRLs are published to, with `crlSources`. */
  readonly bucket?: s3.Bucket;
  /** Function that fetches CRLs, with `crlSources`. */
  readonly refreshCrls?: lambda.Function;
  /** First run of that function: gates wait for it. */
  readonly firstRun?: triggers.Trigger;
  private readonly anchorsPath?: string;
  private readonly anchorsObjects: CertificatesObject[];
  private readonly intermediatesPath?: string;
  private readonly intermediatesObjects: CertificatesObject[];
  private readonly signatures: Signature[];
  private readonly policiesPath?: string;
  private readonly crls: CrlObject[];
  private readonly ocsp: string[];
  private readonly denyList?: TrustObject;
  private readonly revocation: Revocation;
  private readonly parameters: ssm.StringParameter[] = [];

  constructor(scope: Construct, id: string, props: TrustProps) {
    super(scope, id);
    const path = `/${Aws.STACK_NAME}/${scope.node.id}`;
    this.anchorsObjects = props.anchorsObjects ?? [];
    this.intermediatesObjects = props.intermediatesObjects ?? [];
    [...this.anchorsObjects, ...this.intermediatesObjects, ...(props.crls ?? []), ...(props.crlSources?.objects ?? []), ...(props.denyList ? [props.denyList] : [])].forEach(check);
    this.signatures = props.signatures ?? [];
    for (const signature of this.signatures) {
      if (!SIGNATURES.includes(signature)) {
        throw new Error(`signatures are some of ${SIGNATURES.join(', ')}: \`${signature}\` is not`);
      }
    }
    this.ocsp = props.ocsp ?? [];
    for (const responder of this.ocsp) {
      if (!RESPONDER.test(responder)) {
        throw new Error(`ocsp takes http://host/, SHA-256=http://host/, aia-cas and aia-clients: \`${responder}\` is not one of them`);
      }
    }
    this.policiesPath = checkedPath(props.policiesParameterPath);
    this.revocation = props.revocation ?? Revocation.STRICT;
    const anchors = props.anchors ?? {};
    if (Object.keys(anchors).length > 0 || props.anchorsParameterPath !== undefined) {
      this.anchorsPath = checkedPath(props.anchorsParameterPath) ?? `${path}/anchors`;
      this.put('Anchor', this.anchorsPath, anchors);
    } else if (this.anchorsObjects.length === 0) {
      throw new Error('give anchors, or the anchorsParameterPath or anchorsObjects that have them');
    }
    if (props.intermediates && Object.keys(props.intermediates).length > 0) {
      this.intermediatesPath = `${path}/intermediates`;
      this.put('Intermediate', this.intermediatesPath, props.intermediates);
    }
    this.crls = [...(props.crls ?? [])];
    this.denyList = props.denyList;
    if (props.crlSources) {
      const bucket = new s3.Bucket(this, 'Bucket', {
        blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
        encryption: s3.BucketEncryption.S3_MANAGED,
        enforceSSL: true,
        objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        // What was trusted at which time is evidence.
        removalPolicy: RemovalPolicy.RETAIN,
        versioned: true,
      });
      this.bucket = bucket;
      this.refreshCrls = this.refresher(bucket, props.crlSources);
      this.firstRun = new triggers.Trigger(this, 'FirstRun', {
        handler: this.refreshCrls,
        timeout: Duration.minutes(2),
        executeAfter: [this.refreshCrls, bucket, ...this.parameters],
      });
    }
  }

  /** Lets a function read what the gate trusts, and tells it where that is. */
  serve(fn: lambda.Function): void {
    this.readAuthorities(fn, 'MTLS');
    if (this.policiesPath) {
      fn.addEnvironment('MTLS_POLICY', `ssm:${this.policiesPath}/*`);
      this.readParameters(fn, 'ReadPolicies', [this.policiesPath]);
    }
    if (this.crls.length > 0) {
      fn.addEnvironment('MTLS_CRLS', this.crls.map(url).join(' '));
      // Each CRL, and the record that refresh-crls keeps beside it.
      read(fn, this.crls, ['', '.state.json']);
    }
    if (this.ocsp.length > 0) {
      fn.addEnvironment('MTLS_OCSP', this.ocsp.join(' '));
    }
    if (this.crls.length > 0 || this.ocsp.length > 0) {
      fn.addEnvironment('MTLS_REVOCATION', this.revocation);
    }
    if (this.denyList) {
      fn.addEnvironment('MTLS_DENY', url(this.denyList));
      read(fn, [this.denyList], ['']);
    }
    if (this.firstRun) {
      // With strict revocation a gate without its CRLs denies every client.
      fn.node.addDependency(this.firstRun);
    }
  }

  private put(kind: string, path: string, certificates: Certificates): void {
    for (const [name, pem] of Object.entries(certificates)) {
      if (!/^[a-zA-Z0-9_.-]+$/.test(name)) {
        throw new Error(`the name of a certificate has letters, digits, dots, hyphens and underscores: \`${name}\` has others`);
      }
      if (!Token.isUnresolved(pem)) {
        if (!pem.includes('-----BEGIN CERTIFICATE-----') || pem.includes('PRIVATE KEY')) {
          throw new Error(`\`${name}\` is not a PEM certificate without a private key`);
        }
        if (pem.length > ADVANCED_TIER) {
          throw new Error(`\`${name}\` is longer than a parameter, ${ADVANCED_TIER} bytes: give each certificate a name of its own, or put a larger one into S3`);
        }
      }
      const parameter = new ssm.StringParameter(this, `${kind}-${name}`, {
        parameterName: `${path}/${name}`,
        // The name contains the stack's, which is not known here.
        simpleName: false,
        stringValue: pem,
        tier: pem.length > STANDARD_TIER ? ssm.ParameterTier.ADVANCED : ssm.ParameterTier.STANDARD,
      });
      this.parameters.push(parameter);
    }
  }

  private refresher(bucket: s3.Bucket, sources: CrlSources): lambda.Function {
    const urls = sources.urls ?? [];
    const objects = sources.objects ?? [];
    if (urls.length + objects.length === 0) {
      throw new Error('crlSources needs urls or objects');
    }
    const fn = new lambda.Function(this, 'RefreshCrls', {
      description: 'Fetches CRLs, verifies them and publishes them for the gate',
      architecture: lambda.Architecture.ARM_64,
      code: sources.code,
      handler: 'bootstrap',
      runtime: lambda.Runtime.PROVIDED_AL2023,
      memorySize: 512,
      timeout: Duration.minutes(2),
      logGroup: logGroup(this, 'RefreshCrlsLogs'),
      loggingFormat: lambda.LoggingFormat.JSON,
      environment: {
        CRL_DESTINATION: `s3://${bucket.bucketName}/crls/`,
        CRL_SOURCES: [...urls, ...objects.map(url)].join(' '),
      },
    });
    this.readAuthorities(fn, 'CRL');
    read(fn, objects, ['']);
    fn.addToRolePolicy(
      new iam.PolicyStatement({
        sid: 'PublishCrls',
        actions: ['s3:GetObject', 's3:PutObject'],
        resources: [bucket.arnForObjects('crls/*')],
      }),
    );
    fn.addToRolePolicy(
      new iam.PolicyStatement({
        // Without it the first CRL would never be published: that there is none yet would look forbidden.
        sid: 'TellMissingCrlsFromForbiddenOnes',
        actions: ['s3:ListBucket'],
        resources: [bucket.bucketArn],
      }),
    );
    new events.Rule(this, 'Schedule', {
      description: 'Fetches CRLs',
      schedule: sources.schedule ?? events.Schedule.rate(Duration.hours(6)),
      targets: [new targets.LambdaFunction(fn)],
    });
    this.crls.push(...urls.map((address) => ({ bucket, key: `crls/${publishedName(address)}` })));
    this.crls.push(...objects.map((object) => ({ bucket, key: `crls/${object.bucket.bucketName}/${object.key}` })));
    return fn;
  }

  /** Tells a function where the CAs are, in settings with a prefix, and lets it read them. */
  private readAuthorities(fn: lambda.Function, prefix: 'MTLS' | 'CRL'): void {
    const sources = (path: string | undefined, objects: CertificatesObject[]): string =>
      [...(path === undefined ? [] : [`ssm:${path}/*`]), ...objects.map(url)].join(' ');
    fn.addEnvironment(`${prefix}_ANCHORS`, sources(this.anchorsPath, this.anchorsObjects));
    if (this.intermediatesPath !== undefined || this.intermediatesObjects.length > 0) {
      fn.addEnvironment(`${prefix}_INTERMEDIATES`, sources(this.intermediatesPath, this.intermediatesObjects));
    }
    if (this.signatures.length > 0) {
      fn.addEnvironment(`${prefix}_SIGNATURES`, this.signatures.join(' '));
    }
    const paths = [this.anchorsPath, this.intermediatesPath].filter((path) => path !== undefined);
    if (paths.length > 0) {
      this.readParameters(fn, 'ReadTrustMaterial', paths);
    }
    const objects = [...this.anchorsObjects, ...this.intermediatesObjects];
    if (objects.length > 0) {
      fn.addToRolePolicy(
        new iam.PolicyStatement({
          sid: 'ReadTrustObjects',
          actions: ['s3:GetObject'],
          resources: objects.map((object) => arn(object)),
        }),
      );
    }
  }

  private readParameters(fn: lambda.Function, sid: string, paths: string[]): void {
    fn.addToRolePolicy(
      new iam.PolicyStatement({
        sid,
        actions: ['ssm:GetParametersByPath'],
        resources: paths.map((path) =>
          Stack.of(this).formatArn({ service: 'ssm', resource: 'parameter', resourceName: Fn.join('', [path.slice(1)]) }),
        ),
      }),
    );
    if (this.parameters.length > 0) {
      fn.node.addDependency(...this.parameters);
    }
  }
}

/** A log group that ends: records contain the names of clients. */
export function logGroup(scope: Construct, id: string): logs.LogGroup {
  return new logs.LogGroup(scope, id, { removalPolicy: RemovalPolicy.RETAIN, retention: logs.RetentionDays.THREE_MONTHS });
}

function read(fn: lambda.Function, objects: CrlObject[], ends: string[]): void {
  if (objects.length === 0) {
    return;
  }
  fn.addToRolePolicy(
    new iam.PolicyStatement({
      actions: ['s3:GetObject'],
      resources: objects.flatMap((object) => ends.map((end) => arn(object, end))),
    }),
  );
  fn.addToRolePolicy(
    new iam.PolicyStatement({
      actions: ['s3:ListBucket'],
      resources: [...new Set(objects.map((object) => object.bucket.bucketArn))],
    }),
  );
}

/** Name of the object that `refresh-crls` publishes the CRL of a URL as. */
function publishedName(address: string): string {
  const match = PLAIN_URL.exec(address);
  if (!match || /%2e/i.test(address)) {
    throw new Error(
      `where the CRL of \`${address}\` is published is not derived here, because of its capitals, query or dots: give its copy in crls, by the name that \`alb-mtls bundle crls\` prints`,
    );
  }
  const [, host, port, path] = match;
  return `${host}${port ? `_${port}` : ''}${path}`;
}

function checkedPath(path: string | undefined): string | undefined {
  if (path !== undefined && !Token.isUnresolved(path) && !/^(\/[a-zA-Z0-9_.-]+)+$/.test(path)) {
    throw new Error(`a path in Parameter Store begins with a slash and does not end with one: \`${path}\``);
  }
  return path;
}
