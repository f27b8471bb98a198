import { join } from 'node:path';
import { expect, it } from 'vitest';
import { execute } from '../../execute.ts';
import { BUILT, DIST, get, launchAgent, open, startAgent, store } from '../../fakes/built-agent.ts';

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
