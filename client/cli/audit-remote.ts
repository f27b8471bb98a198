import { exitCodeOf } from '../../protocol/status.ts';
import { ask, documents, withAgent } from './agent.ts';
import { current } from './auth/current.ts';
import type { AuthOptions } from './auth/options.ts';
import { CommandFailure } from './failure.ts';
import { show } from './page.ts';
import { localTime } from './status.ts';
import { tokenItems } from './token/item.ts';
import { SERVICE_DEADLINE } from './token/service-place.ts';
import type { VerbOptions } from './verb.ts';

type RemoteAuditOptions = AuthOptions &
  VerbOptions & {
    readonly limit: number;
    readonly since?: number;
    readonly until?: number;
    readonly action?: string;
    readonly credential?: string;
    readonly tool?: string;
  };

/** `keyhold audit list --remote`: what the service itself has recorded, in the order in which it tells it. */
export async function listRemoteAudit(options: RemoteAuditOptions): Promise<void> {
  if (options.credential !== undefined || options.tool !== undefined) {
    throw new CommandFailure(
      exitCodeOf('bad-request'),
      "cannot list: a service's record knows neither --credential nor --tool, which are ours",
    );
  }
  const { title, items } = await withAgent(async (agent) => {
    const { item, manifest } = current(await tokenItems(agent), options);
    const { details } = await ask(agent, 'remote-show', { attributes: { id: item.id, what: 'audit' } });
    const answer = documents(details, 'item[]')[0]?.['answer'];
    return {
      title: manifest?.title ?? item.host,
      items: Array.isArray(answer) ? (answer as Record<string, unknown>[]) : [],
    };
  }, SERVICE_DEADLINE);
  const found = items.filter((item) => fits(item, options)).slice(0, options.limit);
  show(options.json, { items: found }, (page) => {
    if (found.length === 0) page.line(`${title} tells of nothing of that kind.`);
    else page.table(['TIME', 'ACTION', 'BY', 'ABOUT'], found.map(row), false, 1);
  });
}

function fits(item: Record<string, unknown>, { since, until, action }: RemoteAuditOptions): boolean {
  const at = secondsIn(item['at']);
  if (action !== undefined && item['action'] !== action) return false;
  return (since === undefined || (at ?? 0) >= since) && (until === undefined || (at ?? 0) < until);
}

function row({ at, action, user, id }: Record<string, unknown>): string[] {
  const seconds = secondsIn(at);
  return [seconds === undefined ? text(at) : localTime(seconds), text(action), text(user), text(id)];
}

function secondsIn(at: unknown): number | undefined {
  if (typeof at === 'number') return at;
  const parsed = typeof at === 'string' ? Date.parse(at) : Number.NaN;
  return Number.isNaN(parsed) ? undefined : Math.floor(parsed / 1_000);
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
