import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from '../../temporary.ts';
import { Acknowledged, randomFrom, readVault } from './play.ts';
import { startWriter } from './start-writer.ts';

/**
 * Kills a writer `kills` times at random moments, in `lanes` vaults at once, and reads the whole vault after each kill. On a busy
 * machine few changes are acknowledged before a kill: then it goes on until there are `enough`, at most ten times as often.
 * Says what was wrong, and how many changes were acknowledged.
 */
export async function killWriters(
  kills: number,
  lanes: number,
  enough = 0,
): Promise<{ wrong: string[]; acknowledged: number }> {
  const wrong: string[] = [];
  const heards: Acknowledged[] = [];
  const acknowledged = () => heards.reduce((sum, { count }) => sum + count, 0);
  let done = 0;
  const isOver = () => done >= 10 * kills || (done >= kills && acknowledged() >= enough);
  const lane = async (number: number) => {
    const folder = temporaryFolder('kills');
    const heard = new Acknowledged();
    heards.push(heard);
    const random = randomFrom(number);
    try {
      while (!isOver()) {
        const seed = ++done + number * 1_000_000;
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
      folder.remove();
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return { wrong, acknowledged: acknowledged() };
}
