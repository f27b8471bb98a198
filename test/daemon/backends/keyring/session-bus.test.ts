import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { childEnvironment, sessionBus } from '../../../../daemon/backends/keyring/session-bus.ts';
import { temporaryFolder } from '../../../temporary.ts';

test('the session bus is the address that is set, else the socket in the runtime folder, else none', async () => {
  const folder = temporaryFolder('bus');
  expect(sessionBus({ DBUS_SESSION_BUS_ADDRESS: 'unix:abstract=x' })).toBe('unix:abstract=x');
  expect(sessionBus({})).toBeUndefined();
  expect(sessionBus({ XDG_RUNTIME_DIR: folder.path })).toBeUndefined();
  const server = createServer().listen(join(folder.path, 'bus'));
  await new Promise((resolve) => server.once('listening', resolve));
  expect(sessionBus({ XDG_RUNTIME_DIR: folder.path })).toBe(`unix:path=${folder.path}/bus`);
  await new Promise((resolve) => server.close(resolve));
  folder.remove();
});

test("the child's environment is chosen, and knows the display for a prompt only", () => {
  const env = { HOME: '/h', XDG_RUNTIME_DIR: '/r', DISPLAY: ':0', NODE_OPTIONS: '--inspect', LD_PRELOAD: '/evil' };
  const always = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/b', HOME: '/h', XDG_RUNTIME_DIR: '/r' };
  expect(childEnvironment(env, 'unix:path=/b', false)).toEqual(always);
  expect(childEnvironment(env, 'unix:path=/b', true)).toEqual({ ...always, DISPLAY: ':0' });
});
