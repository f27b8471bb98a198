import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ActionRow, actions } from '../../protocol/wire/actions.ts';
import { exchange, store } from '../fakes/built-agent.ts';
import { openComposed } from '../fakes/composed-agent.ts';

/** Every action whose answer is one of lines; a helper run is answered in frames (test/contracts/adapters.test.ts). */
const rows = Object.entries<ActionRow>(actions).filter(([name]) => name !== 'run');

/** The names in a row's `reads` or `answers`, without what may be absent, repeated or another way. */
const namesIn = (words: string) =>
  words
    .split(/[ ,|]+/)
    .filter(Boolean)
    .map((word) => word.replace(/\?$/, ''));

/** What callers may send: nothing, a target of which nothing is held, one of which something is, and for every attribute a text that is none. */
function requestsFor({ reads }: ActionRow): Readonly<Record<string, readonly string[]>> {
  const target = (host: string) => ['protocol=https', `host=${host}`];
  const others = namesIn(reads).filter((name) => !['protocol', 'host'].includes(name));
  return {
    'with nothing': [],
    'for a host of which nothing is held': target('none.test'),
    'for a host of which something is held': target('held.test'),
    'with a text that is none for every attribute': [
      ...target('held.test'),
      ...others.map((name) => `${name}=\u{fffd}x`),
    ],
    'with an id that nothing has': [...target('held.test'), 'id=none', 'login=none', 'key=none', 'backup=none'],
  };
}

/** What an answer holds beside what its row names. */
const always = new Set(['status', 'message']);

/** The status and the names of an answer's lines. */
function read(answer: string): { readonly status: string | undefined; readonly names: ReadonlySet<string> } {
  const lines = answer.split('\n').filter((line) => line.includes('='));
  const status = lines.find((line) => line.startsWith('status='))?.slice('status='.length);
  return { status, names: new Set(lines.map((line) => line.slice(0, line.indexOf('=')))) };
}

describe.each(['open', 'locked'])('an agent that is %s', (state) => {
  let agent: Awaited<ReturnType<typeof openComposed>>;
  beforeAll(async () => {
    agent = await openComposed();
  });
  afterAll(() => agent.dispose());

  const manage = (...lines: string[]) => exchange(agent.socket, [...lines, 'capability[]=keyhold']);
  async function prepare(): Promise<void> {
    await manage('action=unlock');
    await exchange(agent.socket, [...store('held.test', 'value-EXAMPLE'), 'capability[]=keyhold']);
    if (state === 'locked') await manage('action=lock');
  }

  const cases = rows.flatMap(([name, row]) =>
    Object.entries(requestsFor(row)).map(([how, lines]) => [name, how, lines, row] as const),
  );
  it.each(cases)('answers %s %s as its row says', async (name, how, lines, { statuses, answers, target }) => {
    await prepare();
    const { status, names } = read(await manage(`action=${name}`, ...lines));
    expect(statuses).toContain(status);
    if (how === 'with nothing' && target === 'required') expect(status).toBe('bad-request');
    const known = new Set([...always, ...namesIn(answers)]);
    expect([...names].filter((one) => !known.has(one))).toEqual([]);
  });

  const ours = rows.filter(([, { plain }]) => !plain).map(([name]) => name);
  it.each(ours)('leaves %s alone where the caller does not speak our wire', async (name) => {
    await prepare();
    const plain = await exchange(agent.socket, [`action=${name}`, 'protocol=https', 'host=held.test']);
    expect(plain.replace(/^status=unsupported\nmessage=.*\n/, '').trim()).toBe('');
  });
});
