import { parseArgs } from 'node:util';
import { corpus } from './corpus.ts';
import { tryInput } from './run.ts';

/** `npm run fuzz -- --inputs N [--seed S] [--at I]`: N inputs from S on, or the one input that a finding named. */
const { values } = parseArgs({
  options: { inputs: { type: 'string' }, seed: { type: 'string' }, at: { type: 'string' } },
});
const inputs = Number(values.inputs ?? 1_000_000);
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const only = values.at === undefined ? undefined : Number(values.at);

process.on('uncaughtException', (error) => {
  console.error(`crash outside of an input, seed ${seed}:`, error);
  process.exit(1);
});

const all = corpus();
const started = performance.now();
let told = started;
const first = only ?? 0;
const end = only === undefined ? inputs : only + 1;
for (let at = first; at < end; at++) {
  const finding = await tryInput(all, seed, at);
  if (finding) {
    console.error(`found with --seed ${seed} --at ${at}: ${finding.what}\ninput: ${finding.input.toString('hex')}`);
    process.exitCode = 1;
    break;
  }
  if (at % 4_096 === 0 && performance.now() - told > 10_000) {
    told = performance.now();
    // Macrotasks get their turn too: an unhandled rejection is only told then.
    await new Promise((resolve) => setImmediate(resolve));
    console.log(`${at.toLocaleString('en-US')} inputs, ${rate(at - first)} a second`);
  }
}
if (!process.exitCode) {
  console.log(
    `${(end - first).toLocaleString('en-US')} inputs, seed ${seed}: nothing found, ${rate(end - first)} a second`,
  );
}

function rate(count: number): string {
  return Math.round((count * 1_000) / (performance.now() - started)).toLocaleString('en-US');
}
