import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { agentProgram } from '../../client/autostart.ts';
import { dial, get, status } from '../../client/index.ts';
import { computePlaces } from '../../platform/places.ts';
import { ok, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { emptyHome } from './keyhold.ts';

/** Something on a socket that is not our agent. */
async function listen(serve: (socket: Socket) => void): Promise<string> {
  const path = join(emptyHome(), 'run/agent.sock');
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
}

const target = { protocol: 'https', host: 'git.example' };

describe('dial', () => {
  test('gives a handler whose calls may overlap and are answered in order', async () => {
    let calls = 0;
    await using agent = await startScriptedAgent({
      get: () => ({ status: 'not-found', message: `cannot get: call ${++calls}` }),
    });
    using connection = await dial({ socket: agent.socket });
    const replies = await Promise.all([1, 2, 3].map(() => get(connection, target)));
    expect(replies.map((reply) => reply.message)).toEqual([1, 2, 3].map((call) => `cannot get: call ${call}`));
  });

  test('reads the facts of the agent by name', async () => {
    await using agent = await startScriptedAgent({
      status: ok([
        ['state', 'open'],
        ['backend', 'vault'],
      ]),
    });
    using connection = await dial({ socket: agent.socket });
    expect(Object.fromEntries(await status(connection))).toEqual({ state: 'open', backend: 'vault' });
  });

  test('ends a call that is not answered in time, and the connection with it', async () => {
    await using agent = await startScriptedAgent({ get: () => new Promise(() => {}) });
    using connection = await dial({ socket: agent.socket, deadline: 300 });
    const began = performance.now();
    await expect(get(connection, target)).rejects.toMatchObject({ code: 'deadline' });
    expect(performance.now() - began).toBeLessThan(2_000);
    await expect(get(connection, target)).rejects.toMatchObject({ code: 'closed' });
  });

  test('waits longer where the request is willing to wait', async () => {
    const late = () =>
      new Promise<ReturnType<typeof ok>>((resolve) => {
        setTimeout(() => resolve({ status: 'locked', message: 'locked still' }), 600);
      });
    await using agent = await startScriptedAgent({ get: late });
    using connection = await dial({ socket: agent.socket, deadline: 200 });
    expect(await get(connection, target, { wait: 5 })).toMatchObject({ status: 'locked' });
  });

  test('names a listener that answers nothing and closes, as git’s cache daemon does', async () => {
    const socket = await listen((stream) => stream.once('data', () => stream.end()));
    await expect(dial({ socket })).rejects.toMatchObject({ code: 'foreign_listener' });
  });

  test('names a listener that speaks another language', async () => {
    const socket = await listen((stream) => stream.once('data', () => stream.write('hello=world\n\n')));
    await expect(dial({ socket })).rejects.toMatchObject({ code: 'foreign_listener' });
  });

  test('gives up on a listener that never answers', async () => {
    const socket = await listen(() => {});
    await expect(dial({ socket, deadline: 200 })).rejects.toMatchObject({ code: 'deadline' });
    const began = performance.now();
    await expect(dial({ socket, deadline: 600_000 })).rejects.toMatchObject({ code: 'deadline' });
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test('gets through to an agent that starts again at that moment', async () => {
    let connections = 0;
    const socket = await listen((stream) => {
      if (++connections === 1) stream.once('data', () => stream.destroy());
      else stream.once('data', () => stream.write('status=ok\nwire=1\n\n'));
    });
    using _ = await dial({ socket });
    expect(connections).toBe(2);
  });

  test('says that none is running where nothing listens, and where the socket was left behind', async () => {
    const home = emptyHome();
    await expect(dial({ socket: join(home, 'run/agent.sock') })).rejects.toMatchObject({ code: 'agent_unreachable' });
    await expect(dial({ socket: join(home, 'none/agent.sock') })).rejects.toMatchObject({ code: 'agent_unreachable' });
  });
});

describe('agentProgram', () => {
  const setUp = () => {
    const home = emptyHome();
    mkdirSync(join(home, 'state'), { mode: 0o700 });
    const program = join(home, 'keyhold-agent');
    writeFileSync(program, '#!/bin/sh\n');
    chmodSync(program, 0o700);
    const link = join(home, 'state/autostart');
    symlinkSync(program, link);
    return {
      home,
      program,
      link,
      places: computePlaces({ KEYHOLD_HOME: home })!,
    };
  };

  test('is what STATE/autostart points to', () => {
    const { places, program } = setUp();
    expect(agentProgram(places)).toBe(program);
  });

  test('is nothing that others could change, and nothing behind a folder that they may enter', () => {
    const { places, program, home } = setUp();
    chmodSync(program, 0o722);
    expect(agentProgram(places)).toBeUndefined();
    chmodSync(program, 0o700);
    chmodSync(join(home, 'state'), 0o755);
    expect(agentProgram(places)).toBeUndefined();
  });

  test('is nothing where there is no link, or where it leads nowhere', () => {
    const { places, program, link } = setUp();
    rmSync(program);
    expect(agentProgram(places)).toBeUndefined();
    rmSync(link);
    expect(agentProgram(places)).toBeUndefined();
  });
});
