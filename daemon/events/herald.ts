import type { EpochSeconds, Seconds } from '../../protocol/credential.ts';
import type { EventName, KeyholdEvent } from '../../protocol/events.ts';
import type { Held } from '../backends/backend.ts';
import type { Clock } from '../clock.ts';
import { Sweeper } from '../credentials/unlocked/sweeper.ts';
import type { Sidecar } from '../processes/sidecar.ts';
import type { StreamHandle } from '../socket/connection.ts';
import type { Emit, EventKind } from './agent-event.ts';

/** Which events are told, and by what name. */
const told: Readonly<Partial<Record<EventKind, EventName>>> = {
  stored: 'stored',
  'signed-in': 'stored',
  rotated: 'rotated',
  refreshed: 'refreshed',
  erased: 'erased',
  buried: 'revoked',
  ended: 'ended',
  locked: 'locked',
  opened: 'unlocked',
  wanted: 'wanted',
};

/** Milliseconds for which events are gathered: a burst of thousands costs a few messages, and nobody notices the wait. */
const GATHERED_FOR = 20;

export type HeraldParts = {
  readonly attendant: Pick<Sidecar, 'take' | 'tell' | 'pid' | 'dispose'>;
  readonly clock: Clock;
  /** What is held now. */
  readonly held: () => Iterable<Held>;
  readonly byId: (id: string) => Held | undefined;
  /** How long before its expiry a token is announced. */
  readonly lead: Seconds;
};

/**
 * Tells the listeners of events.sock what happens. While there is none, that is one comparison for each event, and
 * no timer runs. Expiry goes by the wall clock, so it is looked at again at least every minute: timers stand still in
 * suspend, and clocks are set.
 */
export class Herald {
  readonly #parts: HeraldParts;
  readonly #sweeper: Sweeper;
  /** By id the expiry that was announced to those who listen now. */
  readonly #announced = new Map<string, number>();
  #gathered: KeyholdEvent[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: HeraldParts) {
    this.#parts = parts;
    this.#sweeper = new Sweeper(parts.clock, (now) => this.#announce(now));
  }

  /** Of the process that tells them, while it is up. */
  get pid(): number | undefined {
    return this.#parts.attendant.pid;
  }

  /** Takes an event of the agent. */
  readonly heard: Emit = (happened) => {
    const event = told[happened.kind];
    if (this.#parts.attendant.pid === undefined || event === undefined) return;
    this.#pass(event, 'id' in happened ? happened.id : undefined);
  };

  /** Somebody wants to listen. The first one hears of all that expires soon. */
  take(handle: StreamHandle): void {
    if (this.#parts.attendant.pid === undefined) this.#announced.clear();
    this.#parts.attendant.take(handle);
    this.#lookSoon();
  }

  /** Lets those who listen go. */
  async dispose(deadline: number): Promise<void> {
    this.#sweeper.dispose();
    this.#flush();
    await this.#parts.attendant.dispose(deadline);
  }

  #pass(event: EventName, id: string | undefined): void {
    const { clock, byId } = this.#parts;
    if (id === undefined) {
      this.#tell({ event, at: clock.now() });
      this.#lookSoon();
      return;
    }
    const held = byId(id);
    this.#tell({ event, at: clock.now(), id, expiresAt: held?.expiresAt });
    // Of the others nothing has changed.
    const left = held && this.#announceOne(held, clock.now());
    if (left !== undefined) this.#sweeper.by(clock.sinceBoot() + left);
  }

  #lookSoon(): void {
    this.#sweeper.by(this.#parts.clock.sinceBoot());
  }

  /** Announces what is due. Answers, on the boot-time clock, when the next one is. */
  #announce(now: Seconds): Seconds | undefined {
    const { attendant, clock, held } = this.#parts;
    if (attendant.pid === undefined) return undefined;
    const wall = clock.now();
    let next: Seconds | undefined;
    for (const one of held()) {
      const left = this.#announceOne(one, wall);
      if (left !== undefined) next = Math.min(next ?? left, left);
    }
    return next === undefined ? undefined : now + next;
  }

  /** Announces one that is due. Answers in how many seconds it will be; undefined where it never is, or was announced. */
  #announceOne({ id, expiresAt }: Held, wall: EpochSeconds): Seconds | undefined {
    if (expiresAt === undefined || expiresAt <= wall || this.#announced.get(id) === expiresAt) return undefined;
    const left = expiresAt - this.#parts.lead - wall;
    if (left > 0) return left;
    this.#announced.set(id, expiresAt);
    this.#tell({ event: 'expiring', at: wall, id, expiresAt });
    return undefined;
  }

  #tell(event: KeyholdEvent): void {
    this.#gathered.push(event);
    this.#timer ??= setTimeout(() => this.#flush(), GATHERED_FOR).unref();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered.length > 0) this.#parts.attendant.tell(this.#gathered);
    this.#gathered = [];
  }
}
