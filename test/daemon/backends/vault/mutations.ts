import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openRecords } from '../../../../daemon/backends/vault/open-records.ts';
import { KeyholdError } from '../../../../protocol/errors.ts';
import { expose, heapSecret, secretFromText } from '../../../../protocol/secret.ts';
import { aHeld } from '../../../contracts/backend.ts';
import { randomFrom } from '../../../faults/vault/play.ts';
import { temporaryFolder } from '../../../temporary.ts';

const RECORDS = 24;
/** What damage may be answered as. */
const codes = new Set(['vault_corrupt', 'vault_truncated', 'vault_newer']);

/** What came of many damaged files: how often each fault, how often all was right, and everything that was wrong. */
export type Damage = { readonly outcomes: Map<string, number>; readonly wrong: string[] };

/** Cuts a vault's file at every `step`th byte and flips single bits in it `flips` times, and reads each result. */
export async function damageFiles(step: number, flips: number, seed: number): Promise<Damage> {
  const folder = temporaryFolder('damage');
  const file = join(folder.path, 'vault.db');
  const outcomes = new Map<string, number>();
  const wrong: string[] = [];
  try {
    const whole = aFile(file);
    const random = randomFrom(seed);
    const judge = async (what: string, bytes: Buffer) => {
      const outcome = await readDamaged(file, bytes);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (outcome !== 'all right' && !codes.has(outcome)) wrong.push(`${what}: ${outcome}`);
      return outcome;
    };
    for (let length = 0; length < whole.length; length += step) {
      const outcome = await judge(`cut to ${length}`, whole.subarray(0, length));
      if (outcome !== 'vault_truncated') wrong.push(`cut to ${length}: told as ${outcome}`);
    }
    for (let flip = 0; flip < flips; flip++) {
      const bit = Math.floor(random() * whole.length * 8);
      const bytes = Buffer.from(whole);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      await judge(`bit ${bit} flipped`, bytes);
    }
  } finally {
    folder.remove();
  }
  return { outcomes, wrong };
}

function aFile(file: string): Buffer {
  const records = openRecords({ file, key: aKey(), keep: heapSecret });
  for (let number = 0; number < RECORDS; number++) {
    records.put(aHeld({ username: `u${number}`, id: `${number}` }), { secret: secretFromText(valueFor(number)) });
  }
  records.close();
  return readFileSync(file);
}

/** The code of the fault, `all right`, or what was wrong: other data than was put, or a file that was written to. */
async function readDamaged(file: string, bytes: Buffer): Promise<string> {
  rmSync(`${file}-wal`, { force: true });
  rmSync(file, { force: true });
  writeFileSync(file, bytes, { mode: 0o600 });
  chmodSync(file, 0o600);
  let outcome: string;
  try {
    const records = openRecords({ file, key: aKey(), keep: heapSecret });
    try {
      const faults: string[] = [];
      const collect = (read: () => string | undefined) => {
        try {
          const found = read();
          if (found !== undefined) faults.push(found);
        } catch (error) {
          faults.push(error instanceof KeyholdError ? error.code : `a foreign ${error}`);
        }
      };
      const listed = (await records.all()).length;
      // A record that is damaged is left out and named; the list has told of it then.
      if (records.damaged.length > 0) faults.push('vault_corrupt');
      if (listed + records.damaged.length !== RECORDS) faults.push('records are missing from the list');
      for (let number = 0; number < RECORDS; number++) {
        collect(() => {
          const secret = records.get(aHeld({ username: `u${number}` }))?.secret;
          const value = secret && Buffer.from(expose(secret)).toString();
          // A record whose name was hit is not found, but then the list has told of the damage.
          const told = value === undefined && faults.length > 0;
          return told || value === valueFor(number) ? undefined : `wrong data: ${value}`;
        });
      }
      outcome = faults.find((fault) => !codes.has(fault)) ?? faults[0] ?? 'all right';
    } finally {
      records.close();
    }
  } catch (error) {
    outcome = error instanceof KeyholdError ? error.code : `a foreign ${error}`;
  }
  return readFileSync(file).equals(bytes) ? outcome : `the file was written to (${outcome})`;
}

function aKey() {
  return heapSecret(new Uint8Array(32).fill(9));
}

function valueFor(number: number): string {
  return `${number}-${'x'.repeat(number === 5 ? 6_000 : 20)}-EXAMPLE`;
}
