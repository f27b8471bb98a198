import { OWN_PROTOCOL, placeAtRest, type Target, whyNoTarget } from '../../../protocol/credential.ts';

/** Where an item stands in the keyring: the attributes `service` and `username` that every lookup goes by. */
export type ItemName = { readonly service: string; readonly account: string };

/** The key of our sealed index. No target can have this service: it has no `://`. */
export const INDEX_KEY_ITEM: ItemName = { service: 'keyhold', account: 'index' };
/** The key of a vault whose key rests in the keyring. */
export const VAULT_KEY_ITEM: ItemName = { service: 'keyhold', account: 'vault' };

/**
 * The item of a credential's secret: service `protocol://host[/path]`, account the username, as people write them, so
 * that `secret-tool lookup service https://example.com username ada` finds it.
 *
 * Two targets never share an item. A host holds no slash, so the first one behind it begins the path, and an empty
 * path is `protocol://host/`. An absent username is the empty account, an empty one a lone `\`. What would not survive
 * as it is or could be taken for an escape is escaped: text that begins with `\` gets one more in front, and bytes that
 * are not UTF-8, which a keyring cannot hold, become `\x` and their hexadecimal digits.
 */
export function itemOf(target: Target): ItemName {
  const { protocol, host, path, username } = target.front === undefined ? target : placeAtRest(target);
  return {
    service: `${protocol}://${host}${path === undefined ? '' : `/${legible(path)}`}`,
    account: username === undefined ? '' : username === '' ? '\\' : legible(username),
  };
}

/** The item of a credential's refresh token. The space keeps it apart: no protocol's name holds one. */
export function refreshItemOf(target: Target): ItemName {
  const { service, account } = itemOf(target);
  return { service: `${REFRESH}${service}`, account };
}

/** What an item of ours is: the secret of a target, or its refresh token. */
export type ItemMeaning = { readonly target: Target; readonly is: 'secret' | 'refresh-token' };

const REFRESH = 'keyhold refresh ';

/**
 * The way back from an item's name; undefined for one that `itemOf` and `refreshItemOf` make of no target. What is not exactly the
 * name of what it was read as is none of ours.
 */
export function meaningOf({ service, account }: ItemName): ItemMeaning | undefined {
  const is = service.startsWith(REFRESH) ? 'refresh-token' : 'secret';
  const [, protocol, host, path] =
    /^([^:]*):\/\/([^/]*)(?:\/(.*))?$/s.exec(is === 'secret' ? service : service.slice(REFRESH.length)) ?? [];
  if (protocol === undefined || host === undefined) return undefined;
  const username = account === '' ? undefined : account === '\\' ? '' : wired(account);
  const target = fromRest({ protocol, host, path: path === undefined ? undefined : wired(path), username });
  if (whyNoTarget(target.protocol === OWN_PROTOCOL ? 'https' : target.protocol, target.host) !== undefined)
    return undefined;
  const name = is === 'secret' ? itemOf(target) : refreshItemOf(target);
  return name.service === service && name.account === account ? { target, is } : undefined;
}

/** The way back from `placeAtRest`. */
function fromRest(target: Target): Target {
  if (target.protocol !== OWN_PROTOCOL || target.host !== 'front') return target;
  const [, front, protocol, host, path] = /^(\S+) ([^:]*):\/\/([^/]*)(?:\/(.*))?$/s.exec(target.path ?? '') ?? [];
  if (front === undefined || protocol === undefined || host === undefined) return target;
  return { protocol, host, path, username: target.username, front };
}

/** The way back from `legible`. */
function wired(text: string): string {
  const hex = /^\\x((?:[0-9a-f]{2})*)$/.exec(text)?.[1];
  if (hex !== undefined) return Buffer.from(hex, 'hex').toString('latin1');
  return Buffer.from(text.startsWith('\\') ? text.slice(1) : text, 'utf8').toString('latin1');
}

/** A wire value (latin1, one character a byte) as text for people. */
function legible(value: string): string {
  const bytes = Buffer.from(value, 'latin1');
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.startsWith('\\') ? `\\${text}` : text;
  } catch {
    return `\\x${bytes.toString('hex')}`;
  }
}
