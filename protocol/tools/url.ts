import { type Target, whyNoTarget } from '../credential.ts';
import { isControl } from '../writer.ts';

/**
 * The target that a URL of a tool names, `protocol://[user@]host[:port][/path]`, byte by byte: nothing is decoded,
 * lowered, trimmed or left out but the slash before the path and the slashes behind it, as git and `token set` write a
 * path. Undefined for what is no such URL: a password, a query, a fragment, a backslash, a control byte, white space.
 */
export function targetOfUrl(url: string): Target | undefined {
  const found = URL_PARTS.exec(url);
  if (!found || [...Buffer.from(url, 'latin1')].some(isControl)) return undefined;
  const [, protocol, username, host, path = ''] = found;
  if (whyNoTarget(protocol, host) !== undefined) return undefined;
  const trimmed = path.replace(/\/+$/, '');
  return { protocol: protocol!, host: host!, path: trimmed === '' ? undefined : trimmed, username };
}

/** The target for one account; undefined where the URL names another one. */
export function forAccount(target: Target, account: string | undefined): Target | undefined {
  if (account === undefined) return target;
  return target.username === undefined || target.username === account ? { ...target, username: account } : undefined;
}

/**
 * Whether `server` is the one that `kept` stands for: the same protocol and host, byte by byte, and below its path where it
 * has one.
 */
export function isServerOf(server: Target, kept: Target): boolean {
  if (server.protocol !== kept.protocol || server.host !== kept.host) return false;
  return kept.path === undefined || `${server.path ?? ''}/`.startsWith(`${kept.path}/`);
}

const URL_PARTS = /^([^:/?#@\\ ]+):\/\/(?:([^:/?#@\\ ]+)@)?([^/?#@\\ ]+)(?:\/([^?#\\ ]*))?$/;
