import type { Command } from 'commander';
import type { Connection } from '../../dial.ts';
import { ask, detail, withAgent } from '../agent.ts';
import { show } from '../page.ts';
import { localTime } from '../status.ts';
import { addTarget, addVerb, type VerbOptions } from '../verb.ts';
import { type TokenItem, tokenItems } from './item.ts';
import { type Choice, chosenToken } from './resolve.ts';
import { SERVICE_DEADLINE } from './service-place.ts';

/** `keyhold token refresh`: of any held token; `keyhold auth refresh` is the same for the account that is signed in. */
export function addRefresh(token: Command): void {
  addTarget(addVerb(token, 'refresh [token]', 'trade one for a fresh one, where its service does that')).action(
    refresh,
  );
}

async function refresh(word: string | undefined, { json, ...choice }: Choice & VerbOptions): Promise<void> {
  await withAgent(async (agent) => {
    await refreshOne(agent, chosenToken({ ...choice, word }, await tokenItems(agent)), json);
  }, SERVICE_DEADLINE);
}

/** Trades a token for a fresh one, where its service has a call for that. */
export async function refreshOne(agent: Connection, item: TokenItem, json: boolean | undefined): Promise<void> {
  const { details } = await ask(agent, 'refresh', { attributes: { id: item.id } });
  const expiresAt = detail(details, 'expires_at');
  show(json, { refreshed: item.id, expiresAt: expiresAt && Number(expiresAt) }, (page) => {
    const until = expiresAt === undefined ? '' : `, until ${localTime(Number(expiresAt))}`;
    page.line(`A fresh token is kept${until}.`, 'green');
  });
}
