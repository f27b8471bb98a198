import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const PREFIX = 'keyhold:';
const MAC_LENGTH = 22;
/** States that are kept ready: a seal costs as much as all the rest of a get. */
const READY_MAX = 1_000;

/**
 * git's `state[]`: what we say in one round and hear in the next, so that an erase names exactly the credential that
 * was served. It comes back through other programs, so it carries a seal; a foreign or forged state means nothing.
 */
export class RoundState {
  readonly #key = randomBytes(32);
  readonly #ready = new Map<string, string>();

  /** The state that stands for a credential's id. */
  of(id: string): string {
    let state = this.#ready.get(id);
    if (state === undefined) {
      state = `${PREFIX}${id}.${this.#mac(id)}`;
      if (this.#ready.size === READY_MAX) this.#ready.clear();
      this.#ready.set(id, state);
    }
    return state;
  }

  /** The id in the first state that is ours and whole. */
  read(states: readonly string[]): string | undefined {
    for (const state of states) {
      if (!state.startsWith(PREFIX)) continue;
      const dot = state.lastIndexOf('.');
      const id = state.slice(PREFIX.length, dot);
      const mac = Buffer.from(state.slice(dot + 1), 'latin1');
      const expected = Buffer.from(this.#mac(id), 'latin1');
      if (mac.length === expected.length && timingSafeEqual(mac, expected)) return id;
    }
    return undefined;
  }

  #mac(id: string): string {
    return createHmac('sha256', this.#key).update(id, 'latin1').digest('base64url').slice(0, MAC_LENGTH);
  }
}
