import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type IndexChange, openIndex } from '../../daemon/backends/keyring/held-index.ts';
import { INDEX_KEY_ITEM, type ItemName, itemOf, refreshItemOf } from '../../daemon/backends/keyring/names.ts';
import { heapSecret } from '../../protocol/secret.ts';
import { type KeyringSession, SESSION_PASSWORD } from '../fakes/keyring-session.ts';

/** An item as the agent makes it: two attributes, a label, a secret that is text. */
type Item = ItemName & { readonly secret: string };

/** Rows of the index that one transaction takes. */
const ROWS_AT_ONCE = 500;
/** Rounds of SHA-256 between a password and its key; gnome-keyring itself takes 1,000 to 4,096 at random. */
const ITERATIONS = 1_000;

/**
 * Fills a home and its keyring with as many credentials as `values` has (hosts and their secrets), without asking
 * gnome-keyring for each: it writes its whole file at every store, so that 10,000 stores take hours. The agent must be down
 * and have stored something for the host `template`; each new credential has what the agent noted of that, but its host, id and
 * secret. What is there already stays. The keyring is restarted here, reads the file that is written for it, and is the
 * real one from then on.
 */
export async function fillKeyring(
  home: string,
  session: KeyringSession,
  template: string,
  values: ReadonlyMap<string, string>,
): Promise<void> {
  const read = async (name: ItemName): Promise<Item> => {
    const secret = await session.run('secret-tool', 'lookup', 'service', name.service, 'username', name.account);
    return { ...name, secret };
  };
  const indexKey = await read(INDEX_KEY_ITEM);
  const key = heapSecret(Buffer.from(indexKey.secret, 'hex'));
  const index = await openIndex({ file: join(home, 'state/keyring.db'), key, keep: heapSecret });
  const items: Item[] = [indexKey];
  try {
    for (const { held, progress } of index.rows()) {
      if (progress.state !== 'whole')
        throw new Error(`cannot fill the keyring: ${held.host} is in the middle of a change`);
      if (progress.items.secret) items.push(await read(itemOf(held)));
      if (progress.items.refreshToken) items.push(await read(refreshItemOf(held)));
    }
    const row = index.rows().find(({ held }) => held.host === template);
    if (!row) throw new Error(`cannot fill the keyring: ${template} was not stored by the agent`);
    const changes: IndexChange[] = [];
    for (const [host, secret] of values) {
      const id = randomBytes(row.held.id.length).toString('hex').slice(0, row.held.id.length);
      const held = { ...row.held, host, id };
      items.push({ ...itemOf(held), secret });
      changes.push({ write: held, progress: row.progress });
    }
    for (let at = 0; at < changes.length; at += ROWS_AT_ONCE) index.apply(changes.slice(at, at + ROWS_AT_ONCE));
  } finally {
    index.close();
    key.dispose();
  }
  await session.kill();
  const file = keyringFile('Login', SESSION_PASSWORD, items);
  writeFileSync(join(session.env.XDG_DATA_HOME!, 'keyrings/login.keyring'), file, { mode: 0o600 });
  await session.start();
}

/**
 * A file of gnome-keyring's, encrypted under a password (AES-128 in CBC, a key of repeated SHA-256, an MD5 in front of the
 * plain text). It refuses a file with anything wrong in it.
 *
 * @see https://gitlab.gnome.org/GNOME/gnome-keyring/-/blob/master/docs/file-format.txt
 */
export function keyringFile(name: string, password: string, items: readonly Item[]): Buffer {
  const salt = randomBytes(8);
  const now = u64(Math.floor(Date.now() / 1_000));
  const reserved = Buffer.alloc(16);
  const attributes = ({ service, account }: Item, written: (value: string) => string) => [
    u32(2),
    ...Object.entries({ service, username: account }).flatMap(([key, value]) => [
      text(key),
      u32(0),
      text(written(value)),
    ]),
  ];
  const hashed = items.flatMap((item, at) => [u32(at + 1), u32(0), ...attributes(item, md5Digits)]);
  const plain = items.flatMap((item) => [
    text(`keyring:${item.account}@${item.service}`),
    text(item.secret),
    now,
    now,
    u32(0xffff_ffff),
    reserved,
    ...attributes(item, (value) => value),
    u32(0),
  ]);
  const body = Buffer.concat(plain);
  const padded = Buffer.concat([body, Buffer.alloc((16 - (body.length % 16)) % 16)]);
  const sealed = seal(Buffer.concat([createHash('md5').update(padded).digest(), padded]), password, salt);
  const times = [now, now];
  const head = [Buffer.from('GnomeKeyring\n\r\0\n', 'latin1'), Buffer.alloc(4), text(name), ...times];
  const lock = [u32(0), u32(0), u32(ITERATIONS), salt, reserved];
  return Buffer.concat([...head, ...lock, u32(items.length), ...hashed, u32(sealed.length), sealed]);
}

function seal(plain: Buffer, password: string, salt: Buffer): Buffer {
  let digest = createHash('sha256').update(password).update(salt).digest();
  for (let round = 1; round < ITERATIONS; round++) digest = createHash('sha256').update(digest).digest();
  const cipher = createCipheriv('aes-128-cbc', digest.subarray(0, 16), digest.subarray(16)).setAutoPadding(false);
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

function md5Digits(value: string): string {
  return createHash('md5').update(value).digest('hex');
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: number): Buffer {
  return Buffer.concat([u32(0), u32(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u32(bytes.length), bytes]);
}
