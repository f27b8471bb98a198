import type { CredentialReply } from '../../../protocol/handler.ts';
import type { Connection } from '../../dial.ts';
import { detail, requestOf } from '../agent.ts';
import { type Consent, confirm } from '../confirm.ts';
import { spoken, tokenItems } from '../token/item.ts';

/** A login that the agent withholds, because another token stands in its place. */
export type WithheldLogin = {
  /** The action that goes on with it. */
  readonly action: 'login' | 'authorized';
  readonly details: CredentialReply['details'];
  /** The id of the token that the person has already agreed to replace. */
  readonly agreed?: string | undefined;
};

/** Whether a reply is about a login that is withheld until the person has decided. */
export function isWithheld({ details }: CredentialReply): boolean {
  return detail(details, 'replaces') !== undefined;
}

/**
 * Asks whether a new login may replace the token that stands in its place, and answers what came of it. Where it may not, the new
 * one is ended at its service and nothing has changed here. Throws a `CommandFailure` where the person says no, or cannot be asked.
 */
export async function keepOver(
  agent: Connection,
  { action, details, agreed }: WithheldLogin,
  consent: Consent,
): Promise<CredentialReply> {
  const [login, replaces, account] = ['login', 'replaces', 'account'].map((key) => detail(details, key));
  const before = (await tokenItems(agent)).find(({ id }) => id === replaces);
  const whose = before?.account === undefined ? '' : ` of ${before.account}`;
  const what = before ? `${spoken(before)}${whose}` : `the token of ${account}`;
  try {
    if (replaces !== agreed) {
      await confirm(
        `Replace ${what}? The new login is of the account ${account}. (--username NAME keeps both)`,
        consent,
      );
    }
  } catch (error) {
    await agent(requestOf(action, { attributes: { login, drop: '1' } }));
    throw error;
  }
  return agent(requestOf(action, { attributes: { login, replace: replaces } }));
}
