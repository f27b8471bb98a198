import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, constants, copyFileSync, cpSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyringNeeds } from '../../../daemon/backends/keyring/keyring-process.ts';
import { frame, framesOf, partsOf } from '../../../daemon/processes/frames.ts';
import { type Needs, sandbox } from '../../../daemon/processes/sandbox.ts';
import type { Plan } from '../../../daemon/upstream/plan.ts';
import { upstreamNeeds } from '../../../daemon/upstream/upstream.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';

const run = promisify(execFile);
const lib = join(import.meta.dirname, '../../../dist/lib');

/** As root the children and those who look at them run as a plain user; root may read everything. */
const isRoot = process.getuid!() === 0;
const PLAIN_UID = 61_234;
const plainUser = isRoot ? { uid: PLAIN_UID, gid: PLAIN_UID } : {};
const SECRET = `child-${randomBytes(8).toString('hex')}-EXAMPLE`;

describe.skipIf(!need('gdb', 'apt-get install gdb'))('a child that holds a secret', () => {
  const folder = temporaryFolder('children');
  const node = join(folder.path, 'node');
  const started: ChildProcess[] = [];
  /** The calls that it holds open: while one waits, the child has the token. */
  const asked: string[] = [];
  const server = createServer((request) => void asked.push(request.headers.authorization ?? ''));

  beforeAll(async () => {
    // Another user may have no way into the folder of this project.
    chmodSync(folder.path, 0o755);
    cpSync(lib, join(folder.path, 'lib'), { recursive: true });
    copyFileSync(process.execPath, node, constants.COPYFILE_FICLONE);
    chmodSync(node, 0o755);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => {
    for (const child of started) child.kill('SIGKILL');
    server.closeAllConnections();
    server.close();
    folder.remove();
  });

  /** A child of a plain user, and what its first frame says. */
  async function begin(program: string, needs: Needs) {
    const child = spawn(node, [...sandbox(program, needs), program], {
      ...plainUser,
      env: {},
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    started.push(child);
    const said = await new Promise<string>((resolve, reject) => {
      let input: Buffer = Buffer.alloc(0);
      child.once('exit', () => reject(new Error('the child ended before it was up')));
      child.stdout.on('data', (chunk: Buffer) => {
        input = Buffer.concat([input, chunk]);
        const next = framesOf(input).next();
        if (!next.done) resolve(String(partsOf(next.value)[0]));
      });
    });
    return { child, pid: child.pid!, said };
  }

  /** Runs a command of the same plain user, with a limit on what it may start. Answers whether it could do what it wanted. */
  async function attack(command: string): Promise<{ readonly isDone: boolean; readonly output: string }> {
    const limited = `ulimit -u 4096; ${command}`;
    const options = { ...plainUser, cwd: folder.path, timeout: 30_000, maxBuffer: 1 << 26 };
    return run('/bin/bash', ['-c', limited], options).then(
      ({ stdout, stderr }) => ({ isDone: true, output: stdout + stderr }),
      ({ stdout = '', stderr = '' }) => ({ isDone: false, output: stdout + stderr }),
    );
  }

  /** Looks for `text` in all that may be read of a process. */
  const search = (pid: number, text: string) => {
    const script = `
      const { openSync, readFileSync, readSync } = require('node:fs');
      const memory = openSync('/proc/${pid}/mem', 'r');
      const buffer = Buffer.alloc(1 << 22);
      for (const line of readFileSync('/proc/${pid}/maps', 'latin1').split('\\n')) {
        const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
        for (let at = parseInt(from, 16); from && at < parseInt(to, 16); at += buffer.length - 64) {
          let length = 0;
          try { length = readSync(memory, buffer, 0, Math.min(buffer.length, parseInt(to, 16) - at), at); } catch {}
          if (buffer.subarray(0, length).includes(${JSON.stringify(text)})) { console.log('found'); process.exit(0); }
        }
      }
      process.exit(1);`;
    return attack(`${node} -e '${script.replaceAll("'", `'\\''`)}'`);
  };
  const dump = (pid: number) =>
    attack(`gdb -nx -batch -p ${pid} -ex 'generate-core-file core.${pid}' && test -s core.${pid}`);

  test('would be read by every program of its user, if nothing was done (what these tests can see)', async () => {
    const held = `held-${SECRET}`;
    const script = `const held = Buffer.from(process.argv[1]); process.stdout.write(Buffer.alloc(4)); setInterval(() => held, 1000)`;
    const child = spawn(node, ['-e', script, held], {
      ...plainUser,
      env: {},
      cwd: '/',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    started.push(child);
    await once(child.stdout, 'data');
    expect((await search(child.pid!, held)).output).toContain('found');
  });

  test('of a service is closed to its own user while a call is out: no memory, no core, no debugger', async () => {
    const { child, pid, said } = await begin(join(folder.path, 'lib/upstream-child.cjs'), upstreamNeeds);
    expect(['hardened', 'locked']).toContain(said);
    const plan: Plan = {
      operation: 'whoami',
      method: 'GET',
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      path: '/whoami',
      auth: { header: 'authorization', before: 'Bearer ' },
      values: {},
      deadline: 60_000,
    };
    const parts = ['call', randomBytes(32), JSON.stringify(plan), 'token', SECRET].map((part) => Buffer.from(part));
    child.stdin!.write(frame(parts));
    await expect.poll(() => asked).toEqual([`Bearer ${SECRET}`]);
    expect(await search(pid, SECRET)).toMatchObject({ isDone: false, output: expect.stringMatching(/EACCES|EPERM/) });
    expect((await dump(pid)).isDone).toBe(false);
    expect(await attack(`cat /proc/${pid}/environ`)).toMatchObject({ isDone: false });
    expect(child.exitCode).toBeNull();
  });

  test('of the keyring is closed the same', async () => {
    const { child, pid, said } = await begin(join(folder.path, 'lib/keyring-child.cjs'), keyringNeeds);
    expect(['hardened', 'locked']).toContain(said);
    child.stdin!.write(frame(['set', randomBytes(32), 'keyhold', 'account', SECRET].map((part) => Buffer.from(part))));
    expect(await search(pid, SECRET)).toMatchObject({ isDone: false, output: expect.stringMatching(/EACCES|EPERM/) });
    expect((await dump(pid)).isDone).toBe(false);
  });
});
