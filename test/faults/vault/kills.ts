import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from '../../temporary.ts';
import { Acknowledged, randomFrom, readVault } from './play.ts';
import { startWriter } from './start-writer.ts';

/**
 * Kills a writer `kills` times at random moments, in `lanes` vaults at once, and reads the whole vault after each kill.
 * Says what was wrong, and how many changes were acknowledged.
 */
export async function killWriters(kills: number, lanes: number): Promise<{ wrong: string[]; acknowledged: number }> {
  const wrong: string[] = [];
  let acknowledged = 0;
  let left = kills;
  const lane = async (number: number) => {
    const folder = temporaryFolder('kills');
    const heard = new Acknowledged();
    const random = randomFrom(number);
    try {
      while (left-- > 0) {
        const seed = kills - left + number * 1_000_000;
        const writer = startWriter('writer.ts', folder.path, seed, heard);
        // Most die at work; some earlier, while they start, create and recover.
        if (random() < 0.8) await writer.ready;
        await sleep(random() * 60);
        writer.child.kill('SIGKILL');
        await writer.ended;
        if (writer.stderr()) wrong.push(`seed ${seed}: ${writer.stderr()}`);
        wrong.push(...heard.check(await readVault(folder.path)).map((what) => `seed ${seed}: ${what}`));
      }
    } finally {
      acknowledged += heard.count;
      folder.remove();
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return { wrong, acknowledged };
}
