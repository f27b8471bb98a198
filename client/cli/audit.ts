import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import type { Connection } from '../dial.ts';
import { ask, detail, documents, withAgent } from './agent.ts';
import { listRemoteAudit } from './audit-remote.ts';
import { CommandFailure } from './failure.ts';
import { jsonLine, type Page, show } from './page.ts';
import { localTime } from './status.ts';
import { addNoun, addVerb, type VerbOptions } from './verb.ts';

/** Entries of one question, and how many `list` shows unless it is told. */
export const PAGE = 1_000;
const SHOWN = 50;
/** Milliseconds for reading the whole log. */
const LONG = 120_000;
/** Seconds of the letters in `7d`. */
const units = { m: 60, h: 3_600, d: 86_400 } as const;

type Filter = {
  readonly since?: number;
  readonly until?: number;
  readonly credential?: string;
  readonly tool?: string;
  readonly action?: string;
};
type Entry = Record<string, unknown>;

/** `keyhold audit`: the record of what happened. */
export function addAudit(program: Command): void {
  const audit = addNoun(program, 'audit', 'what happened to your tokens, and who asked for them');
  addFilter(addVerb(audit, 'list', 'changes, refusals and first uses, the newest first'))
    .option('--limit <number>', `show so many (${SHOWN})`, count, SHOWN)
    .option('--remote', "the service's own record of the account that is signed in")
    .option('--service <id>', 'of --remote: the service')
    .option('--for <url>', 'of --remote: its server, protocol://host[:port]')
    .option('--username <name>', 'of --remote: the account')
    .action((options) => (options.remote ? listRemoteAudit(options) : list(options)));
  addVerb(audit, 'verify', 'recompute the chain: has anything been changed, taken out or cut off?')
    .option('--against <file>', 'compare with what was exported to this file')
    .action(verify);
  addFilter(addVerb(audit, 'export', 'everything as JSON lines, and the head of the chain as the last')).action(
    exportAll,
  );
}

function addFilter(command: Command): Command {
  return command
    .option('--since <when>', 'from then on: 2030-01-31, 2030-01-31T12:00 or 7d, 12h, 30m ago', moment)
    .option('--until <when>', 'before then', moment)
    .option('--credential <id>', 'about this token; its id is in: keyhold token list --json')
    .option('--tool <name>', 'asked for by this tool: git, keyhold, wire')
    .option('--action <name>', 'of this kind: store, erase, get, first-use, unlock, …');
}

/** A moment in epoch seconds: a date in local time, or how long ago. */
function moment(text: string): number {
  const ago = /^([0-9]{1,5})([mhd])$/.exec(text);
  if (ago) return Math.floor(Date.now() / 1_000) - Number(ago[1]) * units[ago[2] as keyof typeof units];
  const isDate = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?$/.test(text);
  // A date alone would be read as UTC.
  const at = isDate ? Date.parse(text.length === 10 ? `${text}T00:00` : text) : Number.NaN;
  if (Number.isNaN(at) || at < 0)
    throw new CommandFailure(2, 'cannot read the time: it is a date such as 2030-01-31, or 7d, 12h or 30m');
  return Math.floor(at / 1_000);
}

function count(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text))
    throw new CommandFailure(2, 'cannot read the limit: it is a number from 1 to 999999');
  return Number(text);
}

function wired({ since, until, credential, tool, action }: Filter): Record<string, string | undefined> {
  return { since: since?.toString(), until: until?.toString(), id: credential, tool, event: action };
}

async function list({ json, limit, ...filter }: Filter & VerbOptions & { readonly limit: number }): Promise<void> {
  const [items, names] = await withAgent(async (agent) => {
    const found = await entriesOf(agent, filter, limit);
    return [found, json ? new Map<unknown, string>() : await namesOf(agent)] as const;
  }, LONG);
  show(json, { items }, (page) => {
    if (items.length === 0) page.line('Nothing of that kind is recorded.');
    else drawEntries(page, items, names);
  });
}

/** The newest entries that fit a filter, `limit` at most. */
export async function entriesOf(agent: Connection, filter: Filter, limit: number): Promise<Entry[]> {
  const found: Entry[] = [];
  for (let before: string | undefined; found.length < limit; before = String(found.at(-1)!.number)) {
    const most = Math.min(PAGE, limit - found.length);
    const attributes = { ...wired(filter), before, limit: String(most) };
    const more = documents((await ask(agent, 'audit-list', { attributes })).details, 'item[]');
    found.push(...more);
    if (more.length < most) break;
  }
  return found;
}

/** Entries as a table; `names` are those of tokens, by id. */
export function drawEntries(page: Page, items: readonly Entry[], names: ReadonlyMap<unknown, string>): void {
  page.table(
    ['TIME', 'ACTION', 'OUTCOME', 'TOKEN', 'TOOL', 'BY'],
    items.map((item) => row(item, names)),
    false,
    1,
  );
}

/** The hosts of what is held, by id. Where it is locked ids must do. */
async function namesOf(agent: Connection): Promise<Map<unknown, string>> {
  try {
    const { details } = await ask(agent, 'list');
    return new Map(documents(details, 'item[]').map(({ id, host, username }) => [id, nameOf(host, username)]));
  } catch {
    return new Map();
  }
}

function nameOf(host: unknown, username: unknown): string {
  return typeof username === 'string' && username !== '' ? `${username}@${host}` : String(host);
}

function row(item: Entry, names: ReadonlyMap<unknown, string>): string[] {
  const { at, action, outcome, credential, tool, program, target, times } = item;
  const often = typeof times === 'number' ? ` ×${times}` : '';
  return [
    localTime(Number(at)),
    `${text(action)}${often}`,
    text(outcome),
    names.get(credential) ?? (text(credential) || text(target)),
    text(tool),
    basename(text(program)),
  ];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

async function verify({ json, against }: VerbOptions & { readonly against?: string }): Promise<void> {
  const attributes = against === undefined ? {} : headIn(against);
  const { details } = await withAgent((agent) => ask(agent, 'audit-verify', { attributes }), LONG);
  const of = (key: string) => detail(details, key);
  const sound = of('sound') === 'true';
  const number = Number(of('number'));
  const document = sound
    ? { sound, entries: Number(of('entries')), first: Number(of('first')), number, hash: of('hash') }
    : { sound, number, why: of('why') };
  show(json, document, (page) => {
    if (sound) drawSound(page, document.entries!, of('hash') ?? '', against);
    else page.line(`The audit log is not as it was written. Entry ${number}: ${of('why')}.`, 'red');
  });
  if (!sound) throw new CommandFailure(1, '');
}

function drawSound(page: Page, entries: number, hash: string, against: string | undefined): void {
  const compared = against === undefined ? '' : ', and it holds what was exported';
  page.line(`The audit log is whole: ${entries} ${entries === 1 ? 'entry' : 'entries'}${compared}.`, 'green');
  page.line(`Its head is ${hash}.`);
  if (against === undefined) {
    page.line('Only a head that you keep elsewhere shows a cut end: keyhold audit export > FILE');
  }
}

/** The head in the last line of an export. */
function headIn(file: string): { readonly number: string; readonly hash: string } {
  const unfit = (why: string) => new CommandFailure(2, `cannot read ${file}: ${why}`);
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  } catch (error) {
    throw unfit(String((error as NodeJS.ErrnoException).code));
  }
  try {
    const { number, hash } = JSON.parse(lines.at(-1)!).head;
    if (Number.isSafeInteger(number) && /^[0-9a-f]{64}$/.test(hash)) return { number: String(number), hash };
  } catch {
    // Neither was it written by `audit export`.
  }
  throw unfit('its last line is no head; it is written by: keyhold audit export');
}

async function exportAll(filter: Filter & VerbOptions): Promise<void> {
  await withAgent(async (agent) => {
    for (let after = '0'; ; ) {
      const attributes = { ...wired(filter), after, limit: String(PAGE) };
      const { details } = await ask(agent, 'audit-list', { attributes });
      const items = documents(details, 'item[]');
      for (const item of items) await line(item);
      if (items.length === PAGE) after = String(items.at(-1)!.number);
      else return line({ head: { number: Number(detail(details, 'number')), hash: detail(details, 'hash') } });
    }
  }, LONG);
}

/** One JSON document on one line, which a slow reader may take its time for. */
async function line(document: object): Promise<void> {
  if (!process.stdout.write(`${jsonLine(document)}\n`))
    await new Promise((resolve) => process.stdout.once('drain', resolve));
}
