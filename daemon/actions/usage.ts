import { documentLine } from '../../protocol/document-line.ts';
import type { Detail } from '../../protocol/handler.ts';
import type { Audit } from '../history/audit/audit.ts';
import type { Use } from '../history/audit/usage.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

const MINUTES_A_DAY = 1_440;
/** Names of programs and of projects in one answer, so that it fits a line; the others are one sum. */
const NAMES_MAX = 12;
const OTHERS = '(others)';
/** Days in one answer: the last ones. */
const DAYS_MAX = 92;

export const usage = action(
  'usage',
  ({ attributes }) => attributes.text('id'),
  async (id, { audit }: Pick<Parts, 'audit'>) => {
    // Read first, so that what waits is counted.
    const log = audit.log();
    if (id === undefined) {
      const known = [...audit.usage.credentials()].map((one) => item({ ...useItem(one, audit.useOf(one)) }));
      return { status: 'ok', details: known };
    }
    const known = useItem(id, audit.useOf(id));
    if (!known) return { status: 'ok' };
    return { status: 'ok', details: [item({ ...known, ...sumsOf(id, log) })] };
  },
);

function useItem(id: string, known: Use | undefined) {
  return known && { credential: id, first: known.first, last: known.last, count: known.count };
}

/** How often a credential was used by each tool and program, in each project and on each day. */
function sumsOf(id: string, log: ReturnType<Audit['log']>) {
  const [tools, programs, projects, days] = [new Sums(), new Sums(), new Sums(), new Sums()];
  for (const { tool, program, project, minute, count } of log.usageOf(id)) {
    tools.add(tool, count);
    programs.add(program, count);
    projects.add(project, count);
    days.add(dayOf(minute), count);
  }
  return {
    tools: tools.most(NAMES_MAX),
    programs: programs.most(NAMES_MAX),
    projects: projects.most(NAMES_MAX),
    days: days.latest(DAYS_MAX),
  };
}

function item(document: object): Detail {
  return ['item[]', documentLine(document)];
}

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
