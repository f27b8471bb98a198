import { describe, expect, it } from 'vitest';
import type { Secrets } from '../../../daemon/backends/backend.ts';
import { openBackup, sealBackup } from '../../../daemon/backends/backup.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import { expose, heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { aHeld } from '../../contracts/backend.ts';

const kdf = { memory: 8, passes: 1, parallelism: 1 };
const passphrase = secretFromText('correct horse EXAMPLE');
const items = [
  { held: aHeld({ id: '0', authtype: 'Bearer', expiresAt: 5 }), secrets: { secret: secretFromText('token-EXAMPLE') } },
  {
    held: aHeld({ id: '1', username: '', path: 'a\u00e9' }),
    secrets: { secret: secretFromText(''), refreshToken: secretFromText('r-EXAMPLE') },
  },
  { held: aHeld({ id: '2', username: 'none' }), secrets: {} },
];

describe('a backup', () => {
  it('gives back what was sealed, in batches', async () => {
    const { header, records } = await sealBackup(passphrase, items, kdf);
    const backup = await openBackup(passphrase, header, heapSecret);
    expect(backup.missing).toBe(3);
    const first = backup.read(records.slice(1));
    expect(backup.missing).toBe(1);
    const all = [...backup.read(records.slice(0, 1)), ...first];
    expect(backup.missing).toBe(0);
    expect(all.map(({ held }) => held)).toEqual(items.map(({ held }) => held));
    expect(all.map(({ secrets }) => shown(secrets))).toEqual(items.map(({ secrets }) => shown(secrets)));
    backup.dispose();
    expect(() => backup.read(records)).toThrow();
  });

  it('is lines of text that show neither host nor account nor secret', async () => {
    const { header, records } = await sealBackup(passphrase, items, kdf);
    for (const line of [header, ...records]) expect(line).not.toMatch(/[\n\r]|example|ada|EXAMPLE/);
    expect(JSON.parse(header)).toMatchObject({ keyhold: 'backup', version: 1, count: 3 });
  });

  it('may be empty', async () => {
    const { header, records } = await sealBackup(passphrase, [], kdf);
    expect(records).toEqual([]);
    expect((await openBackup(passphrase, header, heapSecret)).missing).toBe(0);
  });

  it('tells a wrong passphrase from damage and from a newer version', async () => {
    const { header } = await sealBackup(passphrase, items, kdf);
    const open = (line: string, words = passphrase) => codeOf(openBackup(words, line, heapSecret));
    expect(await open(header, secretFromText('wrong EXAMPLE'))).toBe('wrong_passphrase');
    expect(await open(header.replace('"version":1', '"version":2'))).toBe('vault_newer');
    expect(await open(header.replace('"passes":1', '"passes":2'))).toBe('vault_corrupt');
    expect(await open(header.slice(0, -1))).toBe('vault_corrupt');
    expect(await open('{}')).toBe('vault_corrupt');
    expect(await open('null')).toBe('vault_corrupt');
    expect(await open('')).toBe('vault_corrupt');
    expect(await codeOf(sealBackup(secretFromText(''), items, kdf))).toBe('secret_unfit');
  });

  it('refuses a record that was changed, cut, repeated or taken from another backup', async () => {
    const { header, records } = await sealBackup(passphrase, items, kdf);
    const other = await sealBackup(passphrase, items, kdf);
    const backup = await openBackup(passphrase, header, heapSecret);
    const [record] = records as [string];
    for (let at = 0; at < record.length - 2; at++) {
      const flipped = record.slice(0, at) + (record[at] === 'A' ? 'B' : 'A') + record.slice(at + 1);
      expect(() => backup.read([flipped])).toThrow(/was changed/);
    }
    expect(() => backup.read([record.slice(0, 40)])).toThrow(/was changed/);
    expect(() => backup.read([other.records[0]!])).toThrow(/was changed or belongs to another backup/);
    expect(() => backup.read([record, record])).toThrow(/stands in it twice/);
  });
});

function shown({ secret, refreshToken }: Secrets) {
  return [secret, refreshToken].map((one) => one && Buffer.from(expose(one)).toString());
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'no fault';
  } catch (error) {
    return error instanceof KeyholdError ? error.code : String(error);
  }
}
