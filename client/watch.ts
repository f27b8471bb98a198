import { connect, type Socket } from 'node:net';
import { KeyholdError } from '../protocol/errors.ts';
import { EventFrames, type KeyholdEvent } from '../protocol/events.ts';
import { checkSocketFolder, locate } from './locate.ts';

/** Milliseconds to the first and the longest pause between two attempts to connect; each pause is twice the one before. */
const PAUSE_FIRST = 100;
const PAUSE_MAX = 10_000;
/** Milliseconds that a connection may take to say hello. */
const HELLO_DEADLINE = 10_000;
/** Milliseconds without a connection after which it is given up, unless the caller says otherwise. */
const PATIENCE = 60_000;
/** Events that wait for who takes them one by one. Behind more, it connects anew: what it missed it must look up. */
const WAITING_MAX = 10_000;

export type WatchOptions = {
  /** The event socket; without it the usual place decides. */
  readonly socket?: string | undefined;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds without a connection after which it throws; 60,000 without it. `Infinity`: never. */
  readonly patience?: number | undefined;
};

/**
 * What happens to the person's tokens, for as long as the caller takes it: `for await (const { event, id } of watch())`.
 * It connects again by itself where the agent was restarted, and each connection begins with `hello`: whatever happened
 * before may have been missed, so look up then what you depend on. It speaks the frames of the event channel over
 * node:net. Throws `agent_unreachable` when there was no connection for as long as the patience lasts, `unsafe_place` if
 * others could stand in the agent's place, `bad_reply` if what answers speaks another language. It starts no agent.
 */
export async function* watch({ socket, signal, patience = PATIENCE }: WatchOptions = {}): AsyncGenerator<KeyholdEvent> {
  let pause = PAUSE_FIRST;
  let connectedAt = performance.now();
  while (!signal?.aborted) {
    let isGreeted = false;
    // Looked up each time: an agent that was restarted may have its sockets elsewhere.
    for await (const event of connection(socket ?? locate().eventsSocket, signal)) {
      isGreeted = true;
      yield event;
    }
    if (isGreeted) {
      pause = PAUSE_FIRST;
      connectedAt = performance.now();
    }
    if (signal?.aborted) return;
    const left = connectedAt + patience - performance.now();
    if (left <= 0) {
      const seconds = Math.round(patience / 1_000);
      throw new KeyholdError(
        'agent_unreachable',
        `cannot follow the events: nobody answered for ${seconds} s; run: keyhold start`,
      );
    }
    await wait(Math.min(pause, left), signal);
    pause = Math.min(2 * pause, PAUSE_MAX);
  }
}

/** The events of one connection; ends with it, and where there is none. */
async function* connection(path: string, signal: AbortSignal | undefined): AsyncGenerator<KeyholdEvent> {
  if (!checkSocketFolder(path)) return;
  const stream = connect(path);
  const inbox = new Inbox(stream);
  const end = () => stream.destroy();
  signal?.addEventListener('abort', end);
  if (signal?.aborted) end();
  try {
    for (;;) {
      const event = await inbox.next();
      if (!event) return;
      yield event;
    }
  } finally {
    signal?.removeEventListener('abort', end);
    stream.destroy();
  }
}

/** The events that a stream brings, one by one. */
class Inbox {
  readonly #waiting: KeyholdEvent[] = [];
  #fault: unknown;
  #over = false;
  #wake: () => void = () => {};

  constructor(stream: Socket) {
    const frames = new EventFrames();
    const timer = setTimeout(() => stream.destroy(), HELLO_DEADLINE);
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      clearTimeout(timer);
      try {
        this.#waiting.push(...frames.read(String(text)));
      } catch (error) {
        this.#fault = error;
        stream.destroy();
      }
      if (this.#waiting.length > WAITING_MAX) stream.destroy();
      this.#wake();
    });
    // Whatever it is, it is an end, and the next attempt may do better.
    stream.on('error', () => {});
    stream.on('close', () => {
      clearTimeout(timer);
      this.#over = true;
      this.#wake();
    });
  }

  /** The next event; undefined at the end. Throws what was no event. */
  async next(): Promise<KeyholdEvent | undefined> {
    while (this.#waiting.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const event = this.#waiting.shift();
    if (!event && this.#fault) throw this.#fault;
    return event;
  }
}

function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done);
  });
}
