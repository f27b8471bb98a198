import { chmodSync, chownSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { treeOf } from '../client/home.ts';
import { startGitServer } from '../fakes/git-server.ts';
import { need } from '../need.ts';
import { temporaryFolder } from '../temporary.ts';
import { aPerson, type Person } from './person.ts';

const isThere = need('git', 'apt-get install git') && need('setpriv', 'apt-get install util-linux');

describe.skipIf(!isThere)('the first five minutes of a plain user', () => {
  it.each([
    ['with the native parts', false],
    ['where there was no compiler', true],
  ])('install, set up git, fetch, lose every process, fetch again, take it all back: %s', async (_, withoutNative) => {
    await using person = await aPerson({ plain: true, withoutNative });
    using folder = Object.assign(temporaryFolder('server'), { [Symbol.dispose]: () => folder.remove() });
    await using server = await startGitServer(folder.path);
    server.passwords.set('ada', 'first-five-EXAMPLE');
    const url = await server.addRepository('work.git');
    furnish(person);
    const before = treeOf(person.home);

    await person.keyhold(['install']);
    await person.keyhold(['setup', 'git']);
    // The one and only time that anybody is asked.
    const askpass = answering(person, 'ada', 'first-five-EXAMPLE');
    await person.git(['clone', '-q', url, 'work'], { env: { GIT_ASKPASS: askpass } });
    const work = { cwd: join(person.desk, 'work') };
    await person.git(['fetch', '-q'], work);

    const pid = await person.agentPid();
    expect(pid).toBeGreaterThan(0);
    process.kill(pid!, 'SIGKILL');
    await expect.poll(() => existsSync(`/proc/${pid}/exe`)).toBe(false);
    server.requests.length = 0;
    await person.git(['fetch', '-q'], work);
    expect(server.requests.at(-1)).toMatchObject({ user: 'ada', status: 200 });
    expect(await person.agentPid()).not.toBe(pid);

    const { stdout } = await person.keyhold(['uninstall', '--purge', '--yes']);
    expect(stdout).toContain('uninstalled');
    expect(treeOf(person.home)).toEqual(before);
    expect(await person.agentPid()).toBeUndefined();
  });
});

/** Some of what a home folder holds, with modes that nobody may change. */
function furnish({ home }: Person): void {
  const [local, gitconfig] = [join(home, '.local'), join(home, '.gitconfig')];
  mkdirSync(local, { mode: 0o755 });
  writeFileSync(gitconfig, '# mine\n[user]\n\tname = Ada\n\temail = ada@git.invalid\n');
  chmodSync(gitconfig, 0o640);
  const { uid, gid } = statSync(home);
  for (const path of [local, gitconfig]) chownSync(path, uid, gid);
}

/** A program that answers git's questions, as the person would. */
function answering({ desk }: Person, user: string, password: string): string {
  const path = join(desk, 'askpass');
  writeFileSync(path, `#!/bin/sh\ncase $1 in User*) echo ${user} ;; *) echo ${password} ;; esac\n`, { mode: 0o755 });
  return path;
}
