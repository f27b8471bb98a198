import { asFault, KeyholdError } from '../../protocol/errors.ts';
import type { Secret } from '../../protocol/secret.ts';
import { fromWire } from '../../protocol/text.ts';
import type { Emit } from '../events/agent-event.ts';
import { isOwn } from '../history/tombstones/own-records.ts';
import { filterInSlices } from '../slices.ts';
import type { Backend, BackendName, Degradation, Held } from './backend.ts';
import type { Backends } from './index.ts';
import type { MemoryOver } from './memory-over.ts';
import type { MigrateSteps } from './migrate.ts';
import type { MigrateJournal, MigrateRecord } from './migrate-journal.ts';

/** Milliseconds for which a migrate to the memory can be undone. */
const KEPT_FOR = 86_400_000;

export type MigrateRecoveryParts = {
  readonly journal: MigrateJournal;
  readonly backends: Backends;
  readonly emit: Emit;
};

/** What a recovery did: how many copies it removed, how many it could not (at least), and why. */
export type Recovered = {
  readonly removed: number;
  readonly left: number;
  /** Those that it could not, as far as they are known. */
  readonly leftovers?: readonly Held[] | undefined;
  readonly fault?: KeyholdError | undefined;
};

/**
 * Finishes or undoes a migrate that was cut, by its journal. Cut before the switch, the copies in the new backend are
 * removed; cut after it, those in the old one. The backend in use is whole either way, so requests need not wait for
 * this. It runs at every opening and for `keyhold doctor --repair`, until nothing is left over.
 */
export class MigrateRecovery {
  readonly #journal: MigrateJournal;
  readonly #backends: Backends;
  readonly #emit: Emit;
  #running: Promise<Recovered> | undefined;
  #disposed = false;
  /** Why the last attempt ended early. */
  #fault: KeyholdError | undefined;
  /** What it could not remove. */
  #leftovers: readonly Held[] = [];
  /** The memory in use, over the backend that still has the copies. */
  #over: MemoryOver | undefined;
  #dropping: NodeJS.Timeout | undefined;
  /** The backend that this agent came back to, because the one before it ended while it held everything in memory. */
  #cameBackTo: BackendName | undefined;

  constructor({ journal, backends, emit }: MigrateRecoveryParts) {
    this.#journal = journal;
    this.#backends = backends;
    this.#emit = emit;
  }

  /**
   * Opens the backend that is whole: while a migrate is unfinished its journal says which, else the setting and the note
   * do. Throws what opening throws.
   */
  async open(): Promise<Backend> {
    const record = this.#read();
    if (!record) return this.#backends.openChosen();
    if (record.phase === 'kept') {
      // The agent before this one ended while it held everything in memory: what it had carried is still here.
      this.#journal.clear();
      this.#cameBackTo = record.from;
      return this.#backends.open(record.from);
    }
    const isGone = record.to === 'memory' || (record.from === 'memory' && record.phase === 'copying');
    if (isGone) {
      // What was in memory ended with its process: copies at rest are all that is left of it, and they stay.
      this.#journal.clear();
      return this.#backends.openChosen();
    }
    const inUse = record.phase === 'copying' ? record.from : record.to;
    this.#backends.remember(inUse);
    return this.#backends.open(inUse);
  }

  /** The memory in use, while a migrate to it can be undone. */
  get over(): MemoryOver | undefined {
    return this.#over;
  }

  /**
   * Makes a migrate to the memory final: removes the copies whose values are in memory. Answers how many are left; those are tried
   * again at the next call.
   */
  async drop(): Promise<number> {
    const left = (await this.#over?.drop()) ?? 0;
    if (left === 0 && this.#over) this.#forgetOver();
    return left;
  }

  #forgetOver(): void {
    clearTimeout(this.#dropping);
    this.#over = undefined;
    this.#journal.clear();
  }

  /** The steps of a migrate, written into the journal as it makes them. */
  steps(current: BackendName, to: BackendName): MigrateSteps {
    // What is in memory over copies is, for the reader of the journal, still where the copies are.
    const from = current === 'memory' && this.#over ? this.#over.before.name : current;
    const end = () => {
      this.#fault = undefined;
      if (this.#over) this.#forgetOver();
      else this.#journal.clear();
    };
    // Back to the copies: until the end they serve whatever happens, as the journal says already.
    if (from === to) return { async begin() {}, async commit() {}, async keep() {}, end };
    return {
      begin: (kept) => this.#journal.write({ from, to, phase: 'copying' }, kept),
      commit: async (kept) => {
        await this.#journal.write({ from, to, phase: 'removing' }, kept);
        this.#backends.remember(to);
      },
      keep: async (over) => {
        await this.#journal.write({ from, to, phase: 'kept' }, []);
        this.#over = over;
        this.#dropping = setTimeout(() => void this.drop().catch(() => {}), KEPT_FOR).unref();
      },
      end,
    };
  }

  /**
   * Removes what an unfinished migrate left. Concurrent calls share one run. It does not throw: what stays is counted,
   * named by `degradations`, and tried again at the next call. `passphrase` opens a vault that needs one; it is borrowed.
   */
  settle(passphrase?: Secret): Promise<Recovered> {
    this.#running ??= this.#settle(passphrase).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Throws why an unfinished migrate keeps another from beginning. */
  async settleFirst(): Promise<void> {
    this.#journal.read();
    const { left } = await this.settle();
    if (left === 0) return;
    const why = this.#fault ? ` (${this.#fault.message})` : '';
    throw new KeyholdError(
      'backend_failed',
      `cannot migrate: copies of an earlier migrate could not be removed yet${why}; run: keyhold doctor --repair`,
    );
  }

  degradations(): readonly Degradation[] {
    if (this.#cameBackTo !== undefined) return [cameBack(this.#cameBackTo)];
    let record: MigrateRecord | undefined;
    try {
      record = this.#journal.read();
    } catch (error) {
      const [what = '', remedy = ''] = asFault(error).message.split('; ');
      return [{ code: 'migrate-journal', what, remedy }];
    }
    if (!record || record.to === 'memory' || record.from === 'memory') return [];
    const { from, to, phase } = record;
    const [where, state] = phase === 'copying' ? [to, 'was undone'] : [from, 'is done'];
    const why = this.#fault ? `: ${this.#fault.message.split('; ')[0]}` : '';
    return [
      {
        code: 'migrate-leftovers',
        what: `a migrate from ${from} to ${to} was cut and ${state}; copies that are not served remain in ${where}${named(this.#leftovers)}${why}`,
        remedy: 'run: keyhold doctor --repair',
      },
    ];
  }

  /** Waits for a removal under way; what is left is removed after the next start. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    clearTimeout(this.#dropping);
    await this.#running;
  }

  #read(): MigrateRecord | undefined {
    try {
      return this.#journal.read();
    } catch (error) {
      this.#emit({ kind: 'migrate-journal', code: asFault(error).code });
      return undefined;
    }
  }

  async #settle(passphrase: Secret | undefined): Promise<Recovered> {
    const record = this.#read();
    if (!record || this.#disposed) return { removed: 0, left: 0 };
    const { from, to, phase } = record;
    if (phase === 'kept') return { removed: 0, left: 0 };
    const name = phase === 'copying' ? to : from;
    if (name === 'memory') {
      this.#journal.clear();
      return { removed: 0, left: 0 };
    }
    this.#fault = undefined;
    let removed = 0;
    let left = 0;
    const leftovers: Held[] = [];
    try {
      const backend = await this.#backends.open(name);
      try {
        if (backend.needsPassphrase) await unlockBy(backend, passphrase);
        const kept = await this.#journal.kept();
        const all = await filterInSlices(await backend.list(), ({ id }) => !kept.has(id));
        for (const held of all) {
          if (this.#disposed) return { removed, left: all.length - removed };
          try {
            await backend.remove(held);
            removed++;
          } catch (error) {
            this.#fault ??= asFault(error);
            left++;
            if (!isOwn(held)) leftovers.push(held);
          }
          // Each removal is made durable, and requests come first.
          await new Promise(setImmediate);
        }
      } finally {
        await backend.dispose();
      }
      if (left === 0) this.#journal.clear();
    } catch (error) {
      this.#fault = asFault(error);
      left = Math.max(left, 1);
    }
    this.#emit({
      kind: 'migrate-recovered',
      backend: name,
      state: phase,
      count: removed,
      outcome: left > 0 ? 'unfinished' : 'done',
    });
    this.#leftovers = leftovers;
    return { removed, left, leftovers, fault: this.#fault };
  }
}

/** Most that are named in one line. */
const NAMED_MAX = 5;

function named(leftovers: readonly Held[]): string {
  if (leftovers.length === 0) return '';
  const names = leftovers.slice(0, NAMED_MAX).map(({ protocol, host, username }) => {
    return `${fromWire(username ?? '')}${username ? '@' : ''}${protocol}://${host}`;
  });
  const more = leftovers.length > NAMED_MAX ? ` and ${leftovers.length - NAMED_MAX} more` : '';
  return ` (${names.join(', ')}${more})`;
}

function cameBack(to: BackendName): Degradation {
  return {
    code: 'memory-ended',
    what: `the agent before this one held its credentials in memory only and has ended: the ${to} serves what it had carried, without what was stored since`,
    remedy: 'to hold them in memory only again, run: keyhold backend migrate memory',
  };
}

function unlockBy(backend: Backend, passphrase: Secret | undefined): Promise<void> {
  if (passphrase) return backend.unlock({ passphrase, mayPrompt: false });
  throw new KeyholdError(
    'interaction_required',
    `cannot remove copies from the ${backend.name}: it needs its passphrase; run: keyhold doctor --repair`,
  );
}
