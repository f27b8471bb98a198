import { describe, expect, it } from 'vitest';
import type { Held } from '../../../daemon/backends/backend.ts';
import { Decider, decide, EvidenceBook } from '../../../daemon/credentials/decide.ts';
import type { AuditEntry } from '../../../daemon/history/audit/entry.ts';
import { secretFromText } from '../../../protocol/secret.ts';
import type { Manifest } from '../../../protocol/services/index.ts';
import { aHeld } from '../../contracts/backend.ts';
import { FakeBackend } from '../../fakes/backend.ts';
import { Core } from '../../fakes/core.ts';
import { builtIn } from '../../fakes/services/scripted.ts';

const entry = (action: string, tool?: string, credential = 'an-id'): AuditEntry => ({
  at: 1,
  action,
  outcome: 'ok',
  credential,
  tool,
});

function decided(held: Partial<Held>, events: readonly AuditEntry[] = [], service?: string, hasSibling = false) {
  const book = new EvidenceBook(new Set(['an-id']));
  for (const event of events) book.add(event);
  const manifest = builtIn.find(({ id }) => id === service);
  return decide(aHeld(held), book.of('an-id'), manifest, hasSibling);
}

describe('what version 0.1 did not note of a credential', () => {
  // How it came to be held: by the log, else by what is known of it, else the user set it.
  it.each([
    ['login', {}, [entry('login')]],
    ['login', {}, [entry('authorized')]],
    ['login', { about: { origin: 'signed in with keyhold' } }, [entry('store', 'wire')]],
    ['login', {}, [entry('login'), entry('store', 'git')]],
    ['created', {}, [entry('create')]],
    ['created', { about: { origin: 'made on its page' } }, [entry('store', 'wire')]],
    ['tool', {}, [entry('store', 'git')]],
    ['set', {}, [entry('store', 'wire')]],
    ['imported', { about: { origin: 'keyhold import from /home/ada/.netrc' } }, [entry('store', 'wire')]],
    ['set', {}, []],
  ] as const)('%s: %o by %o', (made, held, events) => {
    expect(decided(held, events).made).toBe(made);
  });

  it('is "created" for one labelled as its user name beside another of its service, where the log says nothing', () => {
    const about = { service: 'pangolin', tokenId: 'k1', label: 'laptop' };
    expect(decided({ username: 'laptop', about }, [], 'pangolin', true).made).toBe('created');
    expect(decided({ username: 'laptop', about }, [], 'pangolin', false).made).toBe('set');
    expect(decided({ username: 'ada', about }, [], 'pangolin', true).made).toBe('set');
  });

  it.each([
    ['a store', {}, [entry('store', 'docker')], undefined, true],
    ['a first use', {}, [entry('store', 'git'), entry('first-use', 'docker')], undefined, undefined],
    ['a store of git beside it', {}, [entry('store', 'docker'), entry('store', 'git')], undefined, undefined],
    ['a use by git beside it', {}, [entry('store', 'docker'), entry('first-use', 'git')], undefined, undefined],
    ['its file', { about: { origin: 'keyhold import from /home/ada/.docker/config.json' } }, [], undefined, true],
    ['its file', { about: { origin: 'keyhold import from /run/user/1/containers/auth.json' } }, [], undefined, true],
    ['the service', { about: { service: 'docker-hub' } }, [], 'docker-hub', undefined],
  ] as const)("is docker's by %s (%o %o)", (_, held, events, service, frontOnly) => {
    expect(decided(held, events, service)).toMatchObject({ fronts: ['docker'] });
    expect(decided(held, events, service).frontOnly).toBe(frontOnly);
  });

  it.each([
    ['git alone', {}, [entry('store', 'git'), entry('first-use', 'git')], undefined],
    ['nothing', {}, [], undefined],
    ["another tool's file", { about: { origin: 'keyhold import from /home/ada/.git-credentials' } }, [], undefined],
    ['a registry of packages', { about: { service: 'npm' } }, [], 'npm'],
    ["another credential's store", {}, [entry('store', 'docker', 'other')], undefined],
    ['a store that was refused', {}, [{ ...entry('store', 'docker'), outcome: 'denied' as const }], undefined],
  ] as const)('stays undecided by %s', (_, held, events, service) => {
    expect(decided(held, events, service).fronts).toBeUndefined();
  });
});

describe('the first start', () => {
  async function started(log: readonly AuditEntry[]) {
    const backend = new FakeBackend();
    const all = [
      aHeld({ id: 'docker', host: 'registry.example' }),
      aHeld({ id: 'git', host: 'git.example' }),
      aHeld({ id: 'newer', host: 'newer.example', made: 'login', fronts: [] }),
    ];
    for (const held of all) await backend.put(held, { secret: secretFromText('old-EXAMPLE') });
    return { backend, ...(await start(backend, log)) };
  }
  async function start(backend: FakeBackend, log: readonly AuditEntry[]) {
    const core = new Core({ backend });
    await core.credentials.lifecycle.settled();
    const recorded: AuditEntry[] = [];
    const decider = new Decider({
      credentials: core.credentials,
      clock: core.clock,
      emit: () => {},
      services: (): readonly Manifest[] => builtIn,
      audit: {
        list: async (_, { after = 0 }) => ({
          found: log
            .map((one, at) => ({ number: at + 1, hash: new Uint8Array(32), line: new Uint8Array(0), entry: one }))
            .filter(({ number }) => number > after),
          head: { number: log.length, hash: new Uint8Array(32) },
        }),
        record: async (...entries) => void recorded.push(...entries),
      },
    });
    decider.begin();
    expect(await decider.settled()).toBe(true);
    const held = new Map([...core.credentials.entries.all()].map((one) => [one.id, one]));
    return { held, recorded, core };
  }

  it('notes it once, at rest, and says so in the audit log', async () => {
    const log = [entry('store', 'docker', 'docker'), entry('store', 'git', 'git')];
    const { held, recorded, backend } = await started(log);
    expect(held.get('docker')).toMatchObject({ made: 'tool', fronts: ['docker'], frontOnly: true });
    expect(held.get('git')).toMatchObject({ made: 'tool', fronts: undefined });
    expect(held.get('newer')).toMatchObject({ made: 'login', fronts: [] });
    expect(recorded).toMatchObject([{ action: 'upgrade', outcome: 'ok', times: 2 }]);
    expect((await backend.list()).find(({ id }) => id === 'docker')).toMatchObject({
      made: 'tool',
      fronts: ['docker'],
    });

    // What docker uses later decides nothing by itself.
    const again = await start(backend, [...log, entry('first-use', 'docker', 'git')]);
    expect(again.recorded).toEqual([]);
    expect(again.held.get('git')!.fronts).toBeUndefined();
  });

  it('goes on where it was cut', async () => {
    const { backend } = await started([]);
    const [one] = await backend.list();
    await backend.put({ ...one!, made: undefined, fronts: undefined }, { secret: secretFromText('old-EXAMPLE') });
    const again = await start(backend, [entry('store', 'docker', one!.id)]);
    expect(again.recorded).toMatchObject([{ times: 1 }]);
    expect(again.held.get(one!.id)).toMatchObject({ made: 'tool', fronts: ['docker'] });
  });
});
