import { describe, expect, it } from 'vitest';
import { copySecrets, decodeSecrets, encodeSecrets } from '../../../daemon/backends/secrets.ts';
import { heapSecret, type Secret, secretFromText } from '../../../protocol/secret.ts';

const both = { secret: secretFromText('one-EXAMPLE'), refreshToken: secretFromText('') };

describe('the secrets of a record', () => {
  it('are what they were, absent and empty ones too', () => {
    for (const secrets of [both, { secret: both.secret }, { refreshToken: both.secret }, {}]) {
      const { secret, refreshToken } = decodeSecrets(encodeSecrets(secrets), heapSecret);
      expect(secret?.equals(both.secret)).toBe('secret' in secrets ? true : undefined);
      expect(refreshToken?.length).toBe('refreshToken' in secrets ? secrets.refreshToken.length : undefined);
    }
  });

  it('are refused when they are cut anywhere', () => {
    const bytes = encodeSecrets(both);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSecrets(bytes.subarray(0, length), heapSecret)).toThrow(/unknown form/);
    }
  });

  it('are copied both or not at all', () => {
    const kept: Secret[] = [];
    const keepOne = (bytes: Uint8Array) => {
      if (kept.length === 1) throw new Error('no memory');
      kept.push(heapSecret(bytes));
      return kept[0]!;
    };
    expect(() => copySecrets(both, keepOne)).toThrow('no memory');
    expect(kept[0]!.length).toBe(0);
  });
});
