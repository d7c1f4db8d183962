/**
 * Writes a template for each choice of the options of the construct: every place with every program, and in them every
 * two choices about trust: `node lib/test/options.js CODE OUTPUT`.
 */

import * as cdk from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpUrlIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as events from 'aws-cdk-lib/aws-events';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';

import { Mode, MtlsGate, MtlsGateProps, Revocation } from '..';
import { loadBalancer, ownFunction, PEM } from './stacks';

type Choice = (stack: cdk.Stack, built: () => lambda.Code) => Partial<MtlsGateProps>;

const pki = (stack: cdk.Stack): s3.IBucket =>
  (stack.node.tryFindChild('Pki') as s3.IBucket | undefined) ?? s3.Bucket.fromBucketName(stack, 'Pki', 'example-pki');

/** Choices about trust; those of one kind exclude each other. */
const TRUST: Choice[][] = [
  [
    () => ({ anchors: { root: PEM } }),
    () => ({ anchors: { root: PEM }, anchorsParameterPath: '/pki/anchors' }),
    () => ({ anchorsParameterPath: '/pki/anchors' }),
    (stack) => ({ anchorsObjects: [{ bucket: pki(stack), key: 'roots.pem', sha256: '0'.repeat(64), owner: '123456789012' }] }),
    (stack) => ({ anchors: { root: PEM }, anchorsObjects: [{ bucket: pki(stack), key: 'roots.pem' }] }),
  ],
  [
    () => ({}),
    () => ({ intermediates: { issuing: PEM } }),
    (stack) => ({ intermediatesObjects: [{ bucket: pki(stack), key: 'issuing%20ca.pem' }] }),
  ],
  [
    () => ({}),
    (stack) => ({ crls: [{ bucket: pki(stack), key: 'crls/root.crl' }], revocation: Revocation.SOFT }),
    (_, built) => ({ crlSources: { code: built(), urls: ['http://crl.example.com/root.crl'] } }),
    (stack, built) => ({
      crlSources: {
        code: built(),
        urls: ['http://crl.example.com/root.crl', 'https://crl.example.com/issuing.crl'],
        objects: [{ bucket: pki(stack), key: 'crl/1.crl', region: 'us-east-1' }],
        schedule: events.Schedule.rate(cdk.Duration.hours(1)),
      },
    }),
  ],
  [() => ({}), () => ({ policiesParameterPath: '/policies' })],
  [() => ({}), () => ({ signatures: ['ecdsa-p256-sha256'], extensions: ['device_id=1.3.6.1.4.1.99999.1'], mode: Mode.OPTIONAL })],
];

type Program = (stack: cdk.Stack, gate: MtlsGate, built: () => lambda.Code, balancer: ReturnType<typeof loadBalancer>) => lambda.Function;

const PROGRAMS: Program[] = [
  (_, gate, built) => gate.respond('Respond', built()),
  (stack, gate, built) => gate.protect(ownFunction(stack), gate.layer('GateLayer', built())),
  (_, gate, built, { vpc }) => gate.forward('ToServer', { code: built(), upstream: 'http://10.0.0.7:8080', vpc, identity: 'rfc9440' }),
  (stack, gate, built) => gate.forward('ToFunction', { code: built(), upstream: ownFunction(stack) }),
];

type Place = (stack: cdk.Stack, gate: MtlsGate, balancer: ReturnType<typeof loadBalancer>, target: lambda.Function) => void;

const PLACES: Place[] = [
  (_, gate, { alb, certificates }, target) => gate.listen('Https', { loadBalancer: alb, certificates, target }),
  (_, gate, { alb, certificates }, target) =>
    gate.listen('Https', { loadBalancer: alb, certificates, target, port: 8443, sslPolicy: elb.SslPolicy.TLS13_RES, open: false }),
  (_, gate, { alb, certificates }, target) => {
    const listener = gate.listen('Https', { loadBalancer: alb, certificates, target });
    gate.addRule('Rule', { listener, target, priority: 5, conditions: [elb.ListenerCondition.hostHeaders(['orders.example.com'])] });
    alb.addRedirect();
  },
];

function rest(stack: cdk.Stack, gate: MtlsGate, built: () => lambda.Code): void {
  const authorizer = gate.restAuthorizer('Authorizer', built());
  const api = new apigateway.RestApi(stack, 'Api', {
    disableExecuteApiEndpoint: true,
    cloudWatchRole: false,
    defaultCorsPreflightOptions: { allowOrigins: ['https://example.com'] },
    defaultMethodOptions: { authorizer, authorizationType: apigateway.AuthorizationType.CUSTOM },
  });
  api.root.addMethod('GET', new apigateway.MockIntegration());
  api.root.addProxy({ defaultIntegration: new apigateway.HttpIntegration('https://orders.example.com/') });
}

function http(stack: cdk.Stack, gate: MtlsGate, built: () => lambda.Code): void {
  const authorizer = gate.httpAuthorizer('Authorizer', built());
  const api = new apigatewayv2.HttpApi(stack, 'Api', { disableExecuteApiEndpoint: true, defaultAuthorizer: authorizer });
  for (const path of ['/', '/{proxy+}']) {
    api.addRoutes({ path, integration: new HttpUrlIntegration(`Upstream${path.length}`, 'https://orders.example.com/') });
  }
}

/** Choices of each kind of which each two of different kinds meet in some of them. */
function pairs(): number[][] {
  const sizes = TRUST.map((choices) => choices.length);
  const left = new Set<string>();
  const met = (choice: number[]): string[] =>
    choice.flatMap((one, kind) => choice.slice(kind + 1).map((other, more) => `${kind}.${one} ${kind + 1 + more}.${other}`));
  const all = sizes.reduce<number[][]>((before, size) => before.flatMap((one) => [...Array(size).keys()].map((next) => [...one, next])), [[]]);
  all.flatMap(met).forEach((pair) => left.add(pair));
  const found: number[][] = [];
  const missing = (choice: number[]): number => met(choice).filter((pair) => left.has(pair)).length;
  while (left.size > 0) {
    const best = all.reduce((one, other) => (missing(other) > missing(one) ? other : one));
    met(best).forEach((pair) => left.delete(pair));
    found.push(best);
  }
  return found;
}

const [code, outdir] = process.argv.slice(2);
if (code === undefined || outdir === undefined) {
  throw new Error('node lib/test/options.js CODE OUTPUT');
}
const app = new cdk.App({ outdir });
const built = (): lambda.Code => lambda.Code.fromAsset(code);
pairs().forEach((choice, number) => {
  const stack = new cdk.Stack(app, `Options${number}`);
  const props = choice.map((one, kind) => TRUST[kind]![one]!(stack, built)).reduce((before, next) => ({ ...before, ...next }), {});
  // A rule needs the name of the header; each other stack has one of its own.
  const header = number % 2 === 0 || number % PLACES.length === 2 ? { certificateHeader: 'x-gate-7f3a' } : {};
  const gate = new MtlsGate(stack, 'Gate', { ...props, ...header });
  const kinds = PROGRAMS.length + 2;
  if (number % kinds === PROGRAMS.length) {
    rest(stack, gate, built);
  } else if (number % kinds === PROGRAMS.length + 1) {
    http(stack, gate, built);
  } else {
    const balancer = loadBalancer(stack);
    const target = PROGRAMS[number % kinds]!(stack, gate, built, balancer);
    PLACES[number % PLACES.length]!(stack, gate, balancer, target);
  }
});
// Every program in every place.
PLACES.forEach((place, first) =>
  PROGRAMS.forEach((program, second) => {
    const stack = new cdk.Stack(app, `Place${first}Program${second}`);
    const gate = new MtlsGate(stack, 'Gate', { anchors: { root: PEM }, certificateHeader: 'x-gate-7f3a' });
    const balancer = loadBalancer(stack);
    place(stack, gate, balancer, program(stack, gate, built, balancer));
  }),
);
app.synth();
