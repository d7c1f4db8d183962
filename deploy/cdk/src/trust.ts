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
export interface CrlObject {
  readonly bucket: s3.IBucket;
  readonly key: string;
}

/** CRLs that `refresh-crls` fetches, verifies and publishes for the gate. */
export interface CrlSources {
  /** URLs such as `http://crl.example.com/root.crl`. */
  readonly urls?: string[];
  /** Objects that a CA writes, such as those of AWS Private CA. */
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
   * @default none: they are put below `anchorsParameterPath` by other means
   */
  readonly anchors?: Certificates;
  /**
   * Path in Parameter Store whose parameters are the trust anchors, without the last slash.
   *
   * @default a path of the stack and the construct
   */
  readonly anchorsParameterPath?: string;
  /**
   * Issuing CAs, for clients that send their own certificate alone, and for the CRLs that issuing CAs sign.
   *
   * @default none
   */
  readonly intermediates?: Certificates;
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
   * Effect of the CRLs.
   *
   * @default Revocation.STRICT
   */
  readonly revocation?: Revocation;
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
  private readonly anchorsPath: string;
  private readonly intermediatesPath?: string;
  private readonly policiesPath?: string;
  private readonly crls: CrlObject[];
  private readonly revocation: Revocation;
  private readonly parameters: ssm.StringParameter[] = [];

  constructor(scope: Construct, id: string, props: TrustProps) {
    super(scope, id);
    const path = `/${Aws.STACK_NAME}/${scope.node.id}`;
    this.anchorsPath = checkedPath(props.anchorsParameterPath) ?? `${path}/anchors`;
    this.policiesPath = checkedPath(props.policiesParameterPath);
    this.revocation = props.revocation ?? Revocation.STRICT;
    const anchors = props.anchors ?? {};
    if (Object.keys(anchors).length === 0 && props.anchorsParameterPath === undefined) {
      throw new Error('give anchors, or the anchorsParameterPath that has them');
    }
    this.put('Anchor', this.anchorsPath, anchors);
    if (props.intermediates && Object.keys(props.intermediates).length > 0) {
      this.intermediatesPath = `${path}/intermediates`;
      this.put('Intermediate', this.intermediatesPath, props.intermediates);
    }
    this.crls = [...(props.crls ?? [])];
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
    fn.addEnvironment('MTLS_ANCHORS', `ssm:${this.anchorsPath}/*`);
    const paths = [this.anchorsPath];
    if (this.intermediatesPath) {
      fn.addEnvironment('MTLS_INTERMEDIATES', `ssm:${this.intermediatesPath}/*`);
      paths.push(this.intermediatesPath);
    }
    if (this.policiesPath) {
      fn.addEnvironment('MTLS_POLICY', `ssm:${this.policiesPath}/*`);
      paths.push(this.policiesPath);
    }
    if (this.crls.length > 0) {
      fn.addEnvironment('MTLS_CRLS', this.crls.map(url).join(' '));
      fn.addEnvironment('MTLS_REVOCATION', this.revocation);
      // Each CRL, and the record that refresh-crls keeps beside it.
      read(fn, this.crls, ['', '.state.json']);
    }
    this.readParameters(fn, paths);
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
          throw new Error(`\`${name}\` is longer than a parameter, ${ADVANCED_TIER} bytes: give each certificate a name of its own`);
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
        CRL_ANCHORS: `ssm:${this.anchorsPath}/*`,
        CRL_DESTINATION: `s3://${bucket.bucketName}/crls/`,
        CRL_SOURCES: [...urls, ...objects.map(url)].join(' '),
      },
    });
    const paths = [this.anchorsPath];
    if (this.intermediatesPath) {
      fn.addEnvironment('CRL_INTERMEDIATES', `ssm:${this.intermediatesPath}/*`);
      paths.push(this.intermediatesPath);
    }
    this.readParameters(fn, paths);
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

  private readParameters(fn: lambda.Function, paths: string[]): void {
    fn.addToRolePolicy(
      new iam.PolicyStatement({
        sid: 'ReadTrustMaterial',
        actions: ['ssm:GetParametersByPath'],
        resources: paths.map((path) =>
          Stack.of(this).formatArn({ service: 'ssm', resource: 'parameter', resourceName: Fn.join('', [path.slice(1)]) }),
        ),
      }),
    );
    fn.node.addDependency(...this.parameters);
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
      resources: objects.flatMap((object) => ends.map((end) => object.bucket.arnForObjects(object.key + end))),
    }),
  );
  fn.addToRolePolicy(
    new iam.PolicyStatement({
      actions: ['s3:ListBucket'],
      resources: [...new Set(objects.map((object) => object.bucket.bucketArn))],
    }),
  );
}

function url(object: CrlObject): string {
  return `s3://${object.bucket.bucketName}/${object.key}`;
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
