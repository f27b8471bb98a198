import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { treeOf } from '../client/home.ts';
import { execute } from '../execute.ts';
import { aPerson } from './person.ts';

/** Restarts under load. */
const ROUNDS = 8;
/** Programs that ask without a pause. */
const ASKING = 4;

describe('an agent that no service manager looks after', () => {
  it('loses no request over restarts, and does not come back after it was taken away', async () => {
    await using person = await aPerson();
    const before = treeOf(person.home);
    await person.keyhold(['install']);
    const helper = join(person.home, '.local/bin/git-credential-keyhold');
    const input = 'protocol=https\nhost=git.invalid\nusername=ada\n';
    await person.run(helper, ['store'], { input: `${input}password=restart-EXAMPLE\n\n` });

    // No client helps by starting the next agent: the old one hands its socket on.
    const env = { ...person.env, KEYHOLD_NO_AUTOSTART: '1' };
    let over = false;
    const answers: string[] = [];
    const asking = Array.from({ length: ASKING }, async () => {
      while (!over) {
        const { stdout, stderr } = await execute(helper, ['get'], { env, input: `${input}\n` });
        answers.push(stdout + stderr);
      }
    });
    try {
      for (let round = 0; round < ROUNDS; round++) await person.keyhold(['restart', '--yes']);
    } finally {
      over = true;
      await Promise.all(asking);
    }
    expect(answers.length).toBeGreaterThan(ROUNDS * ASKING);
    expect(answers.filter((answer) => !answer.includes('password=restart-EXAMPLE'))).toEqual([]);

    await person.keyhold(['uninstall', '--purge', '--yes']);
    expect(treeOf(person.home)).toEqual(before);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(treeOf(person.home)).toEqual(before);
  });
});
