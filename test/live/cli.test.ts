import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyholdHere } from '../client/in-process.ts';
import { type Ended, runProgram } from '../client/keyhold.ts';
import { openHome } from '../fakes/scripted-agent.ts';
import { need } from '../need.ts';

const bin = join(import.meta.dirname, '../../dist/bin');
/** Milliseconds until a started agent must answer. */
const DEADLINE = 15_000;

/** The commands against the built agent, on a vault of their own: the built program first, the rest here, which is quicker. */
describe('the commands and the real agent', () => {
  const home = openHome();
  let agent: ChildProcess;
  const built = (args: string, input?: string): Promise<Ended> =>
    runProgram(join(bin, 'keyhold'), args.split(' '), { home, ...(input === undefined ? {} : { input }) });
  const keyhold = (args: string, input?: string): Promise<Ended> => keyholdHere(args.split(' '), { home, input });

  beforeAll(async () => {
    const env = { PATH: process.env['PATH'], HOME: home, KEYHOLD_HOME: home };
    agent = spawn(join(bin, 'keyhold-agent'), [], { env, stdio: 'ignore' });
    for (const end = Date.now() + DEADLINE; (await built('status')).code !== 0; ) {
      if (Date.now() > end) throw new Error('the agent did not answer');
    }
  });
  afterAll(() => {
    agent.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  });

  test('a token comes in, is listed, printed and removed', async () => {
    expect((await built('token set --for https://git.example/ä --username zoë', 'token-EXAMPLE\n')).code).toBe(0);
    expect((await built('token list')).stdout).toMatch(/^https:\/\/git\.example\/ä +zoë +20/m);
    expect((await built('token print --for https://git.example/ä')).stdout).toBe('token-EXAMPLE\n');
    expect(JSON.parse((await built('status --json')).stdout)).toMatchObject({
      state: 'open',
      backend: 'vault',
      held: 1,
    });
    expect((await built('token remove --for https://git.example --yes')).code).toBe(0);
    expect((await built('token print --for https://git.example/ä')).code).toBe(4);
  });

  test('a backup brings back what was removed, and opens with its passphrase only', async () => {
    await keyhold('token set --for https://git.example --username ada', 'token-EXAMPLE\n');
    expect((await keyhold('backup saved --stdin', 'passphrase EXAMPLE\n')).code).toBe(0);
    await keyhold('token remove --for https://git.example --yes');
    expect((await keyhold('restore saved --stdin', 'another EXAMPLE\n')).code).toBe(5);
    expect((await keyhold('restore saved --stdin', 'passphrase EXAMPLE\n')).stdout).toBe('Restored 1 of 1 record.\n');
    expect((await keyhold('token print --for https://git.example')).stdout).toBe('token-EXAMPLE\n');
  });

  test('a vault with a passphrase locks, and opens with it', async () => {
    expect((await keyhold('backend passphrase --stdin', 'passphrase EXAMPLE\n')).code).toBe(0);
    expect((await keyhold('lock')).code).toBe(0);
    expect((await keyhold('token print --for https://git.example')).code).toBe(3);
    expect((await keyhold('doctor')).stdout).toContain('run: keyhold unlock');
    expect((await keyhold('unlock')).code).toBe(6);
    expect((await keyhold('unlock --stdin', 'another EXAMPLE\n')).code).toBe(5);
    expect((await keyhold('unlock --stdin', 'passphrase EXAMPLE\n')).code).toBe(0);
    expect((await keyhold('token print --for https://git.example')).stdout).toBe('token-EXAMPLE\n');
    expect((await keyhold('backend passphrase --remove --stdin', 'passphrase EXAMPLE\n')).code).toBe(0);
  });

  test('a passphrase that another program has set is undone within a day', async () => {
    expect((await keyhold('backend passphrase --stdin', 'unknown EXAMPLE\n')).code).toBe(0);
    expect((await keyhold('lock')).code).toBe(0);
    expect((await keyhold('unlock --stdin', 'guessed EXAMPLE\n')).code).toBe(5);
    expect((await keyhold('doctor')).stdout).toContain('to undo the change: keyhold backend undo');
    expect((await keyhold('backend undo --yes')).stdout).toBe('The change is undone.\n');
    expect((await keyhold('token print --for https://git.example')).stdout).toBe('token-EXAMPLE\n');
    const again = await keyhold('backend undo --yes');
    expect(again).toMatchObject({ code: 11, stderr: expect.stringContaining('within the last day neither the key') });
  });

  test('everything moves to another backend and back', async () => {
    expect((await keyhold('backend use memory')).code).toBe(2);
    expect((await keyhold('backend migrate memory --yes')).stdout).toContain('Carried 1 token to');
    expect((await keyhold('backend migrate vault --yes')).code).toBe(0);
    expect((await keyhold('token print --for https://git.example')).stdout).toBe('token-EXAMPLE\n');
    expect((await keyhold('backend list --json')).stdout).toContain('"inUse": true');
  });

  test('doctor finds the folders and files of an agent that runs in order', async () => {
    const { findings } = JSON.parse((await keyhold('doctor --json')).stdout);
    expect(findings[0]).toMatchObject({ check: 'places', state: 'ok' });
    expect(findings[1]).toMatchObject({ check: 'version', state: 'ok' });
  });

  test('a command starts the agent by the link that install leaves, and not with KEYHOLD_NO_AUTOSTART', async () => {
    const other = openHome();
    try {
      mkdirSync(join(other, 'state'), { mode: 0o700 });
      symlinkSync(join(bin, 'keyhold-agent'), join(other, 'state/autostart'));
      const run = (args: string, no: string) =>
        runProgram(join(bin, 'keyhold'), args.split(' '), { home: other, environment: { KEYHOLD_NO_AUTOSTART: no } });
      expect((await run('status', '1')).code).toBe(10);
      expect((await run('token list', '0')).stdout).toContain('Nothing is held');
      expect((await run('stop', '1')).code).toBe(0);
    } finally {
      rmSync(other, { recursive: true, force: true, maxRetries: 5 });
    }
  });

  test.skipIf(!need('git', 'apt-get install git'))("git's own cache daemon on our socket is named", async () => {
    const other = openHome();
    const daemon = spawn('git', ['credential-cache--daemon', join(other, 'run/agent.sock')], { stdio: 'pipe' });
    try {
      await new Promise((resolve) => daemon.stdout.once('data', resolve));
      const ended = await runProgram(join(bin, 'keyhold'), ['status'], { home: other });
      expect(ended.code).toBe(10);
      expect(ended.stderr).toContain(`another program listens on ${other}/run/agent.sock; end it`);
      const doctor = await runProgram(join(bin, 'keyhold'), ['doctor'], { home: other });
      expect(doctor.stdout).toContain('foreign-listener');
    } finally {
      daemon.kill('SIGKILL');
      rmSync(other, { recursive: true, force: true, maxRetries: 5 });
    }
  });

  test('a script gets the same by the line protocol', async () => {
    const { code, stdout } = await keyhold('get', 'protocol=https\nhost=git.example\n\n');
    expect(code).toBe(0);
    expect(stdout).toContain('status=ok\n');
    expect(stdout).toContain('password=token-EXAMPLE\n');
  });
});
