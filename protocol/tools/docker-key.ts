import type { Target } from '../credential.ts';
import { targetOfUrl } from './url.ts';

/** Docker Hub, which docker knows by this key alone. */
const HUB = 'index.docker.io';
const HUB_KEY = `https://${HUB}/v1/`;
const HUB_PATH = 'v1';
/** Where docker's clients speak plain HTTP without being told to. */
const LOOPBACK = /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?$/;

/**
 * What a registry's key can mean, in the order in which it is asked for; none for what is no key. A key is `HOST`,
 * `HOST/PATH`, or a URL. Without a scheme it means https; on loopback it may also mean http, as docker tries both there.
 */
export function targetOfDockerKey(key: string): Target[] {
  if (key === HUB_KEY) return [{ protocol: 'https', host: HUB }];
  const hasScheme = /^https?:\/\//.test(key);
  const target = targetOfUrl(hasScheme ? key : `https://${key}`);
  if (!target || target.username !== undefined) return [];
  const isEither = !hasScheme && LOOPBACK.test(target.host);
  return isEither ? [target, { ...target, protocol: 'http' }] : [target];
}

/** The key by which a `get` finds what is kept for `target`; undefined if none does. */
export function dockerKeyOf({ protocol, host, path }: Target): string | undefined {
  if (protocol === 'https' && host === HUB && path === undefined) return HUB_KEY;
  // By this path docker would find what is kept for the host alone.
  if (host === HUB && path === HUB_PATH) return undefined;
  const rest = `${host}${path === undefined ? '' : `/${path}`}`;
  const key = protocol === 'https' && host !== HUB ? rest : `${protocol}://${rest}`;
  if (protocol !== 'https' && protocol !== 'http') return undefined;
  const [first] = targetOfDockerKey(key);
  return first?.protocol === protocol && first.host === host && first.path === path ? key : undefined;
}
