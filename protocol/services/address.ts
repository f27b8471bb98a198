import type { Target } from '../credential.ts';

/** A target in its parts: host in lower case without the port, the port as a number where one is known. */
export type Address = {
  readonly protocol: string;
  readonly host: string;
  /** As written, else the scheme's default one; undefined for a scheme that we know none for. */
  readonly port: number | undefined;
  /** Without slashes at its ends; empty for the root. */
  readonly path: string;
};

const defaultPorts: Readonly<Record<string, number>> = { https: 443, http: 80 };
const URL_SHAPE = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)$/;
const AUTHORITY = /^([A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9a-fA-F:.]+\])(?::([0-9]{1,5}))?$/;

/**
 * The parts of a target or of a URL (`https://host[:port][/path]`). Undefined for whatever two programs could read as
 * two different places: a user or password, a query, a backslash, a space, an escaped or empty host, a dot at its end,
 * a path with `.` or `..` or one of these escaped.
 */
export function addressOf(place: string | Target): Address | undefined {
  const url = typeof place === 'string' ? place : `${place.protocol}://${place.host}/${place.path ?? ''}`;
  const [, scheme = '', authority = '', rest = ''] = URL_SHAPE.exec(url) ?? [];
  const [, host = '', portText] = AUTHORITY.exec(authority) ?? [];
  if (host === '' || host.includes('..') || !isPlainPath(rest)) return undefined;
  const protocol = scheme.toLowerCase();
  const port = portText === undefined ? defaultPorts[protocol] : Number(portText);
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  return { protocol, host: host.toLowerCase(), port, path: trimSlashes(rest) };
}

/** `protocol://host[:port]` without the scheme's default port: what REST calls of a server of one's own begin with. */
export function originOf({ protocol, host, port }: Address): string {
  return `${protocol}://${host}${port === undefined || port === defaultPorts[protocol] ? '' : `:${port}`}`;
}

/** Whether nothing but this machine can be meant. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function isPlainPath(path: string): boolean {
  if (!/^[\x21-\x7e]*$/.test(path) || /[\\<>"^`{|}]/.test(path)) return false;
  return path.split('/').every((segment) => !/^(\.|%2e){1,2}$/i.test(segment) && !/%(2f|5c|00)/i.test(segment));
}

function trimSlashes(path: string): string {
  let [start, end] = [0, path.length];
  while (path[start] === '/') start++;
  while (end > start && path[end - 1] === '/') end--;
  return path.slice(start, end);
}
