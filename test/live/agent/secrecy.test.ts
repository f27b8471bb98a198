import { spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  BUILT,
  type BuiltAgent,
  configure,
  DIST,
  exchange,
  get,
  launchAgent,
  startAgent,
  status,
  store,
} from '../../fakes/built-agent.ts';
import { scanMemory } from '../../fakes/scan-memory.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';

const CANARY = 'k4n4ry-0d5f71b2c9-EXAMPLE';
const isRoot = process.getuid!() === 0;
if (!isRoot) console.warn('skipped: reading the memory of other processes and their folders takes root; run as root');
const isAddonThere = BUILT.addon;

function facts(agent: BuiltAgent, name: string): Promise<string | undefined> {
  return agent.ask(...status).then((answer) => new RegExp(`^${name}=(.*)$`, 'm').exec(answer)?.[1]);
}

function total(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, number) => sum + number, 0);
}

describe.skipIf(!isRoot)('the memory of the agent', () => {
  it('holds no copy of a secret after twenty gets and an erase, in any form', async () => {
    await using agent = await startAgent();
    await agent.ask(...store('control-host-EXAMPLE.test', 'another-EXAMPLE'));
    await agent.ask(...store('a.test', CANARY));
    for (let time = 0; time < 20; time++) expect(await agent.ask(...get('a.test'))).toContain(CANARY);
    const helper = async (operation: string, input: string) => {
      const child = spawn(`${DIST}/bin/git-credential-keyhold`, [operation], {
        env: { KEYHOLD_HOME: agent.home, KEYHOLD_NO_AUTOSTART: '1' },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      child.stdin.end(input);
      let out = '';
      for await (const text of child.stdout.setEncoding('latin1')) out += text;
      return out;
    };
    expect(await helper('get', 'protocol=https\nhost=a.test\n')).toContain(CANARY);
    // While it is held there is one copy at most: the region's, where the kernel lets even root read it.
    expect(total(scanMemory(agent.pid, CANARY))).toBeLessThanOrEqual(1);
    await helper('erase', `protocol=https\nhost=a.test\nusername=ada\npassword=${CANARY}\n`);
    expect(await agent.ask(...get('a.test'))).toContain('status=not-found');
    expect(scanMemory(agent.pid, CANARY)).toEqual({
      utf8: 0,
      utf16le: 0,
      base64: 0,
      'base64+1': 0,
      'base64+2': 0,
      hex: 0,
    });
    // The scanner would have found it: what is held is known by its host, in JavaScript's memory.
    expect(scanMemory(agent.pid, 'control-host-EXAMPLE.test').utf8).toBeGreaterThan(0);
  });

  it('holds no copy after lock, nor of a passphrase', async () => {
    await using agent = await startAgent();
    await agent.ask(...store('a.test', CANARY));
    const phrase = 'p4ssphr4se-77c1-EXAMPLE';
    await agent.ask('action=backend-passphrase', 'capability[]=keyhold', `new_passphrase=${phrase}`);
    await agent.ask('action=lock', 'capability[]=keyhold');
    await agent.ask('action=unlock', 'capability[]=keyhold', `passphrase=${phrase}`);
    expect(await agent.ask(...get('a.test'))).toContain(CANARY);
    await agent.ask('action=lock', 'capability[]=keyhold');
    expect([total(scanMemory(agent.pid, CANARY)), total(scanMemory(agent.pid, phrase))]).toEqual([0, 0]);
  });
});

describe('other users', () => {
  /** A built copy and a home for uid 65534, who may not read ours. */
  async function strangersAgent(): Promise<{ agent: BuiltAgent; folder: ReturnType<typeof temporaryFolder> }> {
    const folder = temporaryFolder('stranger');
    chmodSync(folder.path, 0o755);
    const home = `${folder.path}/home`;
    mkdirSync(home, { mode: 0o700 });
    configure(home, { backend: 'vault' });
    for (const path of [home, `${home}/config`, `${home}/config/config.json`]) chownSync(path, 65_534, 65_534);
    mkdirSync(`${folder.path}/dist`);
    await copyTree(DIST, `${folder.path}/dist`);
    copyFileSync(process.execPath, `${folder.path}/dist/node`);
    chmodSync(`${folder.path}/dist/node`, 0o755);
    const agent = launchAgent({
      home,
      under: [...asNobody, 'sh', '-c', `exec "${folder.path}/dist/bin/keyhold-agent"`],
    });
    return { agent, folder };
  }
  const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  const canBeNobody = isRoot && need('setpriv', 'apt-get install util-linux') && isAddonThere;

  it.skipIf(!canBeNobody)('are refused by the kernel’s word, even where folder and socket let them in', async () => {
    await using agent = await startAgent();
    await agent.ask(...store('a.test', CANARY));
    for (const path of ['', '/run', '/run/agent.sock']) chmodSync(`${agent.home}${path}`, 0o777);
    const script = `
      const socket = require('net').connect({ path: ${JSON.stringify(agent.socket)}, allowHalfOpen: true });
      socket.on('error', (error) => console.log(error.code));
      socket.setEncoding('utf8').on('data', (text) => process.stdout.write(text));
      socket.end('action=get\\nprotocol=https\\nhost=a.test\\n');`;
    const node = `${agent.home}/node`;
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o755);
    const child = spawn(asNobody[0]!, [...asNobody.slice(1), node, '-e', script], { cwd: '/', env: {} });
    let heard = '';
    for await (const text of child.stdout.setEncoding('utf8')) heard += text;
    expect(heard).toContain('status=denied');
    expect(heard).not.toContain(CANARY);
    await expect.poll(() => agent.log()).toContain('"uid":65534');
    expect(await agent.ask(...get('a.test'))).toContain(CANARY);
  });

  it.skipIf(!canBeNobody)('root too, at another user’s agent', async () => {
    const { agent, folder } = await strangersAgent();
    try {
      await expect
        .poll(() => exchange(agent.socket, get('a.test')).catch(() => agent.stderr()), { timeout: 10_000 })
        .toMatch(/^status=denied\nmessage=cannot serve uid 0: this agent belongs to uid 65534/);
    } finally {
      await agent[Symbol.asyncDispose]();
      folder.remove();
    }
  });
});

describe('the process', () => {
  it('has no inspector after SIGUSR1, writes no core, and shows no secret in its arguments or environment', async () => {
    await using agent = await startAgent();
    await agent.ask(...store('a.test', CANARY));
    agent.kill('SIGUSR1');
    await sleep(300);
    expect(await agent.ask(...get('a.test'))).toContain(CANARY);
    const inodes = new Set(
      ['tcp', 'tcp6'].flatMap((name) =>
        readFileSync(`/proc/${agent.pid}/net/${name}`, 'latin1')
          .split('\n')
          .map((line) => line.trim().split(/ +/))
          .filter((columns) => columns[3] === '0A')
          .map((columns) => columns[9]),
      ),
    );
    if (isRoot) {
      const { readlinkSync } = await import('node:fs');
      const sockets = readdirSync(`/proc/${agent.pid}/fd`).map((fd) => readlinkSync(`/proc/${agent.pid}/fd/${fd}`));
      expect(sockets.filter((link) => inodes.has(/socket:\[(\d+)\]/.exec(link)?.[1]))).toEqual([]);
      const seen = readFileSync(`/proc/${agent.pid}/environ`, 'latin1');
      expect(seen).not.toContain(CANARY);
    }
    expect(readFileSync(`/proc/${agent.pid}/cmdline`, 'latin1')).not.toContain(CANARY);
    expect(readFileSync(`/proc/${agent.pid}/limits`, 'latin1')).toMatch(/^Max core file size +0 +0 /m);
  });

  it.skipIf(!isAddonThere)('keeps its secrets in locked memory, and says how callers are told apart', async () => {
    await using agent = await startAgent();
    expect(await facts(agent, 'memory')).toMatch(/^(hidden|locked|plain)$/);
    expect(await facts(agent, 'identity')).toBe('kernel');
  });

  it('is not steered by what its starter has in the environment', async () => {
    const folder = temporaryFolder('steer');
    const file = (name: string) => `${folder.path}/${name}`;
    await using agent = await startAgent({
      environment: {
        NODE_OPTIONS: `--require ${file('absent.cjs')} --inspect=127.0.0.1:0`,
        NODE_DEBUG: 'net,stream,fs',
        NODE_V8_COVERAGE: file('coverage'),
        SSLKEYLOGFILE: file('keys'),
        OPENSSL_CONF: file('absent.cnf'),
        NODE_EXTRA_CA_CERTS: file('absent.pem'),
      },
    });
    await agent.ask(...store('a.test', CANARY));
    expect(await agent.ask(...get('a.test'))).toContain(CANARY);
    const environment = isRoot ? readFileSync(`/proc/${agent.pid}/environ`, 'latin1') : '';
    expect(environment).not.toMatch(/NODE_OPTIONS|NODE_DEBUG|NODE_V8|SSLKEYLOGFILE|OPENSSL_CONF|LD_PRELOAD/);
    await agent.ask('action=stop', 'capability[]=keyhold');
    expect(await agent.ended).toBe(0);
    expect({ files: readdirSync(folder.path), stderr: agent.stderr() }).toEqual({ files: [], stderr: '' });
    folder.remove();
  });

  it('writes no secret anywhere below its home but sealed', async () => {
    await using agent = await startAgent();
    configure(agent.home, { backend: 'vault', log: { level: 'debug' } });
    await agent.ask(...store('canary-host.test', CANARY));
    for (let time = 0; time < 20; time++) await agent.ask(...get('canary-host.test'));
    await agent.ask('action=stop', 'capability[]=keyhold');
    await agent.ended;
    for (const entry of readdirSync(agent.home, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const bytes = readFileSync(`${entry.parentPath}/${entry.name}`);
      expect(`${entry.name} ${bytes.includes(CANARY)} ${bytes.includes('canary-host')}`).toBe(
        `${entry.name} false false`,
      );
    }
  });
});

async function copyTree(from: string, to: string): Promise<void> {
  const { cp } = await import('node:fs/promises');
  await cp(from, to, { recursive: true });
}
