import { cpSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openBackends } from '../../../daemon/backends/index.ts';
import { openMigrateJournal } from '../../../daemon/backends/migrate-journal.ts';
import { MigrateRecovery } from '../../../daemon/backends/migrate-recovery.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import type { CredentialReply } from '../../../protocol/handler.ts';
import { heapSecret } from '../../../protocol/secret.ts';
import { answers } from '../../fakes/answers.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { Core, ours } from '../../fakes/core.ts';
import { temporaryFolder } from '../../temporary.ts';

/** A state folder with a real vault, over which agents live one after the other. */
function aMachine(found?: string) {
  const { path: state, remove } = temporaryFolder('memory-undo');
  onTestFinished(remove);
  if (found !== undefined) cpSync(found, state, { recursive: true });
  return {
    /** The folder as `kill -9` would leave it now. */
    killed: () => aMachine(state),
    /** Starts an agent. */
    async start() {
      const clock = new FakeClock();
      const backends = openBackends({
        state,
        configured: 'vault',
        keyringChild: '/nonexistent',
        keep: heapSecret,
        clock,
      });
      const recovery = new MigrateRecovery({
        journal: openMigrateJournal(`${state}/migrate.json`),
        backends,
        emit() {},
      });
      const core = new Core({ open: () => recovery.open() });
      const { credentials } = core;
      await credentials.lifecycle.settled();
      const answer = answers({ credentials, backends, recovery, emit() {} });
      const ask = (action: string, fields: Record<string, string> = {}): Promise<CredentialReply> => {
        const attributes = new Attributes();
        for (const [key, value] of Object.entries(fields)) attributes.add(key, value);
        return answer({ action, capabilities: ours, attributes });
      };
      return {
        core,
        recovery,
        get: (username: string) => core.get({ username }),
        toMemory: () => ask('backend-migrate', { name: 'memory' }),
        undo: (fields = {}) => ask('backend-undo', fields),
        end: async () => {
          await recovery.dispose();
          await credentials.lifecycle.dispose();
        },
      };
    },
  };
}

/** An agent that holds ada, bob and cyd in a vault, and then in memory only. */
async function inMemory() {
  const machine = aMachine();
  const agent = await machine.start();
  for (const username of ['ada', 'bob', 'cyd']) await agent.core.store({ username, password: `${username}-EXAMPLE` });
  const reply = await agent.toMemory();
  expect(reply).toMatchObject({ status: 'ok', details: [['carried', '3']] });
  expect(agent.core.credentials.lifecycle.backend?.name).toBe('memory');
  return { machine, agent, reply };
}

describe('a migrate to the memory', () => {
  it('followed by a stop loses nothing that was carried: the next start serves it from where it was', async () => {
    const { machine, agent, reply } = await inMemory();
    expect(reply.message).toMatch(/3 copies stay in the backend vault for a day: keyhold backend undo$/);
    await agent.core.store({ username: 'dan', password: 'dan-EXAMPLE' });
    await agent.end();
    const next = await machine.start();
    expect(next.core.credentials.lifecycle.backend?.name).toBe('vault');
    expect(await Promise.all(['ada', 'bob', 'cyd', 'dan'].map(next.get))).toEqual([
      'ada ada-EXAMPLE',
      'bob bob-EXAMPLE',
      'cyd cyd-EXAMPLE',
      'not-found',
    ]);
    expect(next.recovery.degradations()).toMatchObject([{ code: 'memory-ended' }]);
    await next.end();
    expect((await machine.start()).recovery.degradations()).toEqual([]);
  });

  it('brings back nothing that was erased or replaced since, also behind kill -9', async () => {
    const { machine, agent } = await inMemory();
    await agent.core.erase({ username: 'ada' });
    await agent.core.store({ username: 'bob', password: 'newer-EXAMPLE' });
    const next = await machine.killed().start();
    expect(await Promise.all(['ada', 'bob', 'cyd'].map(next.get))).toEqual([
      'not-found',
      'not-found',
      'cyd cyd-EXAMPLE',
    ]);
  });

  it('keeps what is noted of a credential, and what is restored from the bin', async () => {
    const machine = aMachine();
    const agent = await machine.start();
    for (const username of ['ada', 'cyd']) await agent.core.store({ username, password: `${username}-EXAMPLE` });
    await agent.core.erase({ username: 'ada' });
    await agent.toMemory();
    const { credentials, bin } = agent.core;
    const cyd = credentials.entries.find({ protocol: 'https', host: 'example.com', username: 'cyd' }, () => true)!;
    await credentials.queue.run(cyd, () => credentials.changes.annotate(cyd, { ...cyd.about, label: 'renamed' }));
    await bin.restore(bin.all()[0]!.id, false);
    const next = await machine.killed().start();
    const labels = [...next.core.credentials.entries.all()].map(({ username, about }) => [username, about?.label]);
    expect(labels.sort()).toEqual([
      ['ada', undefined],
      ['cyd', 'renamed'],
    ]);
    expect(await next.get('ada')).toBe('ada ada-EXAMPLE');
    expect(next.core.bin.all()).toEqual([]);
  });

  it('is undone within the day, with what was stored meanwhile', async () => {
    const { machine, agent } = await inMemory();
    await agent.core.store({ username: 'dan', password: 'dan-EXAMPLE' });
    await agent.core.store({ username: 'bob', password: 'newer-EXAMPLE' });
    await agent.core.erase({ username: 'ada' });
    expect(await agent.undo()).toEqual({ status: 'ok' });
    expect(agent.core.credentials.lifecycle.backend?.name).toBe('vault');
    await agent.end();
    const next = await machine.start();
    expect(next.recovery.degradations()).toEqual([]);
    expect(await Promise.all(['ada', 'bob', 'cyd', 'dan'].map(next.get))).toEqual([
      'not-found',
      'bob newer-EXAMPLE',
      'cyd cyd-EXAMPLE',
      'dan dan-EXAMPLE',
    ]);
  });

  it('is made final by --drop: then the vault is empty, and the memory serves on', async () => {
    const { machine, agent } = await inMemory();
    expect(await agent.undo({ drop: '1' })).toEqual({ status: 'ok' });
    expect(await agent.get('cyd')).toBe('cyd cyd-EXAMPLE');
    await expect(agent.undo()).rejects.toMatchObject({ code: 'unsupported' });
    const next = await machine.killed().start();
    expect([...next.core.credentials.entries.all()]).toEqual([]);
  });

  it('drops no copy whose value a lock has taken out of memory, and serves from the copies then', async () => {
    const { agent } = await inMemory();
    await agent.core.credentials.lifecycle.lock();
    await agent.core.credentials.lifecycle.unlock({ mayPrompt: false });
    expect(await agent.get('cyd')).toBe('cyd cyd-EXAMPLE');
    await expect(agent.undo({ drop: '1' })).rejects.toMatchObject({ code: 'backend_failed' });
    expect(await agent.undo()).toEqual({ status: 'ok' });
    expect(await agent.get('cyd')).toBe('cyd cyd-EXAMPLE');
  });
});
