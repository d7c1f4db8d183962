export * from './gate';
export { CertificatesObject, TrustObject } from './objects';
export * from './trust';
