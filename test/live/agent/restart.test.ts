import { spawn } from 'node:child_process';
import { chmodSync, existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { BUILT, type BuiltAgent, DIST, get, startAgent, status, store } from '../../fakes/built-agent.ts';

const RESTART = ['action=restart', 'capability[]=keyhold'];

async function pidOf(agent: BuiltAgent): Promise<number> {
  return Number(/^pid=(\d+)$/m.exec(await agent.ask(...status))![1]);
}

/** Tells it to restart, and waits until another process answers; that one is ended with the test. */
async function restart(agent: BuiltAgent): Promise<number> {
  const before = await pidOf(agent);
  expect(await agent.ask(...RESTART)).toBe('status=ok\n');
  let after = before;
  await expect
    .poll(
      async () => {
        after = await pidOf(agent);
        return after;
      },
      { timeout: 10_000, interval: 20 },
    )
    .not.toBe(before);
  onTestFinished(() => {
    try {
      process.kill(after, 'SIGKILL');
    } catch {
      // Its own successor, or stop, has ended it.
    }
  });
  return after;
}

function helper(home: string, operation: string, input: string): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(`${DIST}/bin/git-credential-keyhold`, [operation], {
      env: { KEYHOLD_HOME: home, KEYHOLD_NO_AUTOSTART: '1' },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('latin1').on('data', (text) => {
        said += text;
      });
    }
    child.on('close', (code) => resolve(`${code} ${said}`));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

it('restarts twenty times under four clients, and no request is lost', async () => {
  await using agent = await startAgent();
  await agent.ask(...store('a.test', 'pass-EXAMPLE'));
  let going = true;
  const stored: string[] = [];
  let served = 0;
  const clients = Array.from({ length: 4 }, async (_, client) => {
    for (let number = 0; going; number++) {
      expect(await helper(agent.home, 'get', 'protocol=https\nhost=a.test\n')).toBe(
        '0 username=ada\npassword=pass-EXAMPLE\n',
      );
      served++;
      if (number % 5 > 0) continue;
      const host = `h${client}-${number}.test`;
      expect(await helper(agent.home, 'store', `protocol=https\nhost=${host}\nusername=u\npassword=p-EXAMPLE\n`)).toBe(
        '0 ',
      );
      stored.push(host);
    }
  });
  const failed = Promise.all(clients);
  const { ino } = statSync(agent.socket);
  const pids = new Set<number>();
  for (let time = 0; time < 20; time++) {
    pids.add(await Promise.race([restart(agent), failed.then(() => 0)]));
    await sleep(20);
  }
  going = false;
  await failed;
  expect(pids.size).toBe(20);
  expect(statSync(agent.socket).ino).toBe(ino);
  // Enough to have met every restart; without a compiler each client is a node of its own.
  expect(served).toBeGreaterThan(BUILT.client === 'typescript' ? 40 : 100);
  expect(await agent.ended).toBe(0);
  for (const host of stored) expect(await agent.ask(...get(host))).toContain('password=p-EXAMPLE');
});

it('the one that was handed the socket removes it when it stops, and hands it on in its turn', async () => {
  await using agent = await startAgent();
  await restart(agent);
  expect(await agent.ended).toBe(0);
  await expect.poll(() => agent.log()).toContain('"socket":"handed on"');
  const last = await restart(agent);
  expect(await agent.ask('action=stop', 'capability[]=keyhold')).toBe('status=ok\n');
  await expect.poll(() => existsSync(`/proc/${last}`), { timeout: 5_000 }).toBe(false);
  expect(existsSync(agent.socket)).toBe(false);
});

it.each([
  [0o700, true],
  [0o722, false],
])('starts what install points to if nobody else can change it (%o)', async (mode, isUsed) => {
  await using agent = await startAgent();
  const program = `${agent.home}/installed`;
  writeFileSync(program, `#!/bin/sh\n: > '${agent.home}/was-used'\nexec '${DIST}/bin/keyhold-agent'\n`);
  chmodSync(program, mode);
  symlinkSync(program, `${agent.home}/state/autostart`);
  await restart(agent);
  expect(existsSync(`${agent.home}/was-used`)).toBe(isUsed);
});

it('is refused where a service manager started the agent without a socket', async () => {
  await using agent = await startAgent({ environment: { NOTIFY_SOCKET: '/nonexistent/notify' } });
  expect(await agent.ask(...RESTART)).toMatch(/^status=unsupported\nmessage=cannot restart: a service manager/);
  expect(await agent.ask(...status)).toContain('status=ok');
});

it('speaks to no service manager but the one that started it', async () => {
  await using agent = await startAgent({
    environment: { NOTIFY_SOCKET: '/nonexistent/notify', SYSTEMD_EXEC_PID: String(process.pid) },
  });
  await restart(agent);
});

it('ends where the socket that it was handed has lost its name meanwhile', async () => {
  await using agent = await startAgent();
  const program = `${agent.home}/installed`;
  // The successor waits for us, as it may have to, and somebody takes the name away.
  writeFileSync(program, `#!/bin/sh\nrm '${agent.socket}'\nexec '${DIST}/bin/keyhold-agent'\n`);
  chmodSync(program, 0o700);
  symlinkSync(program, `${agent.home}/state/autostart`);
  expect(await agent.ask(...RESTART)).toBe('status=ok\n');
  expect(await agent.ended).toBe(0);
  await expect.poll(() => agent.log(), { timeout: 20_000 }).toContain('"reason":"unreachable"');
});
