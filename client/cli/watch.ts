import type { Command } from 'commander';
import { type EventName, eventNames, type KeyholdEvent } from '../../protocol/events.ts';
import { watch } from '../watch.ts';
import { ask, documents, withAgent } from './agent.ts';
import { CommandFailure } from './failure.ts';
import { jsonLine, line } from './page.ts';
import { localTime } from './status.ts';
import { addVerb, type VerbOptions } from './verb.ts';

/** Columns of an event's name and of a time. */
const NAME_WIDTH = Math.max(...Object.keys(eventNames).map((name) => name.length));

/** `keyhold watch`: what happens to the tokens, as it happens. */
export function addWatch(program: Command): void {
  addVerb(program, 'watch', 'what happens to your tokens, as it happens, until ctrl-C')
    .option('--event <name>', 'only this one; may be repeated', collect, [])
    .action(follow);
}

function collect(name: string, before: readonly string[]): readonly string[] {
  if (!Object.hasOwn(eventNames, name)) {
    throw new CommandFailure(2, `cannot watch for that: an event is one of ${Object.keys(eventNames).join(', ')}`);
  }
  return [...before, name];
}

async function follow({ json, event: only }: VerbOptions & { readonly event: readonly string[] }): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  // Starts the agent where none runs, as every verb does.
  let names = await namesNow();
  for await (const one of watch({ signal: stop.signal })) {
    if (one.event !== 'hello' && only.length > 0 && !only.includes(one.event)) continue;
    if (json) process.stdout.write(`${jsonLine(one)}\n`);
    else if (one.event !== 'hello') {
      if (one.id !== undefined && !names.has(one.id)) names = new Map([...names, ...(await namesNow())]);
      process.stdout.write(line(shown(one, names)));
    }
  }
}

function shown(one: KeyholdEvent & { readonly event: EventName }, names: ReadonlyMap<string, string>): string {
  const what = one.id === undefined ? '' : (names.get(one.id) ?? one.id);
  const until = one.expiresAt === undefined ? '' : `expires ${localTime(one.expiresAt)}`;
  return [localTime(one.at), one.event.padEnd(NAME_WIDTH), what, until]
    .filter((word) => word !== '')
    .join('  ')
    .trimEnd();
}

/** What is held, by id: `user@host`. Empty where it cannot be told. */
async function namesNow(): Promise<Map<string, string>> {
  return await withAgent(async (agent) => {
    try {
      const items = documents((await ask(agent, 'list')).details, 'item[]');
      return new Map(items.map(({ id, host, username }) => [String(id), nameOf(host, username)]));
    } catch (error) {
      // Locked: ids must do.
      if (error instanceof CommandFailure) return new Map();
      throw error;
    }
  });
}

function nameOf(host: unknown, username: unknown): string {
  return typeof username === 'string' && username !== '' ? `${username}@${host}` : String(host);
}
