/** Writes the templates of the stacks: `node lib/test/synth.js CODE ROOT ISSUING OUTPUT`, with certificates as files. */

import { readFileSync } from 'node:fs';

import * as cdk from 'aws-cdk-lib';

import { stacks } from './stacks';

const [code, root, issuing, outdir] = process.argv.slice(2);
if (code === undefined || root === undefined || issuing === undefined || outdir === undefined) {
  throw new Error('node lib/test/synth.js CODE ROOT ISSUING OUTPUT');
}
const app = new cdk.App({ outdir });
stacks(app, code, readFileSync(root, 'utf8'), readFileSync(issuing, 'utf8'));
app.synth();
