import type { Seconds } from '../../protocol/credential.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import type { Clock } from '../clock.ts';
import type { Emit, EventKind } from '../events/agent-event.ts';
import type { Emitter } from '../events/emitter.ts';

/** Seconds that a get may wait for a human at most: as long as the desktop's prompt stands. */
const WAIT_MAX: Seconds = 120;
/** Milliseconds between two looks where nothing is said: a keyring may have been unlocked by whoever logged in. */
const LOOK_EVERY = 250;

/** That after which a get may be answered otherwise. */
const changing: ReadonlySet<EventKind> = new Set(['opened', 'stored', 'rotated', 'refreshed', 'signed-in']);

/** What a get waits for: the `unlock`, the login in the place of a token (its id), or one that is `under-way`. */
export type Need = 'unlock' | 'under-way' | { readonly id: string };

/**
 * The gets that wait for a person. However many want the same, that is told once (the event `wanted`), and when somebody has
 * seen to it all of them are answered, each until its own time is over. Nothing here asks anybody: `keyhold unlock` and
 * `keyhold auth login` do.
 */
export class Waiters {
  readonly #clock: Pick<Clock, 'sinceBoot'>;
  readonly #emit: Emit;
  /** How many wait for what a person must see to, by the id of a token, or `unlock`. */
  readonly #wanted = new Map<string, number>();
  #change: PromiseWithResolvers<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(clock: Pick<Clock, 'sinceBoot'>, events: Emitter) {
    this.#clock = clock;
    this.#emit = events.emit;
    events.subscribe(({ kind }) => {
      // Behind the part that speaks: it may not have ended yet.
      if (this.#change && changing.has(kind)) setImmediate(() => this.#wake());
    });
  }

  /** Asks again and again, until `needOf` finds no person needed in the answer or `wait` is over. Answers the last answer. */
  async attend(
    wait: Seconds,
    ask: () => Promise<CredentialReply>,
    needOf: (reply: CredentialReply) => Need | undefined,
  ): Promise<CredentialReply> {
    const until = this.#clock.sinceBoot() + Math.min(wait, WAIT_MAX);
    let wanted: string | undefined;
    try {
      for (;;) {
        // Before it asks: what changes while it is answered is not missed.
        const changed = this.#changed();
        const reply = await ask();
        const need = needOf(reply);
        if (need === undefined || this.#isOver || this.#clock.sinceBoot() >= until) return reply;
        const next = typeof need === 'object' ? need.id : need;
        if (next !== wanted) {
          this.#leave(wanted);
          this.#enter(need, next);
          wanted = next;
        }
        await changed;
      }
    } finally {
      this.#leave(wanted);
    }
  }

  /** Nobody waits any longer: each hears what it would have heard without waiting. */
  dispose(): void {
    this.#isOver = true;
    this.#wake();
  }

  #changed(): Promise<void> {
    this.#change ??= Promise.withResolvers<void>();
    this.#timer ??= setTimeout(() => this.#wake(), LOOK_EVERY);
    return this.#change.promise;
  }

  #wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const change = this.#change;
    this.#change = undefined;
    change?.resolve();
  }

  #enter(need: Need, key: string): void {
    const waiting = this.#wanted.get(key) ?? 0;
    this.#wanted.set(key, waiting + 1);
    // Whoever signs in just now need not be told that somebody should.
    if (waiting === 0 && need !== 'under-way')
      this.#emit({ kind: 'wanted', id: typeof need === 'object' ? need.id : undefined });
  }

  #leave(key: string | undefined): void {
    if (key === undefined) return;
    const left = this.#wanted.get(key)! - 1;
    if (left > 0) this.#wanted.set(key, left);
    else this.#wanted.delete(key);
  }
}
