import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { execute } from '../../execute.ts';
import { aHome, BUILT, type BuiltAgent, configure, get, startAgent, status, store } from '../../fakes/built-agent.ts';
import { scanMemory } from '../../fakes/scan-memory.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';

const CANARY = 'c4n4ry-admin-71f0-EXAMPLE';
const isRoot = process.getuid!() === 0;
const hasCurl = need('curl', 'apt-get install curl');
const env = { PATH: process.env['PATH'] };

const socketOf = ({ home }: { home: string }) => `${home}/run/admin.sock`;

/** curl over admin.sock: the HTTP status and the body. */
async function curl(agent: { home: string }, path: string, ...more: string[]) {
  const args = ['-sS', '--max-time', '15', '-w', '\n%{http_code}', '--unix-socket', socketOf(agent), ...more];
  const { stdout } = await execute('curl', [...args, `http://localhost${path}`], { env, expect: 'any' });
  const at = stdout.lastIndexOf('\n');
  return { code: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) };
}

/** Bytes as they are; all that comes back until the close. */
function raw(agent: { home: string }, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(socketOf(agent));
    let text = '';
    socket.setEncoding('latin1').on('data', (more) => {
      text += more;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
    socket.write(bytes);
  });
}

/** Pids of the admin processes of an agent. */
function adminPids({ socket }: BuiltAgent): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^[0-9]+$/.test(name)) return [];
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0');
      return words.some((word) => word.endsWith('/admin.cjs')) && words.includes(socket) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

describe.skipIf(!hasCurl)('admin.sock', () => {
  let agent: BuiltAgent;
  let remove: () => void;
  let crowded: BuiltAgent;
  let slow: Promise<number>;

  beforeAll(async () => {
    const folder = temporaryFolder('admin');
    remove = folder.remove;
    configure(folder.path, { backend: 'vault', admin: { idle: 1 } });
    agent = await startAgent({ home: folder.path });
    await agent.ask(...store('a.test', CANARY));
    await agent.ask(...get('a.test'));
    // They take their time while the other tests run.
    const other = temporaryFolder('admin');
    configure(other.path, { backend: 'memory' });
    crowded = await startAgent({ home: other.path });
    const began = performance.now();
    const all = Array.from({ length: 60 }, () => raw(crowded, 'GET /tokens HTTP/1.1\r\nHost: local'));
    slow = Promise.all(all).then(() => performance.now() - began);
    expect((await curl(crowded, '/health')).code).toBe(200);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await crowded[Symbol.asyncDispose]();
    remove();
    rmSync(crowded.home, { recursive: true, force: true, maxRetries: 5 });
  });

  it('is there from the start, for its user alone, and no process behind it', async () => {
    expect(statSync(socketOf(agent)).mode & 0o777).toBe(0o600);
    expect(adminPids(agent)).toEqual([]);
    expect(await agent.ask(...status)).toContain('admin=waits\n');
  });

  it('starts its process for the first question, ends it when nobody asks, and starts it again', async () => {
    const asked = await Promise.all(Array.from({ length: 8 }, () => curl(agent, '/health')));
    expect(asked.map(({ code }) => code)).toEqual(Array(8).fill(200));
    expect(JSON.parse(asked[0]!.body)).toMatchObject({ state: 'open', backend: 'vault', held: 1 });
    const [first, ...more] = adminPids(agent);
    expect(more).toEqual([]);
    expect(await agent.ask(...status)).toContain('admin=up\n');
    await expect.poll(() => adminPids(agent)).toEqual([]);
    expect(await agent.ask(...status)).toContain('admin=waits\n');
    expect((await curl(agent, '/health')).code).toBe(200);
    expect(adminPids(agent)).not.toEqual([first]);
  });

  it('loses no question to a process that is just ending', async () => {
    for (let time = 0; time < 4; time++) {
      expect((await curl(agent, '/health')).code).toBe(200);
      await sleep(985 + 10 * time);
    }
  });

  it('shows tokens, use, the audit log and metrics, and the value of none anywhere', async () => {
    const bodies: string[] = [];
    const view = async (path: string) => {
      const { code, body } = await curl(agent, path);
      bodies.push(body);
      expect(code, path).toBe(200);
      return body;
    };
    const { tokens } = JSON.parse(await view('/tokens'));
    expect(tokens).toMatchObject([{ protocol: 'https', host: 'a.test', username: 'ada', uses: 1 }]);
    const { id } = tokens[0];
    expect(JSON.parse(await view('/usage')).usage).toMatchObject([{ credential: id, count: 1 }]);
    const today = new Date().toISOString().slice(0, 10);
    const use = JSON.parse(await view(`/usage/${id}`));
    expect(use).toMatchObject({ tools: { wire: 1 }, days: { [today]: 1 } });
    if (BUILT.addon) expect(use.programs).toEqual({ [process.execPath]: 1 });
    const { entries, head } = JSON.parse(await view('/audit?after=0&limit=1'));
    expect(entries).toMatchObject([{ number: 1, action: 'store', credential: id }]);
    expect(head.number).toBeGreaterThanOrEqual(2);
    expect(JSON.parse(await view('/audit?action=first-use')).entries).toMatchObject([{ tool: 'wire', outcome: 'ok' }]);
    const metrics = await view('/metrics');
    expect(metrics).toContain('keyhold_requests_total{action="get",tool="wire",status="ok"} 1\n');
    expect(metrics).toContain('keyhold_requests_total{action="store",tool="wire",status="ok"} 1\n');
    expect(metrics).toMatch(/keyhold_backend_duration_seconds_count\{call="put",outcome="ok"\} [1-9]/);
    expect(metrics).toContain('keyhold_credentials_held 1\n');
    expect(metrics).toContain('keyhold_request_duration_seconds_count{action="get"} 1\n');
    expect(JSON.parse(await view('/tokens/deleted')).deleted).toEqual([]);
    await agent.ask(...store('dead.test', CANARY));
    const { tokens: both } = JSON.parse(await view('/tokens'));
    const dead = both.find(({ host }: { host: string }) => host === 'dead.test').id;
    await agent.ask('action=bury', 'capability[]=keyhold', `id=${dead}`, 'reason=leaked');
    const { deleted } = JSON.parse(await view('/tokens/deleted'));
    expect(deleted).toMatchObject([{ id: dead, host: 'dead.test', reason: 'leaked' }]);
    expect(JSON.parse(await view('/openapi.json')).openapi).toBe('3.1.0');
    for (const path of ['/nothing', '/usage/none', '/audit?limit=x']) bodies.push((await curl(agent, path)).body);
    expect(bodies.join('')).not.toContain(CANARY);
  });

  it.skipIf(!isRoot)('keeps no value in its process', async () => {
    await crowded.ask(...store('control.test', CANARY));
    await curl(crowded, '/tokens');
    const [pid] = adminPids(crowded);
    // The control shows that such a text would be found.
    expect(scanMemory(pid!, 'control.test')['utf8']).toBeGreaterThan(0);
    expect(Object.values(scanMemory(pid!, CANARY)).reduce((sum, count) => sum + count, 0)).toBe(0);
  });

  it('refuses what is no question', async () => {
    const big = `${agent.home}/big`;
    writeFileSync(big, '['.repeat(1_048_577));
    const json = ['-H', 'content-type: application/json'];
    const refused = [
      [421, '-H', 'Host: evil.example'],
      [421, '-H', 'Host:'],
      [403, '-H', 'Origin: null'],
      [405, '-X', 'POST', '-H', 'content-type: text/plain', '-d', 'x'],
      [405, '-X', 'POST', ...json, '-d', '{"a":1,"a":2}'],
      [405, '-X', 'POST', ...json, '-d', '1e400'],
      [405, '-X', 'POST', ...json, '--data-binary', `@${big}`],
      [413, '-X', 'GET', ...json, '--data-binary', `@${big}`],
      [400, '--request-target', 'http://evil.example/tokens'],
    ] as const;
    for (const [code, ...args] of refused) {
      const answer = await curl(agent, '/tokens', ...args);
      expect({ args, code: answer.code }).toEqual({ args, code: args[1] === 'Host:' ? 400 : code });
    }
    // Also what never comes to a route is told in our form, with the headers of every answer.
    for (const [code, request] of [
      [400, 'GET /usage/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n'],
      [417, 'GET /tokens HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\n\r\n'],
      [400, 'no request\r\n\r\n'],
      [421, 'GET /usage/%zz HTTP/1.1\r\nHost: evil.example\r\n\r\n'],
    ] as const) {
      const [head = '', body = ''] = (await raw(agent, request)).split('\r\n\r\n');
      expect({ request, line: head.split(' ', 2)[1] }).toEqual({ request, line: String(code) });
      expect(JSON.parse(body)).toEqual({
        error: { status: 'bad-request', message: expect.stringMatching(/^cannot answer: /) },
      });
      expect(head).toMatch(/^cache-control: no-store\r$/m);
      expect(head).toMatch(/^content-security-policy: /m);
    }
    expect(await raw(agent, 'GET /tokens HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 421 /);
    expect(await raw(agent, 'GET /tokens HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n')).toMatch(/ 4\d\d /);
    expect(await raw(agent, `GET /${'x'.repeat(40_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`)).toMatch(/ 4\d\d /);
    expect(await raw(agent, '\0\0\r\n\r\n')).toMatch(/ 400 /);
    expect((await curl(agent, '/health')).code).toBe(200);
  });

  it('survives a kill of its process, and so does the agent', async () => {
    await curl(agent, '/health');
    const [pid] = adminPids(agent);
    process.kill(pid!, 'SIGKILL');
    expect(await agent.ask(...get('a.test'))).toContain(CANARY);
    await expect.poll(() => adminPids(agent)).toEqual([]);
    expect((await curl(agent, '/health')).code).toBe(200);
    expect(adminPids(agent)).not.toContain(pid);
  });

  it('goes without the agent: its process ends with it', async () => {
    const home = aHome();
    await using other = await startAgent({ home });
    expect((await curl(other, '/health')).code).toBe(200);
    expect(adminPids(other)).toHaveLength(1);
    other.kill('SIGKILL');
    await other.ended;
    await expect.poll(() => adminPids(other)).toEqual([]);
  });

  it('is handed on at a restart: the same socket, one listener, and an answer from the next agent', async () => {
    await using first = await startAgent({ home: aHome() });
    expect((await curl(first, '/health')).code).toBe(200);
    const { ino } = statSync(socketOf(first));
    const pidOf = async () => Number(/^pid=(\d+)$/m.exec(await first.ask(...status))?.[1]);
    expect(await first.ask('action=restart', 'capability[]=keyhold')).toBe('status=ok\n');
    const answers = await Promise.all(Array.from({ length: 4 }, () => curl(first, '/health')));
    expect(answers.map(({ code }) => code)).toEqual([200, 200, 200, 200]);
    await expect.poll(pidOf).not.toBe(first.pid);
    const next = await pidOf();
    try {
      expect(await first.ended).toBe(0);
      expect(statSync(socketOf(first)).ino).toBe(ino);
      const listening = readFileSync('/proc/net/unix', 'latin1').split('\n');
      const ours = listening.filter((line) => line.includes(` ${first.home}/run/`) && line.includes(' 00010000 '));
      // The agent's, this one and that of the events; all were bound under the one name that no client uses.
      expect(ours).toHaveLength(3);
      expect((await curl(first, '/health')).code).toBe(200);
      await first.ask('action=stop', 'capability[]=keyhold');
      await expect.poll(() => readdirSync(`${first.home}/run`)).toEqual([]);
    } finally {
      try {
        process.kill(next, 'SIGKILL');
      } catch {
        // It has ended, as it was told.
      }
    }
  });

  it('closes who does not go on, and answers others meanwhile', async () => {
    expect((await curl(crowded, '/health')).code).toBe(200);
    expect(await slow).toBeLessThan(15_000);
  });

  it('is not there where another program listens, and the agent serves and says so', async () => {
    const home = aHome();
    mkdirSync(`${home}/run`, { mode: 0o700 });
    chmodSync(home, 0o700);
    const { createServer } = await import('node:net');
    const foreign = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => foreign.listen(`${home}/run/admin.sock`, resolve));
    await using other = await startAgent({ home });
    expect(await other.ask(...status)).toMatch(/degraded\[\]=\{"code":"no-admin"/);
    await new Promise((resolve) => foreign.close(resolve));
  });
});

describe.skipIf(!isRoot || !BUILT.addon || !need('runuser', 'apt-get install util-linux') || !hasCurl)(
  'another user at admin.sock',
  () => {
    it('gets nothing, is recorded, and starts no process, even where the folders let them in', async () => {
      await using agent = await startAgent({ home: aHome() });
      for (const folder of [agent.home, `${agent.home}/run`]) chmodSync(folder, 0o755);
      chmodSync(socketOf(agent), 0o666);
      const args = ['-u', 'nobody', '--', 'curl', '-sS', '--max-time', '10', '--unix-socket', socketOf(agent)];
      const { code, stdout } = await execute('runuser', [...args, 'http://localhost/tokens'], { env, expect: 'any' });
      expect(code).not.toBe(0);
      expect(stdout).toBe('');
      expect(adminPids(agent)).toEqual([]);
      for (const folder of [agent.home, `${agent.home}/run`]) chmodSync(folder, 0o700);
      chmodSync(socketOf(agent), 0o600);
      expect((await curl(agent, '/audit')).body).toContain('"action":"connect","outcome":"denied"');
      expect((await curl(agent, '/metrics')).body).toContain('keyhold_turned_away_total 1');
    });
  },
);
