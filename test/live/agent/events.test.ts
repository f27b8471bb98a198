import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { watch } from '../../../client/watch.ts';
import type { KeyholdEvent } from '../../../protocol/events.ts';
import { execute } from '../../execute.ts';
import {
  aHome,
  BUILT,
  type BuiltAgent,
  configure,
  DIST,
  get,
  startAgent,
  status,
  store,
} from '../../fakes/built-agent.ts';
import { scanMemory } from '../../fakes/scan-memory.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';

const ROOT = join(import.meta.dirname, '../../..');
const CANARY = 'c4n4ry-events-52be-EXAMPLE';
const isRoot = process.getuid!() === 0;
const socketOf = ({ home }: { home: string }) => `${home}/run/events.sock`;

/** Pids of the events processes of an agent. */
function eventsPids(agent: BuiltAgent): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^[0-9]+$/.test(name)) return [];
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0');
      const isIt = words.some((word) => word.endsWith('/events.cjs')) && words.includes(socketOf(agent));
      return isIt ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Resident memory in KiB (proc(5), VmRSS). */
function resident(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]);
}

/** Somebody who listens until the test is over, and what they heard. */
async function listener(agent: BuiltAgent) {
  const stop = new AbortController();
  const heard: KeyholdEvent[] = [];
  const over = (async () => {
    for await (const event of watch({ socket: socketOf(agent), signal: stop.signal })) heard.push(event);
  })();
  const end = async () => {
    stop.abort();
    await over;
  };
  onTestFinished(end);
  await expect.poll(() => heard.length).toBeGreaterThan(0);
  return { heard, end, names: () => heard.map(({ event }) => event) };
}

/** A bare connection, which reads if it is told to. */
function open(agent: BuiltAgent, bytes?: string): Promise<Socket & { closed: boolean }> {
  return new Promise((resolve) => {
    const socket = connect(socketOf(agent));
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    socket.on('connect', () => {
      if (bytes !== undefined) socket.write(bytes, 'latin1');
      resolve(socket as Socket & { closed: boolean });
    });
  });
}

const erase = (host: string) => ['action=erase', 'capability[]=keyhold', 'protocol=https', `host=${host}`];

describe('events.sock', () => {
  let agent: BuiltAgent;
  let remove: () => void;

  beforeAll(async () => {
    const folder = temporaryFolder('events');
    remove = folder.remove;
    configure(folder.path, { backend: 'memory', events: { lead: 60 } });
    agent = await startAgent({ home: folder.path });
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    remove();
  });

  it('is there from the start, for its user alone, and no process behind it', async () => {
    expect(statSync(socketOf(agent)).mode & 0o777).toBe(0o600);
    await agent.ask(...store('unheard.test', 'pass-EXAMPLE'));
    expect(eventsPids(agent)).toEqual([]);
  });

  it('tells what happens from hello on, by ids and times, and nothing else', async () => {
    const { heard, names } = await listener(agent);
    await agent.ask(...store('a.test', 'one-EXAMPLE'));
    await agent.ask(...store('a.test', 'one-EXAMPLE'));
    await agent.ask(...store('a.test', 'two-EXAMPLE'));
    const soon = Math.floor(Date.now() / 1_000) + 61;
    await agent.ask(...store('b.test', CANARY), `password_expiry_utc=${soon}`);
    await expect.poll(names).toContain('expiring');
    await agent.ask(...erase('a.test'));
    const { id } = heard.find((one) => one.event === 'expiring') as { id: string };
    await agent.ask('action=bury', 'capability[]=keyhold', `id=${id}`);
    await agent.ask('action=lock', 'capability[]=keyhold');
    await agent.ask('action=unlock', 'capability[]=keyhold');
    await expect
      .poll(names)
      .toEqual(
        expect.arrayContaining(['hello', 'stored', 'rotated', 'expiring', 'erased', 'revoked', 'locked', 'unlocked']),
      );
    // A second store of the same is no news, but where nothing rests anywhere.
    const once = names().filter((name, index) => name !== names()[index - 1]);
    expect(once).toEqual([
      'hello',
      'stored',
      'rotated',
      'stored',
      'expiring',
      'erased',
      'revoked',
      'locked',
      'unlocked',
    ]);
    const [kept, replaced] = [
      heard.find((one) => one.event === 'stored'),
      heard.find((one) => one.event === 'rotated'),
    ];
    expect((kept as { id: string }).id).toBe((replaced as { id: string }).id);
    expect(heard.find((one) => one.event === 'expiring')).toMatchObject({ expiresAt: soon });
    for (const one of heard) {
      expect(Object.keys(one).filter((key) => !['event', 'at', 'id', 'expiresAt'].includes(key))).toEqual([]);
    }
  });

  it.skipIf(!isRoot)('keeps no value in its process', async () => {
    const { heard } = await listener(agent);
    await agent.ask(...store('c.test', CANARY));
    await agent.ask(...get('c.test'));
    await expect.poll(() => heard.length).toBeGreaterThan(1);
    const { id } = heard.at(-1) as { id: string };
    const [pid] = eventsPids(agent);
    // The control: what it was told is found.
    expect(scanMemory(pid!, id)['utf8']).toBeGreaterThan(0);
    for (const secret of [CANARY, 'c.test']) {
      expect(Object.values(scanMemory(pid!, secret)).reduce((sum, count) => sum + count, 0)).toBe(0);
    }
  });

  it('goes on for everybody else while others do not read, send rubbish, or come by the hundred', async () => {
    const good = await listener(agent);
    const [pid] = eventsPids(agent);
    const silent = await open(agent);
    silent.pause();
    const hostile = await Promise.all(
      [
        'null\f',
        '{"data":1}\f',
        '[]\f',
        '{"type":"start","data":{}}\f',
        '{"type":"error","data":{}}\f',
        '{"type":"__proto__","data":{}}\f',
        '{"type":"exploded","data":{}}\f',
        '\xff\xfe\f',
        `{"type":"${'x'.repeat(300)}"}\f`,
        'x'.repeat(65_536),
        `${'['.repeat(100_000)}\f`,
      ].map((bytes) => open(agent, bytes)),
    );
    for (const socket of hostile) socket.resume();
    await expect.poll(() => hostile.filter(({ closed }) => !closed).length).toBe(0);
    // What is an event may be said, and is heard by nobody.
    const polite = await open(agent, '{"type":"stored","data":{"at":1,"id":"forged"}}\f');
    polite.resume();

    const crowd = await Promise.all(Array.from({ length: 200 }, () => open(agent)));
    for (const socket of crowd) socket.resume();
    // 100 at once: the good one, the silent one, the polite one, and 97 of these at most.
    await expect.poll(() => crowd.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(103);
    expect(crowd.some(({ closed }) => !closed)).toBe(true);
    for (const socket of crowd) socket.destroy();

    const before = good.heard.length;
    await agent.ask(...store('d.test', 'pass-EXAMPLE'));
    await expect.poll(() => good.heard.length).toBe(before + 1);
    expect(good.heard.some((one) => 'id' in one && one.id === 'forged')).toBe(false);
    expect(eventsPids(agent)).toEqual([pid]);
    expect(polite.closed).toBe(false);
    expect(silent.closed).toBe(false);
  });

  it('drops who does not read, and loses nothing for who does', async () => {
    const good = await listener(agent);
    const [pid] = eventsPids(agent);
    const silent = await open(agent);
    silent.pause();
    const before = resident(pid!);
    const one = connect(agent.socket);
    onTestFinished(() => void one.destroy());
    one.resume();
    // Two values in turn, so that each store is an event of some 90 bytes.
    const many = 9_000;
    const lines = (value: number) => `${store('e.test', `v${value % 2}-EXAMPLE`).join('\n')}\n\n`;
    for (let sent = 0; sent < many; sent += 500) {
      one.write(Array.from({ length: 500 }, (_, index) => lines(sent + index)).join(''));
      await expect.poll(() => good.heard.length, { timeout: 20_000 }).toBe(1 + sent + 500);
    }
    let length = 0;
    silent.on('data', (bytes) => {
      length += bytes.length;
    });
    silent.resume();
    await expect.poll(() => silent.closed).toBe(true);
    expect(length).toBeLessThan(many * 80);
    expect(eventsPids(agent)).toEqual([pid]);
    expect(resident(pid!) - before).toBeLessThan(50_000);
  }, 60_000);

  it('survives a kill of its process: the agent serves, and who listens is told again', async () => {
    const { names } = await listener(agent);
    const [pid] = eventsPids(agent);
    process.kill(pid!, 'SIGKILL');
    await agent.ask(...store('f.test', 'pass-EXAMPLE'));
    expect(await agent.ask(...get('f.test'))).toContain('pass-EXAMPLE');
    await expect.poll(() => names().filter((name) => name === 'hello').length).toBe(2);
    await agent.ask(...store('g.test', 'pass-EXAMPLE'));
    await expect.poll(names).toEqual(['hello', 'hello', 'stored']);
    expect(eventsPids(agent)).not.toContain(pid);
  });

  it('ends its process when nobody listens any more', async () => {
    const { end } = await listener(agent);
    expect(eventsPids(agent)).toHaveLength(1);
    await end();
    await expect.poll(() => eventsPids(agent), { timeout: 20_000 }).toEqual([]);
    expect(await agent.ask(...status)).toContain('status=ok');
  });
});

describe('who follows the events', () => {
  let agent: BuiltAgent;
  let env: Record<string, string | undefined>;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    const folder = temporaryFolder('events');
    configure(folder.path, { backend: 'memory' });
    agent = await startAgent({ home: folder.path });
    env = {
      PATH: process.env['PATH'],
      HOME: agent.home,
      KEYHOLD_HOME: agent.home,
      KEYHOLD_NO_AUTOSTART: '1',
      TZ: 'UTC',
    };
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await agent[Symbol.asyncDispose]();
    rmSync(agent.home, { recursive: true, force: true, maxRetries: 5 });
  });

  /** A program that runs until the test is over, and what it has printed. */
  function start(program: string, ...args: string[]) {
    const child = spawn(program, args, { env, cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        said += text;
      });
    }
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    return { child, ended, said: () => said };
  }

  it('keyhold watch names the tokens, and ends by ctrl-C with 0', async () => {
    await agent.ask(...store('a.test', 'one-EXAMPLE'));
    const page = start(`${DIST}/bin/keyhold`, 'watch', '--event', 'rotated', '--event', 'erased');
    const json = start(`${DIST}/bin/keyhold`, 'watch', '--json');
    await expect.poll(json.said).toContain('"hello"');
    let value = 0;
    await expect
      .poll(async () => {
        await agent.ask(...store('a.test', `${value++}-EXAMPLE`));
        return page.said();
      })
      .toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d {2}rotated {4}ada@a\.test$/m);
    await agent.ask(...erase('a.test'));
    await expect.poll(page.said).toMatch(/erased {5}ada@a\.test/);
    await expect.poll(json.said).toContain('"erased"');
    const lines = json.said().trim().split('\n');
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ event: expect.any(String), at: expect.any(Number) });
    expect(page.said()).not.toMatch(/stored|hello|EXAMPLE/);
    for (const { child, ended } of [page, json]) {
      child.kill('SIGINT');
      expect(await ended).toBe(0);
    }
  });

  it('keyhold watch takes no event that there is none of', async () => {
    const { code, stderr } = await execute(`${DIST}/bin/keyhold`, ['watch', '--event', 'exploded'], {
      env,
      expect: 'any',
    });
    expect(code).toBe(2);
    expect(stderr).toContain('an event is one of stored, rotated');
  });

  it('examples/follow-token.ts keeps a file in step, over a restart of the agent', async () => {
    const file = join(agent.home, 'token');
    await agent.ask(...store('job.test', 'one-EXAMPLE'));
    const job = start(process.execPath, join(ROOT, 'examples/follow-token.ts'), 'job.test', file);
    const content = () => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);
    await expect.poll(content).toBe('one-EXAMPLE');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await agent.ask(...store('job.test', 'two-EXAMPLE'));
    await expect.poll(content).toBe('two-EXAMPLE');
    await agent.ask(...erase('job.test'));
    await expect.poll(content).toBeUndefined();

    const { ino } = statSync(socketOf(agent));
    const pidOf = async () => Number(/^pid=(\d+)$/m.exec(await agent.ask(...status))?.[1]);
    expect(await agent.ask('action=restart', 'capability[]=keyhold')).toBe('status=ok\n');
    await expect.poll(pidOf).not.toBe(agent.pid);
    const next = await pidOf();
    onTestFinished(() => {
      try {
        process.kill(next, 'SIGKILL');
      } catch {
        // It has ended.
      }
    });
    expect(await agent.ended).toBe(0);
    expect(statSync(socketOf(agent)).ino).toBe(ino);
    await agent.ask(...store('job.test', 'three-EXAMPLE'));
    await expect.poll(content).toBe('three-EXAMPLE');
    job.child.kill('SIGTERM');
    await job.ended;
    expect(job.said()).not.toContain('EXAMPLE');
  });

  it('the TypeScript program of docs/events.md asks again when the token was rotated', async () => {
    await using other = await startAgent({ home: aHome('memory') });
    const page = readFileSync(join(ROOT, 'docs/events.md'), 'utf8').split('\n```ts\n');
    expect(page).toHaveLength(2);
    const library = pathToFileURL(join(ROOT, 'client/index.ts')).href;
    const program = join(other.home, 'events.ts');
    writeFileSync(program, page[1]!.split('\n```')[0]!.replace(`'keyhold'`, `'${library}'`));
    env = { ...env, KEYHOLD_HOME: other.home };
    const job = start(process.execPath, program);
    await expect.poll(job.said).toMatch(/^hello \d+ not-found\n$/);
    for (const value of ['one-EXAMPLE', 'two-EXAMPLE']) await other.ask(...store('git.example', value));
    await expect.poll(job.said).toMatch(/\nrotated \d+ ok\n$/);
    job.child.kill('SIGTERM');
    await job.ended;
  });

  it('the Python program of docs/events.md prints what happens', async () => {
    await using other = await startAgent({ home: aHome('memory') });
    const page = readFileSync(join(ROOT, 'docs/events.md'), 'utf8').split('\n```python\n');
    expect(page).toHaveLength(2);
    const program = join(other.home, 'events.py');
    writeFileSync(program, page[1]!.split('\n```')[0]!);
    env = { ...env, KEYHOLD_HOME: other.home };
    const python = start('python3', program);
    await expect.poll(python.said).toBe('hello -\n');
    await other.ask(...store('a.test', 'pass-EXAMPLE'));
    await expect.poll(python.said).toMatch(/^hello -\nstored [0-9a-f]{20}\n$/);
    await other.ask('action=lock', 'capability[]=keyhold');
    await expect.poll(python.said).toMatch(/\nlocked -\n$/);
    python.child.kill('SIGTERM');
    await python.ended;
    chmodSync(`${other.home}/run`, 0o755);
    const refused = start('python3', program);
    expect(await refused.ended).toBe(1);
    expect(refused.said()).toContain('it is not yours alone');
    chmodSync(`${other.home}/run`, 0o700);
  });
});

describe.skipIf(!isRoot || !BUILT.addon || !need('runuser', 'apt-get install util-linux'))(
  'another user at events.sock',
  () => {
    it('hears nothing and starts no process, even where the folders let them in', async () => {
      await using agent = await startAgent({ home: aHome('memory') });
      for (const folder of [agent.home, `${agent.home}/run`]) chmodSync(folder, 0o755);
      chmodSync(socketOf(agent), 0o666);
      const program = 'import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);print(s.recv(99))';
      const args = ['-u', 'nobody', '--', 'python3', '-c', program, socketOf(agent)];
      const { stdout } = await execute('runuser', args, { env: { PATH: process.env['PATH'] }, expect: 'any' });
      expect(stdout).toBe("b''\n");
      expect(eventsPids(agent)).toEqual([]);
    });
  },
);
