import type { Connection } from '../../dial.ts';
import { ask, documents } from '../agent.ts';
import { localTime } from '../status.ts';
import { nameOf, type TokenItem } from './item.ts';

/** Days back that are looked at before a token dies. */
const DAYS = 7;
const DAY = 86_400;
/** Programs and folders that are named for one token; the others are counted. */
const NAMED = 4;

/** Who used a token lately, in words. */
export type Uses = { readonly name: string; readonly text: string };

/** Who used these tokens in the last days, by the audit log; those that nobody used are not among them. */
export async function usesOf(agent: Connection, tokens: readonly Partial<TokenItem>[]): Promise<Uses[]> {
  const uses: Uses[] = [];
  const since = Date.now() / 1_000 - DAYS * DAY;
  for (const token of tokens) {
    if (token.id === undefined || (token.lastUsed ?? 0) < since) continue;
    const { details } = await ask(agent, 'usage', { attributes: { id: token.id } });
    const [use] = documents(details, 'item[]');
    if (use) uses.push({ name: nameOf(token as TokenItem) ?? token.id, text: textOf(use, since) });
  }
  return uses;
}

function textOf({ last, programs, projects, days }: Record<string, unknown>, since: number): string {
  const recent = Object.entries(countsIn(days)).filter(([day]) => Date.parse(day) / 1_000 >= since - DAY);
  const count = recent.reduce((sum, [, one]) => sum + one, 0);
  const where = namesIn(projects);
  const by = namesIn(programs);
  const last_ = typeof last === 'number' ? `, last on ${localTime(last).slice(0, 10)}` : '';
  return `${count} times${last_}${by === '' ? '' : `, by ${by}`}${where === '' ? '' : `, in ${where}`}`;
}

function namesIn(counts: unknown): string {
  const names = Object.keys(countsIn(counts)).filter((name) => name !== '');
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `${names.slice(0, NAMED).join(', ')}${more}`;
}

function countsIn(value: unknown): Record<string, number> {
  return typeof value === 'object' && value !== null ? (value as Record<string, number>) : {};
}
