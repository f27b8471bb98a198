import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../client/agent/until.ts';
import { folderHash } from '../../../protocol/places.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';
import { aMachine, canMakeMachine, type Machine } from '../machine.ts';
import { aPerson, type Person, PLAIN_UID } from '../person.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** The last commit of version 0.1, whose agent chose its place by XDG_RUNTIME_DIR. */
const VERSION_0_1 = '80b101b';

const isPossible = need('unshare', 'apt-get install util-linux') && canMakeMachine();

describe.skipIf(!isPossible)('sessions of one user with different environments', () => {
  let machine: Machine;
  let person: Person;
  let helper: string;
  let state: string;

  const lines = (host: string, more = '') => `protocol=https\nhost=${host}\nusername=ada\n${more}\n`;
  const get = async (env: Record<string, string> = {}, host = 'git.invalid') =>
    (await person.run(helper, ['get'], { input: lines(host), env })).stdout;
  const store = (env: Record<string, string> = {}, ...options: string[]) =>
    person.run(helper, [...options, 'store'], { input: lines('git.invalid', 'password=session-EXAMPLE\n'), env });
  const pidIn = async (env: Record<string, string> = {}) => {
    const { stdout } = await person.keyhold(['status', '--json'], { env: { KEYHOLD_NO_AUTOSTART: '1', ...env } });
    return (JSON.parse(stdout) as { pid: number }).pid;
  };
  const linked = () => readlinkSync(join(state, 'socket-folder'));
  const runtime = `/run/user/${PLAIN_UID}`;
  const desktop = { XDG_RUNTIME_DIR: runtime };

  beforeEach(async () => {
    machine = await aMachine();
    person = await aPerson({ plain: true, under: machine.enter });
    machine.addUser(PLAIN_UID, person.home);
    helper = join(person.home, '.local/bin/git-credential-keyhold');
    state = join(person.home, '.local/state/keyhold');
    await person.keyhold(['install']);
  });
  afterEach(async () => {
    await person[Symbol.asyncDispose]();
    await machine[Symbol.asyncDispose]();
  });

  it('share one agent: cron or ssh first, the desktop later', async () => {
    await store();
    expect(linked()).toBe(join(state, 'run'));
    const pid = await pidIn();
    await machine.login(PLAIN_UID);
    expect(await get(desktop)).toContain('session-EXAMPLE');
    expect(await pidIn(desktop)).toBe(pid);
    // One that starts now goes to the runtime folder, and a session without the variable finds it there.
    expect((await person.keyhold(['restart', '--yes'], { env: desktop })).stdout).toContain('restarted');
    expect(linked()).toBe(`${runtime}/keyhold`);
    expect(await pidIn()).toBe(await pidIn(desktop));
    expect(await get()).toContain('session-EXAMPLE');
  });

  it('share one agent: su that keeps the other user’s variable, and values that lead nowhere', async () => {
    await machine.login(PLAIN_UID);
    await machine.login(4_711);
    await store(desktop);
    const pid = await pidIn(desktop);
    for (const XDG_RUNTIME_DIR of ['/run/user/4711', '/tmp/podman-run-1000', '/nonexistent', 'relative', '']) {
      const env = { XDG_RUNTIME_DIR };
      expect(await get(env)).toContain('session-EXAMPLE');
      expect(await pidIn(env)).toBe(pid);
    }
    // Nor does it choose where an agent starts.
    await person.keyhold(['stop']);
    await store({ XDG_RUNTIME_DIR: '/run/user/4711' });
    expect(linked()).toBe(`${runtime}/keyhold`);
    expect(await pidIn()).toBe(await pidIn(desktop));
  });

  it('keep their agent and its memory when the runtime folder vanishes and comes back', async () => {
    await machine.login(PLAIN_UID);
    await store(desktop, '--timeout=600');
    const pid = await pidIn(desktop);
    await machine.logout(PLAIN_UID);
    await expect.poll(linked).toBe(join(state, 'run'));
    const began = performance.now();
    expect(await get(desktop)).toContain('session-EXAMPLE');
    expect(performance.now() - began).toBeLessThan(3_000);
    await machine.login(PLAIN_UID);
    expect(await get(desktop)).toContain('session-EXAMPLE');
    expect(await pidIn(desktop)).toBe(pid);
  });

  it('say which agent holds the lock, and where its sockets are', async () => {
    await machine.login(PLAIN_UID);
    await store(desktop);
    const pid = await pidIn(desktop);
    const agent = join(person.home, '.local/bin/keyhold-agent');
    const { code, stderr } = await person.run(agent, [], { env: { XDG_RUNTIME_DIR: '/nonexistent' }, expect: 'any' });
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `keyhold-agent: cannot start: another agent serves these folders: pid ${pid}, with its sockets in ${runtime}/keyhold; see: keyhold status\n`,
    });
  });

  it('of two HOMEs have an agent each, at once and in one runtime folder', async () => {
    await machine.login(PLAIN_UID);
    const other = join(person.desk, 'other');
    const env = { ...desktop, HOME: other };
    await person.run('mkdir', ['-m', '700', other]);
    const keyhold = join(person.copy, 'dist/bin/keyhold');
    await person.run(keyhold, ['start'], { env });
    try {
      await store(desktop);
      const { stdout } = await person.run(keyhold, ['status', '--json'], { env });
      const status = JSON.parse(stdout) as { pid: number; socket: string };
      expect(status.socket).toBe(`${runtime}/keyhold/d.${folderHash(`${other}/.local/state/keyhold`)}/agent.sock`);
      expect(status.pid).not.toBe(await pidIn(desktop));
      expect(await get(desktop)).toContain('session-EXAMPLE');
      expect(await get(env)).toBe('');
      // The end of one leaves the other alone.
      await person.keyhold(['stop'], { env: desktop });
      expect((await person.run(keyhold, ['status', '--json'], { env })).stdout).toContain(`"pid": ${status.pid}`);
    } finally {
      await person.run(keyhold, ['stop'], { env, expect: 'any' });
    }
  });
});

describe.skipIf(!isPossible || !hasVersion01())('an upgrade from a running agent of version 0.1', () => {
  const old = temporaryFolder('version-0-1');
  beforeAll(() => build01(old.path));
  afterAll(() => old.remove());

  it.each([
    ['a place of XDG_RUNTIME_DIR that no client looks at any more', '/run/user/1000/old'],
    ['the place where clients look today', '/run/user/1000'],
  ])('in %s goes on in the new place', async (_, XDG_RUNTIME_DIR) => {
    await using machine = await aMachine();
    await using person = await aPerson({ plain: true, under: machine.enter });
    machine.addUser(PLAIN_UID, person.home);
    await machine.login(PLAIN_UID);
    await person.run('mkdir', ['-p', '-m', '700', XDG_RUNTIME_DIR]);
    const env = { XDG_RUNTIME_DIR };
    const helper = join(person.home, '.local/bin/git-credential-keyhold');
    const input = 'protocol=https\nhost=git.invalid\nusername=ada\n';
    await person.run(join(old.path, 'dist/bin/keyhold'), ['install'], { env });
    await person.run(helper, ['store'], { input: `${input}password=former-EXAMPLE\n\n`, env });
    const { stdout } = await person.run(join(old.path, 'dist/bin/keyhold'), ['status', '--json'], { env });
    const { pid, socket } = JSON.parse(stdout) as { pid: number; socket: string };
    expect(socket).toBe(`${XDG_RUNTIME_DIR}/keyhold/agent.sock`);

    await person.run(join(person.copy, 'dist/bin/keyhold'), ['install']);
    expect((await person.run(helper, ['get'], { input: `${input}\n` })).stdout).toContain('former-EXAMPLE');
    expect((await person.run(helper, ['get'], { input: `${input}\n`, env })).stdout).toContain('former-EXAMPLE');
    expect(await until(() => !existsSync(`/proc/${pid}/exe`), 10_000)).toBe(true);
    expect(await person.agentPid()).not.toBe(pid);
    expect(readlinkSync(join(person.home, '.local/state/keyhold/socket-folder'))).toBe('/run/user/1000/keyhold');
    const listening = readFileSync('/proc/net/unix', 'latin1')
      .split('\n')
      .filter((line) => line.includes(' 00010000 '));
    expect(listening.filter((line) => line.includes('/run/user/1000/old/'))).toEqual([]);
  });

  it('ends it when it is told to stop', async () => {
    await using machine = await aMachine();
    await using person = await aPerson({ plain: true, under: machine.enter });
    await machine.login(PLAIN_UID);
    const env = { XDG_RUNTIME_DIR: '/run/user/1000' };
    const { stdout } = await person.run(join(old.path, 'dist/bin/keyhold'), ['start', '--json'], { env });
    const { pid } = JSON.parse(stdout) as { pid: number };
    // The home of this uid is none of the password database: the new place is another one.
    expect((await person.keyhold(['stop'])).stdout).toBe(`stopped: pid ${pid}\n`);
  });
});

/** Whether the clone has the commit: a shallow one may not. */
function hasVersion01(): boolean {
  const { status } = spawnSync('git', ['cat-file', '-e', `${VERSION_0_1}^{commit}`], { cwd: ROOT });
  if (status === 0) return true;
  if (process.env['CI'] === 'true')
    throw new Error(`commit ${VERSION_0_1} is missing; get it by: git fetch --unshallow`);
  console.warn(`skipped: commit ${VERSION_0_1} is missing; get it by: git fetch --unshallow`);
  return false;
}

/** Builds version 0.1 from the repository's history into `folder`. */
function build01(folder: string): void {
  const shell = (command: string, cwd: string) => {
    const { status, stderr } = spawnSync('sh', ['-ec', command], { cwd, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command}: ${stderr}`);
  };
  shell(`git archive ${VERSION_0_1} | tar -x -C '${folder}'`, ROOT);
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  shell(`'${process.execPath}' scripts/build.ts`, folder);
  // Users may run it from there: it needs no other file, and Node in its own folder.
  rmSync(join(folder, 'node_modules'));
  const node = join(folder, `node_modules/node-linux-${process.arch}/bin`);
  mkdirSync(node, { recursive: true });
  cpSync(process.execPath, join(node, 'node'));
  shell('chmod -R a+rX .', folder);
}
