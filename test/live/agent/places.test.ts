import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { get as httpGet } from 'node:http';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { aHome, get, launchAgent, startAgent, status, store } from '../../fakes/built-agent.ts';
import { need } from '../../need.ts';

/** What an agent that must not start says, and how it ends. */
async function refusal(home: string, environment: Record<string, string> = {}): Promise<string> {
  await using agent = launchAgent({ home, environment });
  const code = await agent.ended;
  return `${code}: ${agent.stderr().trim()}`;
}

function mode(path: string): string {
  return (lstatSync(path).mode & 0o777).toString(8);
}

describe('the agent’s places', () => {
  it('are private from their first moment, whatever the umask', async () => {
    await using agent = await startAgent({ under: ['sh', '-c', 'umask 000; exec "$0"'] });
    for (const folder of ['run', 'state', 'config']) expect(mode(`${agent.home}/${folder}`)).toBe('700');
    await agent.ask(...store('a.test', 'pass-EXAMPLE'));
    await expect.poll(() => agent.log()).not.toBe('');
    for (const file of [
      'run/agent.sock',
      'state/agent.lock',
      'state/agent.holder',
      'state/agent.log',
      'state/vault.db',
      'state/vault.key',
    ]) {
      expect(`${file} ${mode(`${agent.home}/${file}`)}`).toBe(`${file} 600`);
    }
  });

  it.each([
    ['run', 0o755],
    ['run', 0o777],
    ['state', 0o750],
    ['config', 0o711],
  ] as const)('are refused when others can get into %s (%o), with the mend', async (name, bits) => {
    const home = aHome();
    mkdirSync(`${home}/${name}`, { recursive: true });
    chmodSync(`${home}/${name}`, bits);
    expect(await refusal(home)).toBe(
      `1: keyhold-agent: cannot use ${home}/${name}: others can get in; run: chmod 0700 ${home}/${name}`,
    );
  });

  it('are refused when they are a link, even to a folder of ours', async () => {
    const home = aHome();
    mkdirSync(`${home}/elsewhere`, { mode: 0o700 });
    symlinkSync('elsewhere', `${home}/run`);
    expect(await refusal(home)).toMatch(/^1: .*\/run: it is not a real folder; move it away$/);
    expect(existsSync(`${home}/elsewhere/agent.sock`)).toBe(false);
  });

  it('are refused where anybody can put another folder in their place', async () => {
    const home = aHome();
    chmodSync(home, 0o777);
    expect(await refusal(home)).toMatch(/^1: .*anybody can put another folder in its place; run: chmod o-w /);
  });

  it.skipIf(process.getuid!() !== 0)('are refused when they belong to somebody else', async () => {
    const home = aHome();
    mkdirSync(`${home}/run`, { mode: 0o700 });
    chownSync(`${home}/run`, 65_534, 65_534);
    expect(await refusal(home)).toMatch(/^1: .*it belongs to uid 65534; choose another place by KEYHOLD_HOME$/);
  });

  it('are refused when the socket’s path is too long, and when there is no home at all', async () => {
    const home = aHome();
    const long = `${home}/${'x'.repeat(100)}`;
    mkdirSync(long, { mode: 0o700 });
    expect(await refusal(home, { KEYHOLD_HOME: long })).toMatch(
      /^1: .*at most 107 bytes; choose a shorter KEYHOLD_HOME$/,
    );
    expect(await refusal(aHome(), { KEYHOLD_HOME: '' })).toMatch(/^1: keyhold-agent: cannot start: neither HOME nor/);
  });

  it('a file, or a link, where the socket should be is left alone', async () => {
    const home = aHome();
    mkdirSync(`${home}/run`, { mode: 0o700 });
    writeFileSync(`${home}/run/precious`, 'text');
    symlinkSync('precious', `${home}/run/agent.sock`);
    expect(await refusal(home)).toMatch(/agent.sock: it is not a socket; move it away$/);
    expect(lstatSync(`${home}/run/agent.sock`).isSymbolicLink()).toBe(true);
    expect(existsSync(`${home}/run/precious`)).toBe(true);
  });
});

describe('the socket', () => {
  it('of an agent that was killed is taken over, and nothing acknowledged is lost', async () => {
    await using first = await startAgent();
    expect(await first.ask(...store('a.test', 'pass-EXAMPLE'))).toBe('status=ok\n');
    first.kill('SIGKILL');
    expect(await first.ended).toBe('SIGKILL');
    expect(existsSync(first.socket)).toBe(true);
    await using second = await startAgent({ home: first.home });
    expect(await second.ask(...get('a.test'))).toContain('password=pass-EXAMPLE');
  });

  it('is removed by an agent that is told to stop', async () => {
    await using agent = await startAgent();
    expect(await agent.ask('action=stop', 'capability[]=keyhold')).toBe('status=ok\n');
    expect(await agent.ended).toBe(0);
    expect(existsSync(agent.socket)).toBe(false);
  });

  it.skipIf(!need('git', 'apt-get install git'))('of git’s own cache daemon is named and left alone', async () => {
    const home = aHome();
    mkdirSync(`${home}/run`, { mode: 0o700 });
    const path = `${home}/run/agent.sock`;
    const daemon = spawn('git', ['credential-cache--daemon', path], { stdio: ['ignore', 'pipe', 'ignore'] });
    onTestFinished(() => {
      daemon.kill('SIGKILL');
    });
    await new Promise((resolve) => daemon.stdout.once('data', resolve));
    const { ino } = statSync(path);
    expect(await refusal(home)).toMatch(/^1: .*another program listens there; see: keyhold doctor$/);
    expect({ ino: statSync(path).ino, alive: daemon.exitCode }).toEqual({ ino, alive: null });
  });

  it('of a listener that does not even accept is left alone too', async () => {
    const home = aHome();
    mkdirSync(`${home}/run`, { mode: 0o700 });
    const server = createServer().listen(`${home}/run/agent.sock`);
    onTestFinished(() => {
      server.close();
    });
    await new Promise((resolve) => server.once('listening', resolve));
    renameSync(`${home}/run/agent.sock`, `${home}/run/other.sock`);
    symlinkSync('other.sock', `${home}/run/agent.sock`);
    expect(await refusal(home)).toMatch(/it is not a socket; move it away$/);
  });

  it('belongs to exactly one of three agents that start at once', async () => {
    const home = aHome();
    // The losers wait for the winner's end for three seconds: fifty rounds are for the patient.
    const rounds = Number(process.env.KEYHOLD_TEST_ROUNDS ?? 2);
    for (let round = 0; round < rounds; round++) {
      const agents = [1, 2, 3].map(() => launchAgent({ home }));
      const running = () =>
        Promise.race([...agents.map(({ ended }) => ended.then(() => 'ended')), Promise.resolve('on')]);
      expect(await running()).toBe('on');
      const codes: (number | string)[] = [];
      for (const { ended } of agents) void ended.then((code) => codes.push(code));
      await expect.poll(() => codes.length, { timeout: 15_000, interval: 20 }).toBe(2);
      expect(codes).toEqual([0, 0]);
      await expect.poll(() => agents[0]!.ask(...status).catch(() => ''), { timeout: 5_000 }).toContain('status=ok');
      const pid = Number(/^pid=(\d+)$/m.exec(await agents[0]!.ask(...status))![1]);
      expect(agents.map((agent) => agent.pid)).toContain(pid);
      for (const agent of agents) agent.kill('SIGKILL');
      await Promise.all(agents.map(({ ended }) => ended));
    }
  }, 240_000);
});

const isMask = (line: string) => line.includes('umask(');

describe.skipIf(!need('strace', 'apt-get install strace'))('the order of system calls', () => {
  it('narrows the umask before the socket is bound, and never widens it', async () => {
    const home = aHome();
    const trace = `${home}/trace`;
    await using agent = await startAgent({
      home,
      under: ['strace', '-f', '-e', 'trace=umask,bind,chmod,fchmod', '-o', trace],
    });
    await agent.ask('action=stop', 'capability[]=keyhold');
    await agent.ended;
    const { readFileSync } = await import('node:fs');
    // strace shows the arguments of the agent, which is not dumpable, to root alone; 110 is the size of a sockaddr_un.
    const calls = readFileSync(trace, 'utf8').split('\n');
    const masks = calls.flatMap((line) => /umask\((\d+)\)/.exec(line)?.[1] ?? []);
    expect(new Set(masks)).toEqual(new Set(['077', '0177']));
    const inForce = calls.map((_, at) => /umask\((\d+)\)/.exec(calls.slice(0, at).findLast(isMask) ?? '')?.[1]);
    const binds = calls.flatMap((line, at) => (/ bind\(.*, 110\)/.test(line) ? inForce[at] : []));
    expect(binds.length).toBeGreaterThan(0);
    expect(new Set(binds)).toEqual(new Set(['0177']));
    const changed = calls.flatMap((line, at) => (/chmod/.test(line) && inForce[at] === '0177' ? line : []));
    expect(changed).toEqual([]);
    expect(calls.some((line) => /chmod\(.*(agent\.sock|\.new)/.test(line))).toBe(false);
  });
});

describe('an inherited socket', () => {
  const activate = need('systemd-socket-activate', 'apt-get install systemd');

  it.skipIf(!activate)('is served, and left where it is by stop', async () => {
    const home = aHome();
    mkdirSync(`${home}/run`, { mode: 0o700 });
    const socket = `${home}/run/agent.sock`;
    await using agent = launchAgent({
      home,
      under: [
        'systemd-socket-activate',
        `--setenv=KEYHOLD_HOME=${home}`,
        `--setenv=PATH=${process.env.PATH}`,
        '-l',
        socket,
      ],
    });
    await expect.poll(() => existsSync(socket), { timeout: 5_000 }).toBe(true);
    expect(await agent.ask(...status)).toContain('status=ok');
    await expect.poll(() => agent.log()).toContain('"socket":"inherited"');
    await agent.ask('action=stop', 'capability[]=keyhold');
    expect(await agent.ended).toBe(0);
    expect(existsSync(socket)).toBe(true);
  });

  it('meant for another process is not believed', async () => {
    await using agent = await startAgent({ environment: { LISTEN_PID: '1', LISTEN_FDS: '1' } });
    await expect.poll(() => agent.log()).toContain('"socket":"own"');
  });

  it.skipIf(!activate)('of each purpose is told by its name, in whatever order they come', async () => {
    const home = aHome();
    mkdirSync(`${home}/run`, { mode: 0o700 });
    const sockets = ['admin.sock', 'agent.sock'].map((name) => `${home}/run/${name}`);
    await using agent = launchAgent({
      home,
      under: [
        'systemd-socket-activate',
        `--setenv=KEYHOLD_HOME=${home}`,
        `--setenv=PATH=${process.env.PATH}`,
        '--fdname=admin:agent',
        ...sockets.flatMap((socket) => ['-l', socket]),
      ],
    });
    await expect.poll(() => existsSync(sockets[1]!), { timeout: 5_000 }).toBe(true);
    expect(await agent.ask(...status)).toContain('status=ok');
    const answered = new Promise((resolve) => httpGet({ socketPath: sockets[0]!, path: '/health' }, resolve));
    expect(await answered).toMatchObject({ statusCode: 200 });
    await agent.ask('action=stop', 'capability[]=keyhold');
    expect(await agent.ended).toBe(0);
    expect(sockets.map((socket) => existsSync(socket))).toEqual([true, true]);
  });

  it.each([
    ['three descriptors', 'LISTEN_FDS=3', '/dev/null'],
    ['a file', 'LISTEN_FDS=1', '/dev/null'],
    ['nothing at all', 'LISTEN_FDS=1', '&-'],
  ])('that is %s is refused', async (_, variable, third) => {
    await using agent = launchAgent({
      under: ['sh', '-c', `LISTEN_PID=$$ ${variable} exec "$0" 3<${third}`],
    });
    expect(await agent.ended).toBe(1);
    expect(agent.stderr()).toMatch(/^keyhold-agent: cannot take the inherited sockets: .*systemd\/README\.md\n$/);
  });
});

it('serves without a log that it cannot have, and says so', async () => {
  const home = aHome();
  mkdirSync(`${home}/state/agent.log`, { recursive: true, mode: 0o700 });
  await using agent = await startAgent({ home });
  await expect.poll(() => agent.ask(...status)).toContain('"code":"no-log"');
  expect(await agent.ask(...store('a.test', 'pass-EXAMPLE'))).toBe('status=ok\n');
  agent.kill('SIGTERM');
  expect(await agent.ended).toBe(0);
});
