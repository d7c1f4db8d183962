/** Writes the templates of the stacks: `node lib/test/synth.js CODE OUTPUT`. */

import * as cdk from 'aws-cdk-lib';

import { stacks } from './stacks';

const [code, outdir] = process.argv.slice(2);
if (code === undefined || outdir === undefined) {
  throw new Error('node lib/test/synth.js CODE OUTPUT');
}
const app = new cdk.App({ outdir });
stacks(app, code);
app.synth();
