import type { Target } from '../../protocol/credential.ts';
import { targetOf, urlOf } from '../cli/target.ts';

/** The URL of `--for` as our helpers read it back: without a user, a query or a fragment. Exit 2 for what is no URL. */
export function urlOption(url: string): { readonly target: Target; readonly url: string } {
  const { username: _, ...target } = targetOf(url);
  return { target, url: urlOf(target) };
}
