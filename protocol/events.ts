import { KeyholdError } from './errors.ts';

/** What can happen to a credential or to the agent, and which of it is told. docs/events.md shows this table. */
export const eventNames = {
  stored: 'a token is held that was not, or in memory only',
  rotated: 'another value is held for the same token',
  refreshed: 'the agent got a new value from its service',
  erased: 'a token is forgotten, in memory and at rest',
  revoked: 'a token is dead at its service',
  ended: 'a service says that it does not take a token any more: it is kept and not served',
  expiring: 'a token expires soon',
  locked: 'nothing is served any more',
  unlocked: 'the agent serves',
  wanted: 'somebody waits for a person: to sign in for this token, or without one to unlock',
} as const;

export type EventName = keyof typeof eventNames;

/** Something that happened: which token by its id, and when. Never a value, a host or a name of a person. */
export type KeyholdEvent =
  | {
      readonly event: EventName;
      /** Of the token; absent where it is not about one. `list` has what it is for. */
      readonly id?: string | undefined;
      /** Epoch seconds. */
      readonly at: number;
      /** When the token expires, in epoch seconds, where that is known. */
      readonly expiresAt?: number | undefined;
    }
  /** The first word to who listens: what happens from here on is told. Whatever happened before may have been missed. */
  | { readonly event: 'hello'; readonly at: number };

/** Ends a frame on events.sock: a form feed, which JSON escapes. */
export const FRAME_END = '\f';
/** Longest frame in bytes: an event has less than 200. */
export const EVENT_FRAME_MAX = 4_096;

/** Whether a name is one of an event that this version knows. */
export function isEventName(name: unknown): name is EventName | 'hello' {
  return typeof name === 'string' && (name === 'hello' || Object.hasOwn(eventNames, name));
}

/**
 * Reads the frames of the event channel: `{"type":NAME,"data":{…}}`, each ended by a form feed. Events that are not
 * known are a newer agent's, and skipped.
 */
export class EventFrames {
  #rest = '';

  /** Takes bytes as UTF-8 text in which no character is cut. Throws `bad_reply` for what is no frame or has no end. */
  *read(text: string): Generator<KeyholdEvent> {
    const frames = (this.#rest + text).split(FRAME_END);
    this.#rest = frames.pop()!;
    for (const frame of frames) {
      const event = eventOf(frame);
      if (event) yield event;
    }
    if (this.#rest.length > EVENT_FRAME_MAX) throw unreadable('a frame has no end');
  }
}

function eventOf(frame: string): KeyholdEvent | undefined {
  if (frame.length > EVENT_FRAME_MAX) throw unreadable('a frame is too long');
  let message: unknown;
  try {
    message = JSON.parse(frame);
  } catch {
    throw unreadable('a frame is no JSON');
  }
  const { type, data } = (message ?? {}) as { type?: unknown; data?: unknown };
  if (!isEventName(type)) return undefined;
  const { id, at, expiresAt } = (data ?? {}) as Record<string, unknown>;
  if (!isTime(at)) throw unreadable('an event has no time');
  if (type === 'hello') return { event: type, at };
  return {
    event: type,
    at,
    ...(typeof id === 'string' ? { id } : {}),
    ...(isTime(expiresAt) ? { expiresAt } : {}),
  };
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function unreadable(why: string): KeyholdError {
  return new KeyholdError('bad_reply', `cannot follow the events: ${why}; run: keyhold doctor`);
}
