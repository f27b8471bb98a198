import type { Backend, Held, UnlockMeans } from '../../daemon/backends/backend.ts';
import { openMemory } from '../../daemon/backends/memory.ts';
import { isOwn } from '../../daemon/history/tombstones/own-records.ts';
import type { Target } from '../../protocol/credential.ts';
import { type FaultCode, KeyholdError } from '../../protocol/errors.ts';
import { heapSecret } from '../../protocol/secret.ts';

type Call = 'list' | 'get' | 'put' | 'annotate' | 'remove' | 'unlock';

/**
 * A backend that keeps what it was given through a lock, as a durable one does, and whose calls can be counted, made
 * to fail, and held up until the test lets them go. What the agent keeps of its own is neither counted nor held up.
 */
export class FakeBackend implements Backend {
  readonly name = 'vault';
  readonly durable = true;
  needsPassphrase = false;
  /** Locked by `lock`, opened by `unlock`; what rests stays. */
  locked = false;
  disposed = false;
  /** How often each call was made. */
  readonly calls: Record<Call, number> = { list: 0, get: 0, put: 0, annotate: 0, remove: 0, unlock: 0 };
  /** Calls that fail, and how. */
  readonly faults = new Map<Call, FaultCode>();
  readonly #memory = openMemory({ keep: heapSecret });
  readonly #held = new Map<Call, PromiseWithResolvers<void>>();

  /** Holds further calls of this kind until the function that it answers is called. */
  hold(call: Call): () => void {
    const gate = Promise.withResolvers<void>();
    this.#held.set(call, gate);
    return () => {
      this.#held.delete(call);
      gate.resolve();
    };
  }

  degradations() {
    return [];
  }
  async list() {
    return (await this.#reach('list')).list();
  }
  /** Usernames of credentials whose record is damaged. */
  readonly damaged = new Set<string>();
  /** Whether it can tell what a host has while its list is still being read. */
  isReadByHost = false;
  async heldFor({ protocol, host }: Target) {
    if (!this.isReadByHost) return undefined;
    return (await (await this.#memory).list()).filter((held) => held.protocol === protocol && held.host === host);
  }
  /** What rests here without what is the agent's own. */
  async credentials(): Promise<readonly Held[]> {
    return (await (await this.#memory).list()).filter((held) => !isOwn(held));
  }
  async get(held: Held) {
    const memory = await this.#reach('get', held);
    if (this.damaged.has(held.username ?? '')) throw new KeyholdError('vault_corrupt', 'cannot read it: it is damaged');
    return memory.get(held);
  }
  async put(held: Held, secrets: Parameters<Backend['put']>[1]) {
    await (await this.#reach('put', held)).put(held, secrets);
  }
  async annotate(held: Held) {
    await (await this.#reach('annotate', held)).annotate(held);
  }
  async remove(held: Held) {
    await (await this.#reach('remove', held)).remove(held);
  }
  /** Counted, held up and made to fail as the removal or the put that it is. */
  async move(from: Held, to: Held) {
    return (await this.#reach(isOwn(from) ? 'put' : 'remove', isOwn(from) ? to : from)).move(from, to);
  }
  async unlock({ passphrase }: UnlockMeans) {
    this.calls.unlock++;
    await this.#obstacles('unlock');
    if (this.needsPassphrase && this.locked && !passphrase) {
      throw new KeyholdError('interaction_required', 'cannot unlock: it needs its passphrase');
    }
    this.locked = false;
  }
  lock() {
    this.locked = true;
  }
  async dispose() {
    this.disposed = true;
  }

  async #reach(call: Call, held?: Held): Promise<Backend> {
    const isOfTheirs = held === undefined || !isOwn(held);
    if (isOfTheirs) this.calls[call]++;
    if (this.locked) throw new KeyholdError('backend_locked', 'cannot use it: it is locked');
    await this.#obstacles(call, isOfTheirs);
    return this.#memory;
  }

  async #obstacles(call: Call, canWait = true): Promise<void> {
    if (canWait) await this.#held.get(call)?.promise;
    const fault = this.faults.get(call);
    if (fault) throw new KeyholdError(fault, `cannot ${call}: the test says ${fault}`);
  }
}
