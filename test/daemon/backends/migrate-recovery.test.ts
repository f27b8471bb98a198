import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backend, BackendName } from '../../../daemon/backends/backend.ts';
import type { Backends } from '../../../daemon/backends/index.ts';
import { migrate } from '../../../daemon/backends/migrate.ts';
import { type MigrateJournal, openMigrateJournal } from '../../../daemon/backends/migrate-journal.ts';
import { MigrateRecovery } from '../../../daemon/backends/migrate-recovery.ts';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { FakeBackend } from '../../fakes/backend.ts';
import { Core } from '../../fakes/core.ts';
import { temporaryFolder } from '../../temporary.ts';

const HOSTS = Array.from({ length: 6 }, (_, at) => `h${at}.test`);

/** What outlives a process: two backends, the note which of them is in use, and the journal. */
class Machine {
  readonly folder = temporaryFolder('migrate');
  readonly file = join(this.folder.path, 'migrate.json');
  readonly stores = {
    vault: new FakeBackend(),
    keyring: Object.assign(new FakeBackend(), { name: 'keyring' as 'vault' }),
  };
  note: BackendName = 'vault';

  /** Starts an agent. It dies in front of its `diesAt`th change of anything that outlives it. */
  start(diesAt = Number.POSITIVE_INFINITY) {
    let changes = 0;
    /** Answers whether the process still lives, and counts. */
    const lives = () => ++changes < diesAt;
    const backends: Backends = {
      openChosen: async () => this.#mortal(this.note, lives),
      open: async (name) => this.#mortal(name, lives),
      remember: (name) => {
        if (name === this.note) return;
        if (lives()) this.note = name;
        else throw new Died();
      },
      survey: async () => [],
    };
    const real = openMigrateJournal(this.file);
    const mortal = <R>(work: () => R): R => {
      if (!lives()) throw new Died();
      return work();
    };
    const journal: MigrateJournal = {
      ...real,
      write: async (record, kept) => mortal(() => real.write(record, kept)),
      clear: () => {
        if (existsSync(this.file)) mortal(real.clear);
      },
    };
    const recovery = new MigrateRecovery({ journal, backends, emit() {} });
    const core = new Core({ open: () => recovery.open() });
    return {
      core,
      recovery,
      /** Settles when the migrate is over, or the process died. */
      async migrate(name: BackendName) {
        await core.credentials.lifecycle.ready();
        await recovery.settleFirst();
        const from = core.credentials.lifecycle.backend!.name;
        const work = migrate(
          core.credentials,
          await backends.open(name),
          recovery.steps(from, name),
          () => {},
          agentItself,
        );
        const death = new Promise<'died'>((resolve) => {
          const timer = setInterval(() => {
            if (changes < diesAt) return;
            clearInterval(timer);
            resolve('died');
          });
          void work.catch(() => {}).finally(() => clearInterval(timer));
        });
        return Promise.race([work.catch((error) => (changes < diesAt ? Promise.reject(error) : 'died')), death]);
      },
    };
  }

  #mortal(name: BackendName, lives: () => boolean): Backend {
    const store = this.stores[name as 'vault'];
    const forever = new Promise<never>(() => {});
    const mortal =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      (...args: A): Promise<R> =>
        lives() ? call.apply(store, args) : forever;
    return {
      name: store.name,
      durable: true,
      needsPassphrase: false,
      degradations: () => [],
      list: () => store.list(),
      get: (held) => store.get(held),
      put: mortal(store.put),
      annotate: mortal(store.annotate),
      move: mortal(store.move),
      remove: mortal(store.remove),
      unlock: (means) => store.unlock(means),
      lock: () => store.lock(),
      dispose: async () => {},
    };
  }
}

class Died extends Error {}

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});
afterEach(() => machine.folder.remove());

async function hold(): Promise<void> {
  const { core } = machine.start();
  for (const host of HOSTS) await core.store({ host, password: `${host}-EXAMPLE` });
}

async function served(core: Core): Promise<string[]> {
  const found = [];
  for (const host of HOSTS) {
    const answer = await core.get({ host });
    if (answer === `ada ${host}-EXAMPLE`) found.push(host);
    else expect(answer).toBe('not-found');
  }
  return found;
}

async function countIn(name: 'vault' | 'keyring'): Promise<number> {
  return (await machine.stores[name].list()).length;
}

describe('a migrate that is cut', () => {
  it('half-way, then an erase of one that was carried, then a migrate: the erased one is not served again', async () => {
    await hold();
    // The journal is the first change; then the key of marks, which is the agent's own, and two credentials.
    expect(await machine.start(5).migrate('keyring')).toBe('died');
    expect(await countIn('keyring')).toBe(3);

    const { core, recovery, migrate } = machine.start();
    expect(await served(core)).toEqual(HOSTS);
    expect(await core.erase({ host: HOSTS[1]! })).toBe('ok');
    await recovery.settle();
    expect(await countIn('keyring')).toBe(0);
    expect(await migrate('keyring')).toEqual({ carried: 5, notRemoved: [], notCarried: [] });
    expect(await served(core)).toEqual(HOSTS.filter((host) => host !== HOSTS[1]));
    expect(await served(machine.start().core)).toEqual(HOSTS.filter((host) => host !== HOSTS[1]));
  });

  it('behind the switch is finished by the next start, and names what is left until then', async () => {
    await hold();
    // The journal, seven copies with the key of marks, the switch in the journal, the note, then two removed.
    expect(await machine.start(13).migrate('keyring')).toBe('died');
    expect([await countIn('vault'), await countIn('keyring')]).toEqual([5, 7]);

    const { core, recovery } = machine.start();
    expect(await served(core)).toEqual(HOSTS);
    expect(core.credentials.lifecycle.backend!.name).toBe('keyring');
    expect(recovery.degradations()).toMatchObject([
      {
        code: 'migrate-leftovers',
        what: 'a migrate from vault to keyring was cut and is done; copies that are not served remain in vault',
        remedy: 'run: keyhold doctor --repair',
      },
    ]);
    expect(await recovery.settle()).toMatchObject({ removed: 5, left: 0 });
    expect([await countIn('vault'), await countIn('keyring')]).toEqual([0, 7]);
    expect(recovery.degradations()).toEqual([]);
    expect(existsSync(machine.file)).toBe(false);
  });

  it('at any change, in either direction: nothing is lost, nothing erased returns, nothing is left over', async () => {
    for (const [from, to] of [
      ['vault', 'keyring'],
      ['keyring', 'vault'],
    ] as const) {
      let cuts = 0;
      for (let diesAt = 1; ; diesAt++) {
        machine.folder.remove();
        machine = new Machine();
        machine.note = from;
        await hold();
        const outcome = await machine.start(diesAt).migrate(to);
        if (outcome !== 'died') break;
        cuts++;
        const { core, recovery, migrate } = machine.start();
        const erased = HOSTS[diesAt % HOSTS.length]!;
        expect(await served(core)).toEqual(HOSTS);
        expect(await core.erase({ host: erased })).toBe('ok');
        await recovery.settle();
        const rest = HOSTS.filter((host) => host !== erased);
        const other = core.credentials.lifecycle.backend!.name === from ? to : from;
        expect(await countIn(other)).toBe(0);
        expect(existsSync(machine.file)).toBe(false);
        await migrate(other);
        expect(await served(core)).toEqual(rest);
        expect(await served(machine.start().core)).toEqual(rest);
      }
      expect(cuts).toBeGreaterThan(2 * HOSTS.length);
    }
  });

  it('is cut again while it is finished, and still comes to its end', async () => {
    await hold();
    expect(await machine.start(11).migrate('keyring')).toBe('died');
    for (let tries = 0; existsSync(machine.file); tries++) {
      expect(tries).toBeLessThan(10);
      const { core, recovery } = machine.start(3);
      await core.credentials.lifecycle.ready();
      await Promise.race([recovery.settle(), new Promise((resolve) => setTimeout(resolve, 100))]);
    }
    expect([await countIn('vault'), await countIn('keyring')]).toEqual([0, 7]);
    expect(await served(machine.start().core)).toEqual(HOSTS);
  });

  it('leaves what the other backend held before', async () => {
    const { core } = machine.start();
    await core.credentials.lifecycle.ready();
    machine.note = 'keyring';
    const elsewhere = machine.start().core;
    await elsewhere.store({ host: 'before.test' });
    machine.note = 'vault';
    for (const host of HOSTS) await core.store({ host, password: `${host}-EXAMPLE` });
    expect(await machine.start(5).migrate('keyring')).toBe('died');
    await machine.start().recovery.settle();
    expect((await machine.stores.keyring.credentials()).map(({ host }) => host)).toEqual(['before.test']);
  });

  it('keeps another from beginning while its leftovers cannot be removed, and says why', async () => {
    await hold();
    expect(await machine.start(5).migrate('keyring')).toBe('died');
    machine.stores.keyring.faults.set('list', 'backend_hung');
    const { core, recovery, migrate } = machine.start();
    expect(await served(core)).toEqual(HOSTS);
    await expect(migrate('keyring')).rejects.toThrow(
      /^cannot migrate: copies of an earlier migrate could not be removed yet \(.*backend_hung\); run: keyhold doctor --repair$/,
    );
    expect(recovery.degradations()[0]!.what).toMatch(/remain in keyring: .*backend_hung$/);
    machine.stores.keyring.faults.clear();
    expect(await recovery.settle()).toMatchObject({ removed: 3, left: 0 });
  });

  it('has a journal that names neither host nor account', async () => {
    await hold();
    await machine.start(5).migrate('keyring');
    const text = readFileSync(machine.file, 'utf8');
    expect(JSON.parse(text)).toEqual({ version: 2, from: 'vault', to: 'keyring', phase: 'copying', kept: 0 });
  });
});
