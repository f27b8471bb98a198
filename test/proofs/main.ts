import { parseArgs } from 'node:util';
import { proveKills } from './kills.ts';
import { proveMigrate } from './migrate.ts';
import type { Proof } from './proof.ts';

/**
 * `npm run proof -- NAME [--seed N] [--kills N] [--held N] [--only BACKEND]`: a proof in full, or smaller, or one backend of it. It prints its command, seed,
 * duration and result, and ends with 1 if something was wrong. The same seed makes the same choices; when a kill lands is
 * up to the machine.
 */

const proofs: Readonly<Record<string, Proof>> = { kills: proveKills, migrate: proveMigrate };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, kills: { type: 'string' }, held: { type: 'string' }, only: { type: 'string' } },
});
const [name = ''] = positionals;
const proof = Object.hasOwn(proofs, name) ? proofs[name] : undefined;
const { only, ...given } = values;
const numbers = Object.entries(given).map(([key, text]) => [key, Number(text)] as const);
const bad = numbers.find(([, number]) => !Number.isSafeInteger(number) || number < 0);
if (!proof || positionals.length !== 1 || bad) {
  const what = bad ? `--${bad[0]} takes a number` : `there is no proof ${JSON.stringify(name)}`;
  console.error(
    `proof: ${what}; run: npm run proof -- ${Object.keys(proofs).join('|')} [--seed N] [--kills N] [--held N] [--only BACKEND]`,
  );
  process.exit(2);
}

const { seed = 1, kills, held } = Object.fromEntries(numbers) as { seed?: number; kills?: number; held?: number };
const command = `npm run proof -- ${process.argv.slice(2).join(' ')}`;
const began = Date.now();
const say = (line: string) => console.log(`${new Date().toISOString().slice(11, 19)}  ${line}`);
say(`${command} (seed ${seed})`);
const { wrong, counts } = await proof({ seed, kills, held, only, say });
for (const line of wrong) say(`WRONG  ${line}`);
const seconds = Math.round((Date.now() - began) / 1_000);
console.log(`command   ${command}`);
console.log(`seed      ${seed}`);
console.log(`duration  ${Math.floor(seconds / 60)} min ${seconds % 60} s`);
for (const [key, count] of Object.entries(counts)) console.log(`${key.padEnd(18)} ${count}`);
console.log(`result    ${wrong.length === 0 ? 'nothing was wrong' : `${wrong.length} WRONG`}`);
process.exit(wrong.length === 0 ? 0 : 1);
