import type { Command } from 'commander';
import type { Target } from '../../protocol/credential.ts';
import { expose, type Secret } from '../../protocol/secret.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { printable, toWire } from '../../protocol/text.ts';
import type { Connection } from '../dial.ts';
import { ask, detail, documents, withAgent } from './agent.ts';
import { confirm } from './confirm.ts';
import { addExplain } from './explain.ts';
import { CommandFailure } from './failure.ts';
import { jsonText, show } from './page.ts';
import { addReminders, type ReminderOptions, remind } from './reminders.ts';
import { addSecretOptions, readSecretOrStdin, type SecretOptions } from './secret-input.ts';
import { localTime } from './status.ts';
import { targetDocument, targetOf, urlOf } from './target.ts';
import { addDestructiveVerb, addNoun, addVerb, type DestructiveOptions, type VerbOptions } from './verb.ts';

type ForUrl = { readonly for: string; readonly username?: string };
type Item = Record<string, unknown>;

/** `keyhold token`: what is held, and the way in and out for a single value. */
export function addToken(program: Command): void {
  const token = addNoun(program, 'token', 'the tokens that are held');
  addReminders(addVerb(token, 'list', 'what is held, never a value')).action(list);
  addSecretOptions(
    addTarget(addVerb(token, 'set', 'keep a token (hidden prompt, or standard input)')),
    'the token',
  ).action(set);
  addTarget(addVerb(token, 'print', 'print one value to standard output')).action(print);
  addExplain(addTarget(addVerb(token, 'explain', 'which token would be given and why; never a value')));
  addTarget(addDestructiveVerb(token, 'remove', 'forget what matches, in memory and at rest')).action(remove);
}

function addTarget(command: Command): Command {
  return command
    .requiredOption('--for <url>', 'what it is for: protocol://[user@]host[:port][/path]')
    .option('--username <name>', 'whose it is');
}

async function list({ json, ...options }: ReminderOptions & VerbOptions): Promise<void> {
  const held = await withAgent(listItems);
  const items = remind(held, options, Date.now() / 1_000);
  show(json, { items }, (page) => {
    if (held.length === 0) page.line('Nothing is held. To keep a token: keyhold token set --for URL');
    else if (items.length === 0) page.line('Nothing to be reminded of.');
    else if (options.due || options.unused) page.table(['FOR', 'USERNAME', 'WHY'], items.map(reminderRow), true);
    else page.table(['FOR', 'USERNAME', 'SINCE', 'EXPIRES', 'LAST USED', 'USES'], items.map(row));
  });
}

async function listItems(agent: Connection): Promise<Item[]> {
  const { details } = await ask(agent, 'list');
  return documents(details, 'item[]').sort((a, b) => (itemUrl(a) < itemUrl(b) ? -1 : 1));
}

function row(item: Item): string[] {
  const { username, storedAt, expiresAt, lastUsed, uses } = item;
  const often = typeof uses === 'number' ? String(uses) : '';
  return [itemUrl(item), textOf(username), day(storedAt), day(expiresAt), day(lastUsed), often];
}

function reminderRow(item: Item): string[] {
  return [itemUrl(item), textOf(item.username), (item.reasons as readonly string[]).join('; ')];
}

function itemUrl({ protocol, host, path }: Item): string {
  return `${textOf(protocol)}://${textOf(host)}${typeof path === 'string' ? `/${path}` : ''}`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function day(value: unknown): string {
  return typeof value === 'number' ? localTime(value).slice(0, 10) : '';
}

async function set({ for: url, username, ...options }: ForUrl & SecretOptions): Promise<void> {
  const target = targetOf(url, username);
  const secret = await readSecretOrStdin(options, `the token for ${urlOf(target)}`);
  try {
    await withAgent((agent) => ask(agent, 'store', { target, secret }));
  } finally {
    secret.dispose();
  }
  show(options.json, { stored: targetDocument(target) }, (page) => page.line(`Stored a token for ${named(target)}.`));
}

async function print({ for: url, username, json }: ForUrl & VerbOptions): Promise<void> {
  const target = targetOf(url, username);
  const { credential } = await withAgent((agent) => ask(agent, 'get', { target }));
  const secret = credential?.secret;
  if (!secret) throw new CommandFailure(exitCodeOf('not-found'), 'cannot print: what is held has no value');
  try {
    if (!json) await writeSecret(secret, '', '\n');
    else {
      const rest = jsonText(targetDocument({ ...target, username: credential.username }));
      await writeSecret(secret, rest.replace(/\n}$/, ',\n  "secret": "'), '"\n}\n', true);
    }
  } finally {
    secret.dispose();
    credential.refreshToken?.dispose();
  }
}

/** Writes the value as bytes: what passed through JSON.stringify would stay in a string that nobody can wipe. */
async function writeSecret(secret: Secret, before: string, after: string, quoted = false): Promise<void> {
  const bytes = expose(secret);
  const room = Buffer.allocUnsafeSlow(Buffer.byteLength(before) + bytes.length * 2 + after.length);
  let at = room.write(before);
  for (const byte of bytes) {
    // Control bytes cannot be in a secret; these two are all that JSON wants escaped besides.
    if (quoted && (byte === 0x22 || byte === 0x5c)) room[at++] = 0x5c;
    room[at++] = byte;
  }
  at += room.write(after, at);
  bytes.fill(0);
  await new Promise((resolve) => process.stdout.write(room.subarray(0, at), resolve));
  room.fill(0);
}

async function remove({ for: url, username, ...options }: ForUrl & DestructiveOptions): Promise<void> {
  const target = targetOf(url, username);
  const matching = (await withAgent(listItems)).filter((item) => matches(item, target));
  if (matching.length === 0) {
    throw new CommandFailure(exitCodeOf('not-found'), `cannot remove: nothing is held for ${named(target)}`);
  }
  const what = matching.length === 1 ? 'the token' : `all ${matching.length} tokens`;
  await confirm(printable(`Remove ${what} for ${named(target)}?`), options);
  const { details } = await withAgent((agent) => ask(agent, 'erase', { target }));
  const erased = Number(detail(details, 'erased') ?? matching.length);
  show(options.json, { removed: erased, ...targetDocument(target) }, (page) =>
    page.line(`Removed ${erased === 1 ? 'one token' : `${erased} tokens`} for ${named(target)}.`),
  );
}

/** As the agent finds what a request may erase: what the request does not name, it does not ask for. */
function matches(item: Item, target: Target): boolean {
  return (['protocol', 'host', 'path', 'username'] as const).every(
    (key) => target[key] === undefined || toWire(textOf(item[key])) === target[key],
  );
}

function named(target: Target): string {
  const { username } = targetDocument(target);
  return `${urlOf(target)}${username === undefined ? '' : `, username ${username}`}`;
}
