import type { Backend, Held, UnlockMeans } from '../../daemon/backends/backend.ts';
import { openMemory } from '../../daemon/backends/memory.ts';
import { type FaultCode, KeyholdError } from '../../protocol/errors.ts';
import { heapSecret } from '../../protocol/secret.ts';

type Call = 'list' | 'get' | 'put' | 'remove' | 'unlock';

/**
 * A backend that keeps what it was given through a lock, as a durable one does, and whose calls can be counted, made
 * to fail, and held up until the test lets them go.
 */
export class FakeBackend implements Backend {
  readonly name = 'vault';
  readonly durable = true;
  needsPassphrase = false;
  /** Locked by `lock`, opened by `unlock`; what rests stays. */
  locked = false;
  disposed = false;
  /** How often each call was made. */
  readonly calls: Record<Call, number> = { list: 0, get: 0, put: 0, remove: 0, unlock: 0 };
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
  async get(held: Held) {
    return (await this.#reach('get')).get(held);
  }
  async put(held: Held, secrets: Parameters<Backend['put']>[1]) {
    await (await this.#reach('put')).put(held, secrets);
  }
  async remove(held: Held) {
    await (await this.#reach('remove')).remove(held);
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

  async #reach(call: Call): Promise<Backend> {
    this.calls[call]++;
    if (this.locked) throw new KeyholdError('backend_locked', 'cannot use it: it is locked');
    await this.#obstacles(call);
    return this.#memory;
  }

  async #obstacles(call: Call): Promise<void> {
    await this.#held.get(call)?.promise;
    const fault = this.faults.get(call);
    if (fault) throw new KeyholdError(fault, `cannot ${call}: the test says ${fault}`);
  }
}
