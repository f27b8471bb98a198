import { Conversation } from '../../protocol/conversation.ts';
import { heapSecret } from '../../protocol/secret.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeStore } from '../fakes/store.ts';
import { type Chance, chanceFrom, mutate } from './mutate.ts';

/** Longest time that one input may take, in milliseconds. */
const HANG = 50;
/** Turns of the microtask queue after which a conversation that has not closed never will. */
const TURNS = 20_000;

export type Finding = { readonly what: string; readonly at: number; readonly input: Buffer };

/**
 * Sends the input of number `at` through a conversation, in up to four pieces, and answers what was wrong, if anything:
 * a throw, no end, an end that came late, or an answer with a control byte in it.
 */
export async function tryInput(corpus: readonly Buffer[], seed: number, at: number): Promise<Finding | undefined> {
  const chance = chanceFrom(seed + Math.imul(at, 0x9e3779b1));
  const input = mutate(corpus, chance);
  const started = performance.now();
  let what: string | undefined;
  try {
    what = await converse(input, chance);
  } catch (error) {
    what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const took = performance.now() - started;
  // A pause of the machine is no hang: one is a hang only if it happens again.
  if (what === undefined && took > HANG && (await takesAgain(corpus, seed, at))) what = `it took ${took.toFixed()} ms`;
  return what === undefined ? undefined : { what, at, input };
}

async function takesAgain(corpus: readonly Buffer[], seed: number, at: number): Promise<boolean> {
  for (let times = 0; times < 3; times++) {
    const chance = chanceFrom(seed + Math.imul(at, 0x9e3779b1));
    const input = mutate(corpus, chance);
    const started = performance.now();
    await converse(input, chance);
    if (performance.now() - started < HANG) return false;
  }
  return true;
}

async function converse(input: Buffer, chance: Chance): Promise<string | undefined> {
  let closed = false;
  let wrong: string | undefined;
  const conversation = new Conversation(new FakeStore(new FakeClock()).handler, heapSecret, {
    send(bytes) {
      for (const byte of bytes) if ((byte < 0x20 && byte !== 0x0a) || byte === 0x7f) wrong = 'a control byte was sent';
      return true;
    },
    close: () => {
      closed = true;
    },
    pause() {},
    resume() {},
  });
  let from = 0;
  for (let pieces = chance() % 4; pieces > 0 && from < input.length; pieces--) {
    const to = from + 1 + (chance() % (input.length - from));
    conversation.receive(input.subarray(from, to));
    if (chance() % 2 === 0) await Promise.resolve();
    from = to;
  }
  if (from < input.length) conversation.receive(input.subarray(from));
  conversation.end();
  for (let turn = 0; !closed && turn < TURNS; turn++) await Promise.resolve();
  return closed ? wrong : 'the conversation never ended';
}
