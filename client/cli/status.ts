import type { Command } from 'commander';
import type { Detail } from '../../protocol/handler.ts';
import { fromWire } from '../../protocol/text.ts';
import { version } from '../version.ts';
import { ask, detail, documents, withAgent } from './agent.ts';
import type { Page } from './page.ts';
import { show } from './page.ts';
import { addVerb, type VerbOptions } from './verb.ts';

/** `keyhold status`: how the agent is. Looking extends no lease. */
export function addStatus(program: Command): void {
  addVerb(program, 'status', 'how the agent is, and what is degraded').action(async ({ json }: VerbOptions) => {
    const { details } = await withAgent((agent) => ask(agent, 'status'));
    show(json, statusDocument(details), (page) => drawStatus(page, details));
  });
}

/** Numbers and truths among the details; everything else stays text. */
function statusDocument(details: readonly Detail[] | undefined): Record<string, unknown> {
  const document: Record<string, unknown> = { client: version };
  for (const [key, value] of details ?? []) {
    if (!key.endsWith('[]')) document[key] = typed(key, fromWire(value));
  }
  return { ...document, degraded: documents(details, 'degraded[]') };
}

const counts: ReadonlySet<string> = new Set(['pid', 'started_at', 'held', 'unlocked', 'connections']);

function typed(key: string, text: string): unknown {
  if (counts.has(key) && /^[0-9]+$/.test(text)) return Number(text);
  return key === 'durable' ? isYes(text) : text;
}

function isYes(text: string): boolean {
  return /^(1|yes|true)$/.test(text);
}

/** What the agent's memory is called, for people. */
const memory: Readonly<Record<string, string>> = {
  hidden: 'hidden from swap, core dumps and passive looks',
  locked: 'locked: in no swap and no core dump',
  plain: 'ordinary memory',
};

/** What the children that hold a secret for one operation have said of themselves, for people. */
const children: Readonly<Record<string, string>> = {
  locked: 'closed to your other programs, in no swap and no core dump',
  hardened: 'closed to your other programs, in no core dump; they may be swapped',
  plain: 'ordinary memory, which your other programs can read',
};

function drawStatus(page: Page, details: readonly Detail[] | undefined): void {
  const of = (key: string) => detail(details, key) ?? '?';
  const state = of('state');
  const agentVersion = of('version');
  const degraded = documents(details, 'degraded[]');
  page.facts([
    ['state', state, state === 'open' ? 'green' : 'yellow'],
    ['backend', `${of('backend')}${of('backend') === 'memory' ? ', nothing rests anywhere' : ''}`],
    [
      'held',
      state === 'open' ? `${of('held')} (${of('unlocked')} unlocked in memory)` : 'not known until it serves again',
    ],
    ['memory', memory[of('memory')] ?? of('memory')],
    ...childrenFact(detail(details, 'children')),
    [
      'callers',
      `told apart by ${of('identity') === 'kernel' ? 'the kernel' : 'the folder of the socket alone'}; ${others(of('connections'))}`,
    ],
    ...adminFact(detail(details, 'admin')),
    ['agent', `${agentVersion}, pid ${of('pid')}, since ${localTime(Number(of('started_at')))}`],
  ]);
  if (agentVersion !== version) {
    page.line(`differs: this client is ${version}, the agent ${agentVersion}; run: keyhold restart`, 'yellow', '  ');
  }
  for (const { what, remedy } of degraded) {
    page.line(`degraded: ${what}${remedy ? `; ${remedy}` : ''}`, 'yellow', '  ');
  }
}

/** While none has been up, nothing is known of them. */
function childrenFact(protection: string | undefined): [label: string, value: string][] {
  return protection === undefined ? [] : [['children', children[protection] ?? protection]];
}

/** Whether the process behind admin.sock is up; an agent of before has none. */
function adminFact(state: string | undefined): [label: string, value: string][] {
  if (state === undefined) return [];
  return [['admin', state === 'up' ? 'up, on admin.sock' : 'starts when somebody asks on admin.sock']];
}

/** Who is connected, without this client. */
function others(connections: string): string {
  const others = Math.max(0, Number(connections) - 1);
  return others === 0 ? 'no other connected' : `${others} more connected`;
}

/** A date and time for people, in their own time zone; `?` for none. */
export function localTime(epochSeconds: number): string {
  if (!Number.isFinite(epochSeconds)) return '?';
  const date = new Date(epochSeconds * 1_000);
  const two = (number: number) => String(number).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
