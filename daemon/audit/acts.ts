import type { Attributes } from '../../protocol/attributes.ts';
import { documentLine } from '../../protocol/document-line.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { CredentialReply, Detail } from '../../protocol/handler.ts';
import { toWire } from '../../protocol/text.ts';
import type { Audit } from './audit.ts';
import type { Head } from './entry.ts';
import type { Use } from './usage.ts';

/** Entries of one answer: as many lines as a request may have. */
const LIMIT_MAX = 1_000;
const LIMIT_DEFAULT = 200;
const MINUTES_A_DAY = 1_440;
/** Names of programs and of projects in one answer, so that it fits a line; the others are one sum. */
const NAMES_MAX = 12;
const OTHERS = '(others)';
/** Days in one answer: the last ones. */
const DAYS_MAX = 92;

/** The management actions of the audit log. */
export const auditActs = {
  async list(audit: Audit, attributes: Attributes): Promise<CredentialReply> {
    const text = (key: string) => attributes.text(key);
    const filter = {
      since: whole(attributes, 'since'),
      until: whole(attributes, 'until'),
      credential: text('id'),
      tool: text('tool'),
      event: text('event'),
    };
    const limit = Math.min(whole(attributes, 'limit') ?? LIMIT_DEFAULT, LIMIT_MAX);
    if (limit === 0) throw new KeyholdError('bad_request', 'cannot list: limit is at least 1');
    const page = { before: whole(attributes, 'before'), after: whole(attributes, 'after'), limit };
    const { found, head } = await audit.list(filter, page);
    const items = found.map(({ number, hash, entry }) => item({ number, hash: hex(hash), ...entry }));
    return { status: 'ok', details: [...items, ...headOf(head)] };
  },

  async verify(audit: Audit, attributes: Attributes): Promise<CredentialReply> {
    const verdict = await audit.verify(exportedHead(attributes));
    if (!verdict.sound) {
      const { number, why } = verdict;
      return { status: 'ok', details: [bool('sound', false), ['number', String(number)], ['why', toWire(why)]] };
    }
    const { entries, first, head } = verdict;
    const counts: Detail[] = [
      ['entries', String(entries)],
      ['first', String(first)],
    ];
    return { status: 'ok', details: [bool('sound', true), ...counts, ...headOf(head)] };
  },

  async usage(audit: Audit, attributes: Attributes): Promise<CredentialReply> {
    const log = audit.log();
    const credential = attributes.text('id');
    const use = (id: string, known: Use | undefined) =>
      known && { credential: id, first: known.first, last: known.last, count: known.count };
    if (credential === undefined) {
      const items = [...audit.usage.credentials()].map((id) => item({ ...use(id, audit.useOf(id)) }));
      return { status: 'ok', details: items };
    }
    const known = use(credential, audit.useOf(credential));
    if (!known) return { status: 'ok' };
    const [tools, programs, projects, days] = [new Sums(), new Sums(), new Sums(), new Sums()];
    for (const { tool, program, project, minute, count } of log.usageOf(credential)) {
      tools.add(tool, count);
      programs.add(program, count);
      projects.add(project, count);
      days.add(dayOf(minute), count);
    }
    const by = {
      tools: tools.most(NAMES_MAX),
      programs: programs.most(NAMES_MAX),
      projects: projects.most(NAMES_MAX),
      days: days.latest(DAYS_MAX),
    };
    return { status: 'ok', details: [item({ ...known, ...by })] };
  },
};

/** A sum for each of some names. */
class Sums {
  readonly #all = new Map<string, number>();

  add(name: string, count: number): void {
    this.#all.set(name, (this.#all.get(name) ?? 0) + count);
  }

  /** The largest, and all others as one. */
  most(many: number): Record<string, number> {
    const ordered = [...this.#all].sort(([, one], [, other]) => other - one);
    const others = ordered.slice(many).reduce((sum, [, count]) => sum + count, 0);
    return Object.fromEntries([...ordered.slice(0, many), ...(others > 0 ? [[OTHERS, others] as const] : [])]);
  }

  /** Those that came last. */
  latest(many: number): Record<string, number> {
    return Object.fromEntries([...this.#all].slice(-many));
  }
}

/** The day of a minute, in UTC. */
function dayOf(minute: number): string {
  return new Date(Math.floor(minute / MINUTES_A_DAY) * 86_400_000).toISOString().slice(0, 10);
}

function item(document: object): Detail {
  return ['item[]', documentLine(document)];
}

function bool(key: string, value: boolean): Detail {
  return [key, String(value)];
}

function headOf({ number, hash }: Head): Detail[] {
  return [
    ['number', String(number)],
    ['hash', hex(hash)],
  ];
}

function hex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex');
}

/** The head to compare with, if one was named. Throws `bad_request` for half a one. */
function exportedHead(attributes: Attributes): Head | undefined {
  const number = whole(attributes, 'number');
  const hash = attributes.text('hash');
  if (number === undefined && hash === undefined) return undefined;
  if (number === undefined || hash === undefined || !/^[0-9a-f]{64}$/.test(hash)) {
    throw new KeyholdError('bad_request', 'cannot verify: a head is number and hash, 64 hexadecimal digits');
  }
  return { number, hash: Buffer.from(hash, 'hex') };
}

function whole(attributes: Attributes, key: string): number | undefined {
  const text = attributes.text(key);
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,15}$/.test(text)) throw new KeyholdError('bad_request', `cannot read ${key}: it is not a number`);
  return Number(text);
}
