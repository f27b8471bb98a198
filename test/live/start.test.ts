import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { execute } from '../execute.ts';
import { need } from '../need.ts';
import { temporaryFolder } from '../temporary.ts';

const ROOT = join(import.meta.dirname, '../..');
const START = join(ROOT, 'scripts/start.ts');
/** git is looked for in the system's folders, whatever PATH says: there it is hidden, in a mount namespace. */
const WITHOUT_GIT =
  'for git in /usr/bin/git /bin/git /usr/local/bin/git; do [ ! -f "$git" ] || mount --bind /dev/null "$git"; done; exec "$@"';
const mayHide = need('unshare', 'apt-get install util-linux') && isRoot();

function isRoot(): boolean {
  if (process.getuid!() === 0) return true;
  console.warn('skipped: hiding git takes a mount namespace; run the suite as root');
  return false;
}

describe.skipIf(!need('git', 'apt-get install git'))('npm start', () => {
  it('shows git answered by the agent, twice, and leaves it running', async () => {
    using folder = Object.assign(temporaryFolder('npm'), { [Symbol.dispose]: () => folder.remove() });
    const env = { HOME: folder.path, PATH: '/usr/bin:/bin' };
    const keyhold = (verb: string) => execute(join(ROOT, 'dist/bin/keyhold'), [verb], { env, expect: 'any' });
    try {
      for (const words of ['The agent runs', 'The agent was running already']) {
        const { stdout, stderr } = await execute(process.execPath, [START], { env });
        expect(stderr).toBe('');
        expect(stdout).toContain(words);
        expect(stdout).toContain('answered by keyhold, in a new process');
        expect(stdout).toContain('finds nothing: it is gone');
        expect((await keyhold('status')).stdout).toMatch(/held +0 /);
      }
      expect(readdirSync(folder.path).sort()).toEqual(['.config', '.local']);
    } finally {
      expect((await keyhold('stop')).stdout).toContain('stopped: pid');
    }
  });

  it.skipIf(!mayHide)('says so where there is no git, and leaves the agent running', async () => {
    using folder = Object.assign(temporaryFolder('npm'), { [Symbol.dispose]: () => folder.remove() });
    const env = { KEYHOLD_HOME: join(folder.path, 'k'), PATH: '/usr/bin:/bin' };
    const { code, stderr } = await execute('unshare', ['-m', 'sh', '-c', WITHOUT_GIT, 'sh', process.execPath, START], {
      env,
      expect: 'any',
    });
    expect(code).toBe(1);
    expect(stderr).toContain('apt-get install git');
    const { stdout } = await execute(join(ROOT, 'dist/bin/keyhold'), ['stop'], { env: { ...env, HOME: folder.path } });
    expect(stdout).toContain('stopped: pid');
  });
});
