import type { Attributes } from './attributes.ts';
import type { EpochSeconds } from './credential.ts';
import { KeyholdError } from './errors.ts';
import type { Grant } from './grant.ts';
import { fromWire, toWire } from './text.ts';

/**
 * What is known of a token beside its target. All of it is text for people (not wire values), and any of it may be
 * absent: a tool that stores a credential says nothing of this.
 */
export type About = {
  /** The id of the manifest that describes where it is for. */
  readonly service?: string | undefined;
  /** Which of the service's kinds it is. */
  readonly kind?: string | undefined;
  /** What the person calls it. */
  readonly label?: string | undefined;
  /** The service's own id of it. */
  readonly tokenId?: string | undefined;
  /** Where it came from: an administrator, a page, a colleague. */
  readonly origin?: string | undefined;
  /** Who it stands for at the service. */
  readonly account?: string | undefined;
  readonly tenant?: string | undefined;
  /** Why the service has not confirmed this value; absent where it has, or was never to be asked. */
  readonly unverified?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  /** When the service made it, which is before it came here. */
  readonly createdAt?: EpochSeconds | undefined;
  /** The beginning that every token of its kind shows in public (`ghp_`); of the value itself nothing. */
  readonly prefix?: string | undefined;
  /** 16 hexadecimal digits that are equal for equal values, under a key of ours: nothing can be told from them. */
  readonly fingerprint?: string | undefined;
  /** How it is refreshed; absent: not by us. */
  readonly oauth?: Grant | undefined;
  /** What its service said of this value; another value, or a call that the service takes, clears it. */
  readonly ended?: Ended | undefined;
};

/** A service has said in its own words that it does not take a token any more, and when. */
export type Ended = { readonly status: 'revoked' | 'expired'; readonly at: EpochSeconds };

/** What somebody says of a token. A member that is there and undefined takes away what was known. */
export type AboutChange = Omit<About, 'prefix' | 'fingerprint' | 'oauth' | 'ended'>;

/** Characters of one text: a label is shown in a table, an origin in a line or two. */
const TEXT_MAX = 256;
/** Characters of all scopes of one token together. */
const SCOPES_TEXT_MAX = 4_096;
/** Scopes of one token. The longest lists of those that are known have fewer than a hundred. */
const SCOPES_MAX = 128;

/** Our names and those of the wire, in the order in which they are shown. */
const names = {
  service: 'service',
  kind: 'kind',
  label: 'label',
  tokenId: 'token_id',
  origin: 'origin',
  account: 'account',
  tenant: 'tenant',
  unverified: 'unverified',
} as const satisfies Partial<Record<keyof AboutChange, string>>;

/** What a request says of a token; undefined if it says nothing. An empty value takes away. Throws `bad_request`. */
export function readAbout(attributes: Attributes): AboutChange | undefined {
  const change: { -readonly [K in keyof AboutChange]: AboutChange[K] } = {};
  for (const [name, key] of Object.entries(names) as [keyof typeof names, string][]) {
    const value = attributes.text(key);
    if (value !== undefined) change[name] = textOf(key, value);
  }
  const scopes = attributes.text('scopes');
  if (scopes !== undefined) change.scopes = scopesOf(scopes);
  const createdAt = attributes.text('created_at');
  if (createdAt !== undefined) change.createdAt = dateOf(createdAt);
  return Object.keys(change).length === 0 ? undefined : change;
}

/** The same as attributes of the wire. */
export function aboutAttributes(change: AboutChange): [key: string, value: string][] {
  const attributes: [string, string][] = [];
  for (const [name, key] of Object.entries(names) as [keyof typeof names, string][]) {
    if (name in change) attributes.push([key, toWire(change[name] ?? '')]);
  }
  if ('scopes' in change) attributes.push(['scopes', toWire((change.scopes ?? []).join(' '))]);
  if ('createdAt' in change) attributes.push(['created_at', change.createdAt?.toString() ?? '']);
  return attributes;
}

/** `before` with what `change` says, and without what is undefined; undefined if nothing is left. */
export function mergeAbout(before: About | undefined, change: About): About | undefined {
  const merged = Object.entries({ ...before, ...change }).filter(([, value]) => value !== undefined);
  return merged.length === 0 ? undefined : (Object.fromEntries(merged) as About);
}

/** What is true of whatever value stands in the same place: of an old value's id, dates and origin nothing. */
export function aboutPlace({ service, kind, label, account, tenant }: About): About {
  return { service, kind, label, account, tenant };
}

/** Whether `change` says anything that is not known already. */
export function saysMore(known: About | undefined, change: AboutChange): boolean {
  return Object.entries(change).some(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(known?.[name as keyof About]),
  );
}

function textOf(key: string, value: string): string | undefined {
  if (value === '') return undefined;
  const text = fromWire(value);
  if (text.includes('\ufffd')) throw unfit(key, 'it is not UTF-8');
  if (text.length > TEXT_MAX) throw unfit(key, `it is longer than ${TEXT_MAX} characters`);
  return text;
}

/** Separated by spaces, as OAuth has them (RFC 6749, 3.3). */
function scopesOf(value: string): readonly string[] | undefined {
  const scopes = value.split(' ').flatMap((scope) => textOf('scopes', scope) ?? []);
  if (value.length > SCOPES_TEXT_MAX) throw unfit('scopes', `they are longer than ${SCOPES_TEXT_MAX} characters`);
  if (scopes.length > SCOPES_MAX) throw unfit('scopes', `there are more than ${SCOPES_MAX}`);
  return scopes.length === 0 ? undefined : scopes;
}

function dateOf(value: string): EpochSeconds | undefined {
  if (value === '') return undefined;
  if (!/^[0-9]{1,12}$/.test(value)) throw unfit('created_at', 'it is not a date in seconds');
  return Number(value);
}

function unfit(key: string, rule: string): KeyholdError {
  return new KeyholdError('bad_request', `cannot read ${key}: ${rule}`);
}
