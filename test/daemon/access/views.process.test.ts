import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadNative } from '../../../daemon/native/load.ts';
import { actions } from '../../../protocol/wire/actions.ts';
import { BUILT, exchange, get, store } from '../../fakes/built-agent.ts';
import { openComposed } from '../../fakes/composed-agent.ts';
import { temporaryFolder } from '../../temporary.ts';

/** What a library that turned bad would do: asks the agent for whatever the connection says, and passes the answer on. */
const HOSTILE = `
import { connect, Socket } from 'node:net';
process.send('ready');
process.on('message', (message, handle) => {
  if (!handle) return;
  process.send('taken');
  const caller = new Socket({ handle, readable: true, writable: true, allowHalfOpen: true });
  const agent = connect({ path: process.argv.at(-1).replace('events.sock', 'agent.sock'), allowHalfOpen: true });
  caller.pipe(agent);
  agent.pipe(caller);
});
process.on('disconnect', () => process.exit(0));
`;

describe.skipIf(!BUILT.addon)('a process beside the agent that asks for more than it is there for', () => {
  let agent: Awaited<ReturnType<typeof openComposed>>;
  let remove: () => void;

  beforeEach(async () => {
    const folder = temporaryFolder('views');
    remove = folder.remove;
    const child = join(folder.path, 'hostile.mjs');
    writeFileSync(child, HOSTILE);
    agent = await openComposed(() => {}, { native: loadNative(), child });
    await exchange(agent.socket, store('a.test', 'pass-EXAMPLE'));
  });
  afterEach(async () => {
    await agent.dispose();
    remove();
  });

  const through = (lines: readonly string[], by: 'admin' | 'events') => exchange(agent.beside(by), lines);
  const ask = (action: string) => [`action=${action}`, 'capability[]=keyhold', 'protocol=https', 'host=a.test'];

  it('gets the views, if it is the admin process', async () => {
    for (const action of ['status', 'list', 'usage', 'audit-list', 'metrics']) {
      expect(await through(ask(action), 'admin')).toMatch(/^status=ok\n/);
    }
  });

  it('gets no secret and changes nothing', async () => {
    const may = ['status', 'list', 'usage', 'audit-list', 'metrics', 'run'];
    for (const action of Object.keys(actions).filter((name) => !may.includes(name))) {
      expect(await through(ask(action), 'admin'), action).toMatch(/^status=denied\n/);
    }
    const run = ['action=run', 'name=git-credential-keyhold', 'argument[]=get', '', 'protocol=https', 'host=a.test'];
    expect(await through(run, 'admin')).not.toContain('EXAMPLE');
    for (const action of ['get', 'list', 'status', 'lock']) {
      expect(await through(ask(action), 'events'), action).toMatch(/^status=denied\n/);
    }
    // And whoever is no such process is served as before.
    expect(await exchange(agent.socket, get('a.test'))).toContain('password=pass-EXAMPLE');
  });
});
