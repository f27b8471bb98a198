import { describe, expect, it } from 'vitest';
import { needKeyring } from '../../live/keyring/need.ts';
import { type Killed, killAgents } from '../../proofs/kills.ts';

/** A sample of `npm run proof -- kills`; its seed plays it again: `npm run proof -- kills --seed 7 --kills 20 --held 1000`. */
const SEED = 7;

async function sample(which: Killed, kills: number, held: number): Promise<void> {
  const { wrong, counts } = await killAgents(which, { seed: SEED, kills, held, say: console.log });
  expect(wrong).toEqual([]);
  expect(counts).toMatchObject({ [`${which} kills`]: kills });
  expect(counts[`${which} acknowledged`]).toBeGreaterThan(kills);
  console.log(counts);
}

describe('an agent that is killed at random moments under stores, erases, backups and rotates', () => {
  const rule = 'is up again, has lost nothing that it acknowledged, and brings nothing back that was erased';

  it(`with a vault and its key file: ${rule}`, () => sample('vault', 20, 1_000));

  it(`with a vault and a passphrase: ${rule}`, () => sample('passphrase', 20, 1_000));

  it.skipIf(!needKeyring())(`with a keyring that is killed, too: ${rule}`, () => sample('keyring', 20, 1_000));

  it(`with 10,000 in its vault: ${rule}`, () => sample('vault', 1, 10_000));
});
