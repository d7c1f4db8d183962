import { Token } from 'aws-cdk-lib';
import * as s3 from 'aws-cdk-lib/aws-s3';

/** Object in S3. */
export interface TrustObject {
  readonly bucket: s3.IBucket;
  /** Key, with `%20` and the like for what URLs do not have. */
  readonly key: string;
  /**
   * Region of the bucket.
   *
   * @default that of the stack
   */
  readonly region?: string;
  /**
   * Account that must own the bucket.
   *
   * @default any that lets the functions read it
   */
  readonly owner?: string;
}

/** Object in S3 with certificates as PEM. */
export interface CertificatesObject extends TrustObject {
  /**
   * Digest that the content must have, in hexadecimal.
   *
   * @default none: a role that can write to the object decides who is trusted
   */
  readonly sha256?: string;
}

/** Returns what a policy names an object by, in which an escape can be any character. */
export function arn(object: TrustObject, end = ''): string {
  return object.bucket.arnForObjects(object.key.replace(/%[0-9A-Fa-f]{2}/g, '*') + end);
}

/** Returns an object as settings name it. */
export function url(object: CertificatesObject): string {
  const query = [object.region && `region=${object.region}`, object.owner && `owner=${object.owner}`].filter(Boolean).join('&');
  return `s3://${object.bucket.bucketName}/${object.key}${query && `?${query}`}${object.sha256 ? `#sha256=${object.sha256}` : ''}`;
}

/** Throws for an object that the functions would refuse, or that a policy would take for many. */
export function check(object: CertificatesObject): void {
  for (const [name, value, form] of [
    ['key', object.key, /^([^\s?#%*$]|%[0-9A-Fa-f]{2})*([^\s?#%*$/]|%[0-9A-Fa-f]{2})$/],
    ['region', object.region, /^[a-z-]+-[0-9]$/],
    ['owner', object.owner, /^[0-9]{12}$/],
    ['sha256', object.sha256, /^[0-9a-fA-F]{64}$/],
  ] as const) {
    if (value !== undefined && !Token.isUnresolved(value) && !form.test(value)) {
      throw new Error(`an object has a key without spaces and any of ?#*$, escaped with % where it has them, a region such as eu-west-1, an owner of 12 digits, a sha256 of 64 hexadecimal digits: its ${name} is \`${value}\``);
    }
  }
}
