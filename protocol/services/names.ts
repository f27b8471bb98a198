import type { Manifest } from './manifest.ts';
import { matches, patternOf } from './pattern.ts';

export type NameCheck =
  | { readonly status: 'ok' }
  /** The service would take it, and nobody could tell later what it was for. */
  | { readonly status: 'poor'; readonly why: string; readonly proposal: string }
  /** The service would not take it. Absent a proposal, none is known to fit. */
  | { readonly status: 'unfit'; readonly why: string; readonly proposal: string | undefined };

/** What a proposal is made of, as far as known. */
export type NameHints = { readonly environment?: string; readonly app?: string; readonly host?: string };

/** Words that say nothing about what a token is for. */
const EMPTY_WORDS =
  /^(?:the|my|a|new|old|tmp|temp|test|testing|token|tokens|key|apikey|api|secret|password|abc|foo|bar|baz|asdf|qwerty|xyz|default|untitled|name|example|\d+)$/;

/** Every name that is not read by a rule of the service is at most so many characters. */
const NAME_MAX = 128;

/**
 * Checks the name of a new token against what the service takes, before any call, and against what people can make use
 * of later: the documents of one service call `token1`, `test` and `abc123` bad, `staging-web-app` good.
 */
export function checkName(manifest: Manifest, name: string, hints: NameHints = {}): NameCheck {
  const { min = 1, max = NAME_MAX, pattern } = manifest.limits?.name ?? {};
  const why = whyUnfit(name, min, max, pattern);
  if (why !== undefined) {
    const proposal = proposeName(manifest, name, hints);
    return { status: 'unfit', why: `cannot take this name: ${why}`, proposal };
  }
  if (!isPoor(name)) return { status: 'ok' };
  const proposal = proposeName(manifest, '', hints);
  return { status: 'poor', why: 'it does not say what the token is for', proposal: proposal ?? name };
}

/**
 * A name that the service takes, such as `staging-web-laptop`, out of `<environment>-<app>-<host>` or, if it says
 * something, out of the name that was wished for; made short by dropping the host, then by cutting. Undefined where
 * even that does not fit the service's pattern.
 */
export function proposeName(manifest: Manifest, wished: string, hints: NameHints = {}): string | undefined {
  const { min = 1, max = NAME_MAX, pattern } = manifest.limits?.name ?? {};
  const said = isPoor(wished) ? '' : slug(wished);
  const parts = [hints.environment, hints.app ?? manifest.id, hints.host].map((part) => slug(part ?? ''));
  const whole = parts.filter((part) => part !== '');
  const all = whole.join('-');
  const candidates = [said, shortest(said, max), all, whole.slice(0, 2).join('-'), shortest(all, max)];
  return candidates.find((name) => name !== '' && whyUnfit(name, min, max, pattern) === undefined);
}

function whyUnfit(name: string, min: number, max: number, pattern: string | undefined): string | undefined {
  const length = [...name].length;
  if (name.trim() === '') return 'it is empty';
  if (length < min || length > max) return `it has ${length} characters, where ${min} to ${max} are allowed`;
  if (/\p{Cc}|\p{Cf}|[\u2028\u2029]/u.test(name)) return 'it holds a character that steers a terminal';
  if (pattern !== undefined && !matches(patternOf(pattern), new TextEncoder().encode(name))) {
    return 'it holds a character, or has a form, that the service does not take';
  }
  return undefined;
}

function isPoor(name: string): boolean {
  const words = name
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
  return words.every((word) => EMPTY_WORDS.test(word) || EMPTY_WORDS.test(word.replace(/\d+$/, '')));
}

/** Whole words as long as they fit; the first one cut if not even that does. */
function shortest(name: string, max: number): string {
  const words = name.split('-');
  while (words.length > 1 && words.join('-').length > max) words.pop();
  return words.join('-').slice(0, max).replace(/-+$/, '');
}

function slug(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, NAME_MAX);
}
