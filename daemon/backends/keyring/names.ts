import { placeAtRest, type Target } from '../../../protocol/credential.ts';

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
  return { service: `keyhold refresh ${service}`, account };
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
