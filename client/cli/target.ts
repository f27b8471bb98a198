import { type Target, whyNoTarget } from '../../protocol/credential.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { fromWire, toWire } from '../../protocol/text.ts';
import { isControl } from '../../protocol/writer.ts';
import { CommandFailure } from './failure.ts';

/**
 * The target that a URL names, `protocol://[user@]host[:port][/path]`, read byte by byte as git reads it (credential.c,
 * credential_from_url_gently), never as a browser would: `https://good.example\@evil.example` is evil.example to git.
 * Throws a `CommandFailure` with 2 for what git would refuse, for a password inside the URL, and for other bytes than
 * a target may hold.
 */
export function targetOf(url: string, username?: string): Target {
  if (url.includes('\ufffd')) throw unfit('it is not UTF-8');
  const text = toWire(url);
  const schemeEnd = text.indexOf('://');
  if (schemeEnd <= 0) throw unfit('it has no scheme; write it as https://HOST');
  const authority = schemeEnd + 3;
  const hostEnd = authority + text.slice(authority).search(/[/?#]|$/);
  const at = text.indexOf('@', authority);
  const hasUser = at >= 0 && at <= hostEnd;
  const user = hasUser ? text.slice(authority, at) : '';
  if (user.includes(':')) {
    throw unfit('it holds a password, which everybody can read in the list of processes; leave it out, and revoke it');
  }
  const protocol = text.slice(0, schemeEnd);
  const host = decodePercent(text.slice(hasUser ? at + 1 : authority, hostEnd));
  const path = decodePercent(text.slice(hostEnd).replace(/^\/+/, '')).replace(/(?<=.)\/+$/, '');
  const why = whyNoTarget(protocol, host);
  if (why) throw unfit(why);
  return { protocol, host, path: path === '' ? undefined : path, username: oneUser(decodePercent(user), username) };
}

function oneUser(inUrl: string, given: string | undefined): string | undefined {
  if (given === undefined) return inUrl === '' ? undefined : inUrl;
  if (given.includes('\ufffd') || [...Buffer.from(given)].some(isControl))
    throw unfit('the username holds a control byte');
  const username = toWire(given);
  if (inUrl !== '' && inUrl !== username) throw unfit('it names another user than --username does');
  return username;
}

/** `%41` is `A`; a `%` that no two hex digits follow stands for itself (git's url_decode). */
function decodePercent(text: string): string {
  const decoded = text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  if ([...Buffer.from(decoded, 'latin1')].some(isControl)) throw unfit('it holds a control byte');
  return decoded;
}

/** A target for people. */
export function urlOf({ protocol, host, path }: Target): string {
  return fromWire(`${protocol}://${host}${path === undefined ? '' : `/${path}`}`);
}

/** A target as JSON, in human text, without what is absent. */
export function targetDocument(target: Target): Record<string, string> {
  const document: Record<string, string> = {};
  for (const key of ['protocol', 'host', 'path', 'username'] as const) {
    if (target[key] !== undefined) document[key] = fromWire(target[key]);
  }
  return document;
}

function unfit(rule: string): CommandFailure {
  return new CommandFailure(exitCodeOf('bad-request'), `cannot read the URL: ${rule}`);
}
