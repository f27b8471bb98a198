import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../fakes/clock.ts';
import { FakeStore } from '../fakes/store.ts';
import { need } from '../need.ts';
import { overSocket } from '../transcripts/wires.ts';

describe.skipIf(!need('git', 'apt-get install git'))("git's own cache client on our socket", () => {
  let socket: Awaited<ReturnType<typeof overSocket>>;
  const clock = new FakeClock();
  const store = new FakeStore(clock);
  beforeAll(async () => {
    socket = await overSocket();
    await socket.wire(store.handler);
  });
  afterAll(() => socket.dispose());

  async function cache(action: string, input: string, ...options: string[]): Promise<string> {
    const child = spawn('git', ['credential-cache', '--socket', socket.path, ...options, action], {
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: 20_000,
    });
    child.stdin.end(input);
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes;
    });
    await once(child, 'close');
    return output;
  }

  it('stores, gets and erases unchanged, and gets exactly what git expects', async () => {
    const about = 'protocol=https\nhost=example.com\n';
    expect(await cache('get', about)).toBe('');
    expect(await cache('store', `${about}username=ada\npassword=hunter-EXAMPLE\n`)).toBe('');
    expect(await cache('get', about)).toBe('username=ada\npassword=hunter-EXAMPLE\n');
    expect(await cache('exit', '')).toBe('');
    expect(await cache('get', `${about}username=ada\n`)).toBe('username=ada\npassword=hunter-EXAMPLE\n');
    expect(await cache('erase', about)).toBe('');
    expect(await cache('get', about)).toBe('');
  });

  it('is held to its timeout', async () => {
    const about = 'protocol=https\nhost=timed.example\n';
    await cache('store', `${about}username=ada\npassword=hunter-EXAMPLE\n`, '--timeout', '60');
    expect(await cache('get', about)).toContain('hunter-EXAMPLE');
    clock.advance(61);
    expect(await cache('get', about)).toBe('');
  });
});
