import { type EpochSeconds, identityOf, type Target } from '../../protocol/credential.ts';
import type { Secret } from '../../protocol/secret.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { toWire } from '../../protocol/text.ts';
import { ask, detail, documents, requestOf } from '../cli/agent.ts';
import { CommandFailure } from '../cli/failure.ts';
import type { Connection } from '../dial.ts';
import type { Entry } from './source.ts';

/**
 * What became of a token: `imported`, and read back; `held` already; `differs`, where another one is held in its place,
 * which is not thrown away; `refused`, with why.
 */
export type Taking =
  | { readonly status: 'imported' | 'held' | 'differs' }
  | { readonly status: 'refused'; readonly why: string };

export type TakeOptions = {
  /** Put it in the place of another one that is held. */
  readonly replace: boolean;
  /** Where it comes from, which is kept with it. */
  readonly origin: string;
  /** The front whose file it is: its list shows it then. */
  readonly front?: string | undefined;
};

/** Gives tokens to the agent, one after the other. */
export class Taker {
  readonly #agent: Connection;
  /** What is held, by its place, and when it was stored; undefined where this run or a front has stored it. */
  readonly #slots: Map<string, EpochSeconds | undefined>;

  constructor(agent: Connection, slots: Map<string, EpochSeconds | undefined>) {
    this.#agent = agent;
    this.#slots = slots;
  }

  static async open(agent: Connection): Promise<Taker> {
    const { details } = await ask(agent, 'list');
    const slots = new Map<string, EpochSeconds | undefined>();
    for (const held of documents(details, 'item[]')) {
      const { storedAt, front } = held;
      const slot = slotOf(held);
      if (front === undefined) slots.set(slot, typeof storedAt === 'number' ? storedAt : undefined);
      else if (!slots.has(slot)) slots.set(slot, undefined);
    }
    return new Taker(agent, slots);
  }

  /**
   * Gives one token to the agent and reads it back: only then is it held for certain. Throws a `CommandFailure` where
   * the agent cannot keep anything now, such as while it is locked.
   */
  async take({ target, secret, expiresAt }: Entry, { replace, origin, front }: TakeOptions): Promise<Taking> {
    // The agent hears a store of what is dead already and keeps nothing.
    if (expiresAt !== undefined && expiresAt <= Date.now() / 1_000)
      return { status: 'refused', why: 'it is past its expiry' };
    const slot = identityOf(target);
    if (this.#slots.has(slot)) {
      if (await this.#holds(target, secret)) return { status: 'held' };
      if (!replace) return { status: 'differs' };
    }
    const seen = this.#slots.has(slot) ? this.#slots.get(slot) : 0;
    const request = requestOf('store', {
      target,
      secret,
      made: 'imported',
      // What is stored after the list was read is newer, and stays.
      onlyOver: seen === undefined ? undefined : { storedAt: seen },
      attributes: { origin: toWire(origin), front },
    });
    const reply = await this.#agent({ ...request, expiresAt });
    if (reply.status === 'revoked' || reply.status === 'bad-request' || reply.status === 'denied') {
      return { status: 'refused', why: reply.message };
    }
    if (reply.status !== 'ok') throw new CommandFailure(exitCodeOf(reply.status), reply.message);
    this.#slots.set(slot, undefined);
    if ((await this.#isGiven(target, secret)) || (await this.#holds(target, secret))) return { status: 'imported' };
    return { status: 'refused', why: 'what was read back is another value' };
  }

  /** Whether it is what a tool would be given for this target. */
  async #isGiven(target: Target, secret: Secret): Promise<boolean> {
    const reply = await this.#agent(requestOf('get', { target }));
    if (reply.status !== 'ok') return false;
    const { secret: held, refreshToken } = reply.credential ?? {};
    refreshToken?.dispose();
    const isSame = held?.equals(secret) ?? false;
    held?.dispose();
    return isSame;
  }

  /** Whether it is held for this target, though a profile may prefer another account's. */
  async #holds(target: Target, secret: Secret): Promise<boolean> {
    const reply = await this.#agent(requestOf('same', { target, secret }));
    return reply.status === 'ok' && detail(reply.details, 'same') === 'true';
  }
}

/** Whether what the agent holds rests anywhere: what lives in memory only dies with it. */
export async function isDurable(agent: Connection): Promise<boolean> {
  const { details } = await ask(agent, 'status');
  return detail(details, 'durable') === 'true';
}

function slotOf({ protocol, host, path, username }: Record<string, unknown>): string {
  const wire = (value: unknown) => (typeof value === 'string' ? toWire(value) : undefined);
  return identityOf({
    protocol: wire(protocol) ?? '',
    host: wire(host) ?? '',
    path: wire(path),
    username: wire(username),
  });
}
