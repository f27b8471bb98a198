import { expect, it } from 'vitest';
import { needKeyring } from '../../live/keyring/need.ts';
import { proveMigrate } from '../../proofs/migrate.ts';

/** A sample of `npm run proof -- migrate`; its seed plays it again: `npm run proof -- migrate --seed 7 --kills 5`. */
const [SEED, KILLS] = [7, 5];

it.skipIf(!needKeyring())(
  'a migrate that is killed in any phase and direction loses nothing, brings nothing back and leaves nothing over',
  async () => {
    const { wrong, counts } = await proveMigrate({ seed: SEED, kills: KILLS, say: console.log });
    expect(wrong).toEqual([]);
    for (const from of ['vault', 'keyring']) {
      for (const phase of ['copying', 'removing', 'undoing', 'finishing']) {
        expect(counts[`${from} ${phase}`], `${from} ${phase}`).toBeGreaterThanOrEqual(KILLS);
      }
    }
    console.log(counts);
  },
);
