import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../client/agent/until.ts';
import { treeOf } from '../client/home.ts';
import { execute } from '../execute.ts';
import { need } from '../need.ts';
import { aPerson, type Person } from './person.ts';

const SYSTEMD = '/lib/systemd/systemd';
/** Restarts under load. */
const ROUNDS = 12;
/** Milliseconds between two requests of one who asks: without any, they would leave the restarts no processor. */
const PACE = 20;
const hasCurl = need('curl', 'apt-get install curl');
const isRoot = process.getuid!() === 0;
const isThere = need('systemctl', 'apt-get install systemd') && need('unshare', 'apt-get install util-linux');
if (isThere && !isRoot) console.warn('skipped: a systemd of its own needs a mount namespace; run the suite as root');

/** sd_booted(3) looks for this folder; it is made in a mount namespace, so that the machine itself is not changed. */
const IN_NAMESPACE =
  'mount -t tmpfs tmpfs /run/systemd 2>/dev/null || { mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd; }; mkdir -p /run/systemd/system; exec "$@"';

describe.skipIf(!isThere || !isRoot)('under a real systemd --user', () => {
  let person: Person;
  let manager: ChildProcess;
  let runtime: string;
  let before: string[];

  const inside = (program: string, arguments_: readonly string[], expect?: readonly number[] | 'any') =>
    execute('nsenter', [`--mount=/proc/${manager.pid}/ns/mnt`, '--', program, ...arguments_], {
      env: { ...person.env, XDG_RUNTIME_DIR: runtime },
      cwd: person.desk,
      expect,
    });
  const systemctl = async (...arguments_: string[]) =>
    (await inside('systemctl', ['--user', ...arguments_], 'any')).stdout.trim();
  const keyhold = async (...arguments_: string[]) =>
    (await inside(join(person.home, '.local/bin/keyhold'), arguments_)).stdout;
  const get = (name = 'ada') =>
    execute(join(person.home, '.local/bin/git-credential-keyhold'), ['get'], {
      env: { ...person.env, XDG_RUNTIME_DIR: runtime, KEYHOLD_NO_AUTOSTART: '1' },
      input: `protocol=https\nhost=git.invalid\nusername=${name}\n\n`,
    });
  const agentPid = async () => (JSON.parse(await keyhold('status', '--json')) as { pid: number }).pid;

  beforeAll(async () => {
    person = await aPerson();
    runtime = join(person.desk, 'run');
    mkdirSync(runtime, { mode: 0o700 });
    // No bus in this session: what keyring the machine could start is another suite's.
    const units = join(person.home, '.config/systemd/user');
    mkdirSync(units, { recursive: true });
    symlinkSync('/dev/null', join(units, 'dbus.socket'));
    before = treeOf(person.home);
    manager = spawn('unshare', ['-m', 'sh', '-c', IN_NAMESPACE, 'sh', SYSTEMD, '--user', '--log-target=null'], {
      env: { ...person.env, XDG_RUNTIME_DIR: runtime },
      stdio: 'ignore',
    });
    expect(await until(() => existsSync(join(runtime, 'systemd/private')), 20_000)).toBe(true);
    await inside(join(person.copy, 'dist/bin/keyhold'), ['install']);
  });

  afterAll(async () => {
    const ended = new Promise((resolve) => manager.once('exit', resolve));
    await systemctl('exit');
    const timer = setTimeout(() => manager.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
    await person[Symbol.asyncDispose]();
  });

  it('writes units in which systemd-analyze finds no fault', async () => {
    expect(await keyhold('setup', 'systemd', '--dry-run')).toContain('would write');
    expect(existsSync(join(person.home, '.config/systemd/user/keyhold.socket'))).toBe(false);
    await keyhold('start');
    const unmanaged = await agentPid();
    expect(await keyhold('setup', 'systemd')).toContain(`pid ${unmanaged}`);
    const units = ['keyhold.socket', 'keyhold-admin.socket', 'keyhold.service'].map((name) =>
      join(person.home, '.config/systemd/user', name),
    );
    const { stderr } = await inside('systemd-analyze', ['--user', 'verify', ...units], 'any');
    expect(stderr.split('\n').filter((line) => line.includes('keyhold'))).toEqual([]);
    expect(await systemctl('is-enabled', 'keyhold.socket')).toBe('enabled');
    expect(await systemctl('is-enabled', 'keyhold-admin.socket')).toBe('enabled');
    expect(await keyhold('setup', 'systemd')).toContain('already');
  });

  it('starts the agent when the first tool asks', async () => {
    expect(await systemctl('is-active', 'keyhold.service')).toBe('inactive');
    expect(await get()).toMatchObject({ code: 0, stdout: '' });
    await expect.poll(() => systemctl('is-active', 'keyhold.service'), { timeout: 10_000 }).toBe('active');
    expect(String(await agentPid())).toBe(await systemctl('show', '--property=MainPID', '--value', 'keyhold.service'));
    const hasAddon = existsSync(join(person.copy, 'dist/lib/keyhold.node'));
    expect(await systemctl('show', '--property=Type', '--value', 'keyhold.service')).toBe(hasAddon ? 'notify' : 'exec');
  });

  it('restarts under load without losing a request', async () => {
    const stored = await execute(join(person.home, '.local/bin/git-credential-keyhold'), ['store'], {
      env: { ...person.env, XDG_RUNTIME_DIR: runtime },
      input: 'protocol=https\nhost=git.invalid\nusername=ada\npassword=restart-EXAMPLE\n\n',
    });
    expect(stored.stderr).toBe('');
    let over = false;
    const answers: string[] = [];
    const asking = Array.from({ length: 4 }, async () => {
      for (; !over; await sleep(PACE)) answers.push((await get()).stdout);
    });
    const mainPid = () => systemctl('show', '--property=MainPID', '--value', 'keyhold.service');
    const pids = new Set([await mainPid()]);
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await keyhold('restart', '--yes');
        pids.add(await mainPid());
      }
    } finally {
      over = true;
      await Promise.all(asking);
    }
    expect(pids.size).toBe(ROUNDS + 1);
    expect(pids).toContain(String(await agentPid()));
    expect(answers.length).toBeGreaterThan(20);
    expect(answers.filter((answer) => !answer.includes('password=restart-EXAMPLE'))).toEqual([]);
  });

  it.skipIf(!hasCurl)('shows its views to the first who asks on the admin socket', async () => {
    await systemctl('stop', 'keyhold.service');
    expect(await systemctl('is-active', 'keyhold.service')).toBe('inactive');
    const view = async (path: string) => {
      const socket = join(person.home, '.local/state/keyhold/socket-folder/admin.sock');
      const args = ['-sS', '--fail', '--max-time', '30', '--unix-socket', socket, `http://localhost${path}`];
      return (await execute('curl', args, { env: person.env })).stdout;
    };
    expect(JSON.parse(await view('/health'))).toMatchObject({ version: expect.any(String) });
    expect(await systemctl('is-active', 'keyhold.service')).toBe('active');
    const tokens = await view('/tokens');
    expect(tokens).toContain('git.invalid');
    expect(tokens).not.toContain('restart-EXAMPLE');
    // The process of the views is the agent's own child, and ends with the service.
    const agent = await agentPid();
    const admin = Number(
      (await execute('pgrep', ['-P', String(agent), '-f', 'admin.cjs'], { env: person.env })).stdout.trim(),
    );
    expect(admin).toBeGreaterThan(0);
    await systemctl('restart', 'keyhold.service');
    expect(existsSync(`/proc/${admin}`)).toBe(false);
    expect(await systemctl('is-active', 'keyhold-admin.socket')).toBe('active');
  });

  it('stops for good, and starts again', async () => {
    expect(await keyhold('stop')).toContain('stopped: pid');
    expect(await systemctl('is-active', 'keyhold.socket')).toBe('inactive');
    expect(await keyhold('stop')).toContain('already stopped');
    expect(await keyhold('start')).toContain('started');
    expect(await systemctl('is-active', 'keyhold.socket')).toBe('active');
  });

  it('takes everything back', async () => {
    expect(await keyhold('setup', 'systemd', '--undo')).toContain('removed');
    expect(await systemctl('is-active', 'keyhold.socket')).toBe('inactive');
    await keyhold('uninstall', '--purge', '--yes');
    expect(treeOf(person.home)).toEqual(before);
    expect(existsSync(join(runtime, 'keyhold'))).toBe(false);
  });
});

describe.skipIf(!need('systemd-socket-activate', 'apt-get install systemd'))(
  'with a socket that somebody else opened',
  () => {
    it('answers the request that started it', async () => {
      await using person = await aPerson();
      const KEYHOLD_HOME = join(person.desk, 'k');
      const socket = join(KEYHOLD_HOME, 'run/agent.sock');
      mkdirSync(join(KEYHOLD_HOME, 'run'), { recursive: true, mode: 0o700 });
      const agent = join(person.copy, 'dist/bin/keyhold-agent');
      const activator = spawn('systemd-socket-activate', ['-l', socket, '-E', `KEYHOLD_HOME=${KEYHOLD_HOME}`, agent], {
        env: person.env,
        stdio: 'ignore',
      });
      try {
        await expect.poll(() => existsSync(socket), { timeout: 10_000 }).toBe(true);
        const { code, stdout } = await person.keyhold(['status', '--json'], { env: { KEYHOLD_HOME } });
        expect(code).toBe(0);
        // systemd-socket-activate becomes the agent, as systemd's own child does.
        expect((JSON.parse(stdout) as { pid: number }).pid).toBe(activator.pid);
        const log = join(KEYHOLD_HOME, 'state/agent.log');
        await expect.poll(() => existsSync(log), { timeout: 10_000 }).toBe(true);
        await expect.poll(() => readFileSync(log, 'utf8')).toContain('"socket":"inherited"');
      } finally {
        activator.kill('SIGTERM');
      }
    });
  },
);
