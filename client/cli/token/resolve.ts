import { exitCodeOf } from '../../../protocol/status.ts';
import { printable } from '../../../protocol/text.ts';
import { CommandFailure } from '../failure.ts';
import { targetDocument, targetOf, urlOf } from '../target.ts';
import { matches, nameOf, type TokenItem, urlOfItem } from './item.ts';

/** The command that shows what a word can name. */
const LIST = 'keyhold token list';
/** Candidates that a refusal names. */
const NAMED_MAX = 8;
/** Characters of an id that tell it apart for people. */
const ID_SHOWN = 12;

/** How a person says which token they mean: a word, or what it is for. */
export type Choice = {
  readonly word?: string | undefined;
  readonly for?: string | undefined;
  readonly username?: string | undefined;
};

/**
 * The one token that a word names: its id, here or at the service, or its label; else what begins with it (an id, a
 * label, a fingerprint), where only one does. Throws a `CommandFailure` with 4 where none does, and with 2 where
 * several do, which it names.
 */
export function resolveToken<T extends TokenItem>(word: string, items: readonly T[], see = LIST): T {
  const exact = [
    (item: T) => item.id === word,
    (item: T) => item.tokenId === word,
    (item: T) => item.label === word,
    (item: T) => item.username === word,
  ];
  const begins = (item: T) =>
    [item.id, item.tokenId, item.label, item.fingerprint].some((text) => text?.startsWith(word));
  for (const isMeant of word === '' ? [] : [...exact, begins]) {
    const found = items.filter(isMeant);
    if (found.length === 1) return found[0]!;
    if (found.length > 1) throw ambiguous(word, found);
  }
  const quoted = printable(word);
  throw new CommandFailure(exitCodeOf('not-found'), `cannot find the token "${quoted}"; see: ${see}`);
}

/**
 * The tokens that a person means: the one that a word names, or all that match a URL. Throws as `resolveToken`, with 4
 * where nothing matches, and with 2 where neither or both are given.
 */
export function chosenTokens<T extends TokenItem>(
  { word, for: url, username }: Choice,
  items: readonly T[],
  see = LIST,
): T[] {
  if (word !== undefined && url === undefined) {
    const narrowed = username === undefined ? items : items.filter((item) => item.username === username);
    return [resolveToken(word, narrowed, see)];
  }
  if (word !== undefined || url === undefined) throw usage('name a token, or say by --for URL where it is for');
  const target = targetOf(url, username);
  const found = items.filter((item) => matches(item, target));
  if (found.length > 0) return found;
  const who = targetDocument(target)['username'];
  const where = `${urlOf(target)}${who === undefined ? '' : `, username ${who}`}`;
  throw new CommandFailure(exitCodeOf('not-found'), `cannot find a token: nothing is held for ${printable(where)}`);
}

/** The same for a verb that can mean one only. */
export function chosenToken<T extends TokenItem>(choice: Choice, items: readonly T[], see = LIST): T {
  const found = chosenTokens(choice, items, see);
  if (found.length === 1) return found[0]!;
  throw ambiguous(choice.for ?? choice.word ?? '', found);
}

/**
 * The same also among what was revoked. Labels and places come back: what is held by that whole name, or for that URL, is meant
 * before what was once.
 */
export function heldOrDeleted<T extends TokenItem, D extends TokenItem>(
  choice: Choice,
  held: readonly T[],
  deleted: readonly D[],
): T | D {
  const { word, for: url, username } = choice;
  const isNamed = ({ id, tokenId, label, username: name }: TokenItem) => [id, tokenId, label, name].includes(word);
  const target = word === undefined && url !== undefined ? targetOf(url, username) : undefined;
  const isMeant = word === undefined ? (item: TokenItem) => target !== undefined && matches(item, target) : isNamed;
  return chosenToken<T | D>(choice, held.some(isMeant) ? held : [...held, ...deleted]);
}

function ambiguous(word: string, found: readonly TokenItem[]): CommandFailure {
  const named = found.slice(0, NAMED_MAX).map((item) => {
    const name = nameOf(item);
    return `${item.id.slice(0, ID_SHOWN)} (${name === undefined ? '' : `${name}, `}${urlOfItem(item)})`;
  });
  const more = found.length > NAMED_MAX ? ` and ${found.length - NAMED_MAX} more` : '';
  return usage(`"${word}" means ${found.length} tokens: ${named.join(', ')}${more}; name one of them by its id`);
}

function usage(rule: string): CommandFailure {
  return new CommandFailure(exitCodeOf('bad-request'), printable(`cannot tell which token: ${rule}`));
}
