import { parseArgs } from 'node:util';
import { proveKills } from './kills.ts';
import { proveMigrate } from './migrate.ts';
import type { Proof } from './proof.ts';

/**
 * `npm run proof -- kills [--backend NAME]` and `npm run proof -- migrate [--direction NAME] [--phase NAME]`, with `--seed N`,
 * `--from N`, `--kills N` and `--held N`: a proof in full, or a part of it. It prints its command, seed, duration and
 * result, and ends with 1 if something was wrong. The same seed makes the same choices; when a kill lands is up to the
 * machine.
 */

const proofs: Readonly<Record<string, Proof>> = { kills: proveKills, migrate: proveMigrate };
const USAGE = `npm run proof -- kills [--backend NAME]
       npm run proof -- migrate [--direction NAME] [--phase NAME]
       with [--seed N] [--from N] [--kills N] [--held N]`;

const text = { type: 'string' } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: text, from: text, kills: text, held: text, backend: text, direction: text, phase: text },
});
const [name = ''] = positionals;
const proof = Object.hasOwn(proofs, name) ? proofs[name] : undefined;
const { backend, direction, phase, ...given } = values;
const numbers = Object.entries(given).map(([key, digits]) => [key, Number(digits)] as const);
const bad = numbers.find(([, number]) => !Number.isSafeInteger(number) || number < 0);
if (!proof || positionals.length !== 1 || bad) {
  const what = bad ? `--${bad[0]} takes a number` : `there is no proof ${JSON.stringify(name)}`;
  console.error(`proof: ${what}; run: ${USAGE}`);
  process.exit(2);
}

type Numbers = { seed?: number; from?: number; kills?: number; held?: number };
const { seed = 1, ...size } = Object.fromEntries(numbers) as Numbers;
const command = `npm run proof -- ${process.argv.slice(2).join(' ')}`;
const began = Date.now();
const say = (line: string) => console.log(`${new Date().toISOString().slice(11, 19)}  ${line}`);
say(`${command} (seed ${seed})`);
let isStopped = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The second one ends it at once.
  process.once(signal, () => {
    isStopped = true;
    say(`${signal}: stops behind this kill, with the last look at all hosts`);
  });
}
const { wrong, counts } = await proof({ seed, ...size, backend, direction, phase, isStopped: () => isStopped, say });
for (const line of wrong) say(`WRONG  ${line}`);
const seconds = Math.round((Date.now() - began) / 1_000);
console.log(`command   ${command}`);
console.log(`seed      ${seed}`);
console.log(`duration  ${Math.floor(seconds / 60)} min ${seconds % 60} s`);
for (const [key, count] of Object.entries(counts)) console.log(`${key.padEnd(18)} ${count}`);
const early = isStopped ? ' (stopped early)' : '';
console.log(`result    ${wrong.length === 0 ? 'nothing was wrong' : `${wrong.length} WRONG`}${early}`);
process.exit(wrong.length === 0 ? 0 : 1);
