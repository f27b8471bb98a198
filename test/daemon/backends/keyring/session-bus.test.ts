import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  adoptSessionBus,
  childEnvironment,
  liveSessionBus,
  sessionBus,
} from '../../../../daemon/backends/keyring/session-bus.ts';
import { temporaryFolder } from '../../../temporary.ts';

test('the session bus is the address that is set, else the socket in the runtime folder, else none', async () => {
  const folder = temporaryFolder('bus');
  expect(sessionBus({ DBUS_SESSION_BUS_ADDRESS: 'tcp:host=127.0.0.1,port=1' })).toBe('tcp:host=127.0.0.1,port=1');
  expect(sessionBus({})).toBeUndefined();
  expect(sessionBus({ XDG_RUNTIME_DIR: folder.path })).toBeUndefined();
  const server = createServer().listen(join(folder.path, 'bus'));
  await new Promise((resolve) => server.once('listening', resolve));
  expect(sessionBus({ XDG_RUNTIME_DIR: folder.path })).toBe(`unix:path=${folder.path}/bus`);
  // One that is set and gone does not hide it; GLib's word for none does.
  for (const gone of ['unix:path=/nonexistent/bus', 'unix:abstract=/nonexistent/bus,guid=1', '']) {
    const env = { XDG_RUNTIME_DIR: folder.path, DBUS_SESSION_BUS_ADDRESS: gone };
    expect(sessionBus(env)).toBe(`unix:path=${folder.path}/bus`);
    expect(liveSessionBus({ DBUS_SESSION_BUS_ADDRESS: gone })).toBeUndefined();
  }
  expect(sessionBus({ XDG_RUNTIME_DIR: folder.path, DBUS_SESSION_BUS_ADDRESS: 'disabled:' })).toBeUndefined();
  await new Promise((resolve) => server.close(resolve));
  folder.remove();
});

test('an agent without a bus goes on with the one of a caller, if it is a Unix socket that is there', async () => {
  const folder = temporaryFolder('bus');
  const [ours, theirs] = ['ours', 'theirs'].map((name) => join(folder.path, name)) as [string, string];
  const servers = [ours, theirs].map((path) => createServer().listen(path));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const adopted = (env: Record<string, string>, address: string) => {
    adoptSessionBus(env, address);
    return env['DBUS_SESSION_BUS_ADDRESS'];
  };
  expect(adopted({}, `unix:path=${theirs}`)).toBe(`unix:path=${theirs}`);
  expect(adopted({ DBUS_SESSION_BUS_ADDRESS: 'unix:path=/gone' }, `unix:path=${theirs},guid=1`)).toContain(theirs);
  expect(adopted({ DBUS_SESSION_BUS_ADDRESS: `unix:path=${ours}` }, `unix:path=${theirs}`)).toContain(ours);
  expect(adopted({ DBUS_SESSION_BUS_ADDRESS: 'disabled:' }, `unix:path=${theirs}`)).toBe('disabled:');
  const hostile = [
    'unixexec:path=/bin/sh',
    `unix:path=${theirs};unixexec:path=/bin/sh`,
    'tcp:host=192.0.2.1',
    'unix:path=/gone',
    '',
  ];
  for (const address of hostile) expect(adopted({}, address)).toBeUndefined();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  folder.remove();
});

test("the child's environment is chosen, and knows the display for a prompt only", () => {
  const env = { HOME: '/h', XDG_RUNTIME_DIR: '/r', DISPLAY: ':0', NODE_OPTIONS: '--inspect', LD_PRELOAD: '/evil' };
  const always = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/b', HOME: '/h', XDG_RUNTIME_DIR: '/r' };
  expect(childEnvironment(env, 'unix:path=/b', false)).toEqual(always);
  expect(childEnvironment(env, 'unix:path=/b', true)).toEqual({ ...always, DISPLAY: ':0' });
});
