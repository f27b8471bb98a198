import type { Target } from '../../protocol/credential.ts';
import { fromWire } from '../../protocol/text.ts';
import { isControl } from '../../protocol/writer.ts';
import { CommandFailure } from '../cli/failure.ts';
import { targetOf, urlOf } from '../cli/target.ts';
import type { Asked, SetupTool } from './tool.ts';

/**
 * The account that a tool shall ask for: of `--account`, or the user in the URL of `--for`. Exit 2 where they differ, where it is
 * none, and where the tool's hook cannot name it, with how the account is chosen instead.
 */
export function accountFor({ name, account }: SetupTool, option: Asked['option']): string | undefined {
  const asked = accountOption(option('account'), option('for'));
  if (asked === undefined || account === 'named') return asked;
  throw new CommandFailure(
    2,
    `cannot set up ${name} for one account: ${name} cannot name it to keyhold; ${account.instead}`,
  );
}

function accountOption(account: string | undefined, url: string | undefined): string | undefined {
  const inUrl = url?.includes('://') ? targetOf(url).username : undefined;
  const user = inUrl === undefined ? undefined : fromWire(inUrl);
  if (account === undefined) return user;
  if (account === '' || [...Buffer.from(account)].some(isControl)) {
    throw new CommandFailure(2, 'cannot set it up: --account is empty, or holds a control byte');
  }
  if (user !== undefined && user !== account) {
    throw new CommandFailure(2, 'cannot set it up: --for names another account than --account does');
  }
  return account;
}

/** The URL of `--for` as our helpers read it back: without a user, a query or a fragment. Exit 2 for what is no URL. */
export function urlOption(url: string): { readonly target: Target; readonly url: string } {
  const { username: _, ...target } = targetOf(url);
  return { target, url: urlOf(target) };
}
