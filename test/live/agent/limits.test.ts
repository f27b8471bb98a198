import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { execute } from '../../execute.ts';
import { aHome, BUILT, DIST, get, launchAgent, open, startAgent, store } from '../../fakes/built-agent.ts';

const limited = (files: number) => ['sh', '-c', `ulimit -n ${files}; exec "$0" "$@"`];

it.each([16, 24, 63])('an agent that may open %i files refuses to start, and says so', async (files) => {
  await using agent = launchAgent({ under: limited(files) });
  expect(await agent.ended).toBe(1);
  expect(agent.stderr()).toBe(
    `keyhold-agent: cannot start: it may open ${files} files and needs 64; raise the hard limit: ulimit -Hn, limits.conf(5), or LimitNOFILE= of the unit\n`,
  );
});

it('an agent at the limit serves, also after more callers than it has files for', async () => {
  await using agent = await startAgent({ under: limited(64) });
  expect(await agent.ask(...store('a.test', 'pass-EXAMPLE'))).toBe('status=ok\n');
  const callers = await Promise.all(Array.from({ length: 60 }, () => open(agent.socket)));
  for (const caller of callers) caller.destroy();
  // Some of them may still hold a descriptor for a moment.
  await expect.poll(() => agent.ask(...get('a.test')).catch(String)).toContain('password=pass-EXAMPLE');
});

it.each(['keyhold', ...(BUILT.client === 'typescript' ? ['keyhold-helper'] : [])])(
  '%s refuses as well, below what node needs',
  async (name) => {
    const program = join(DIST, 'bin', name);
    const run = (files: number) =>
      execute('sh', ['-c', `ulimit -n ${files}; exec "$0" --version`, program], { env: process.env, expect: 'any' });
    expect(await run(16)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it may open 16 files and needs 32'),
    });
    expect(await run(32)).toMatchObject({ code: 0, stderr: '' });
  },
);

describe('below what an agent may open', () => {
  const HERE = 'has ended; to see why, run: keyhold start';

  /** Runs a program that may open 40 files and would start the agent. What this test has open itself is not its. */
  async function run(before: string, name: string, ...words: string[]) {
    const home = aHome();
    mkdirSync(join(home, 'state'), { recursive: true, mode: 0o700 });
    symlinkSync(join(DIST, 'bin/keyhold-agent'), join(home, 'state/autostart'));
    const close = 'for n in $(ls /proc/self/fd); do [ "$n" -gt 2 ] && eval "exec $n>&-"; done';
    const command = `${close}; ${before} ulimit -n 40; exec "$0" "$@"`;
    const env = { PATH: process.env.PATH, HOME: home, KEYHOLD_HOME: home };
    const input = 'protocol=https\nhost=a.test\n\n';
    const began = performance.now();
    const program = ['-c', command, join(DIST, 'bin', name), ...words];
    const ended = await execute('/bin/bash', program, { env, input, expect: 'any' });
    return { ...ended, took: performance.now() - began };
  }

  it('a tool and a command hear at once that the agent which they started has ended', async () => {
    const tool = await run('', 'git-credential-keyhold', 'get');
    expect(tool).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining(HERE) });
    // Their own deadlines are 5 s and 10 s.
    expect(tool.took).toBeLessThan(4_500);
    const command = await run('', 'keyhold', 'token', 'list');
    expect(command).toMatchObject({ code: 10, stderr: expect.stringContaining(HERE) });
    expect(command.took).toBeLessThan(9_500);
    expect(await run('', 'keyhold', 'start')).toMatchObject({
      code: 10,
      stderr: expect.stringContaining('it may open 40 files and needs 64'),
    });
  });

  it('a command that was given a descriptor above its limit names it', async () => {
    expect(await run('exec 60>/dev/null;', 'keyhold', 'token', 'list')).toMatchObject({
      code: 10,
      stderr: expect.stringMatching(
        /cannot start the agent: descriptor 60 is open, above .*; close it, or raise the limit/,
      ),
    });
  });
});
