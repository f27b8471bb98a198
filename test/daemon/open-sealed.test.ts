import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openSealed } from '../../daemon/open-sealed.ts';

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const inputs = [bytes(32, 32), bytes(12, 12), bytes(0, 300), fc.option(bytes(0, 40), { nil: undefined })] as const;

function sealed(key: Uint8Array, iv: Uint8Array, plain: Uint8Array, bound: Uint8Array | undefined) {
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  if (bound) cipher.setAAD(bound);
  const found = Buffer.concat([cipher.update(plain), cipher.final()]);
  return { key, iv, bytes: found, tag: cipher.getAuthTag(), bound };
}

test('opens what AES-256-GCM has sealed, into memory that is nobody else’s', () => {
  fc.assert(
    fc.property(...inputs, (key, iv, plain, bound) => {
      const opened = openSealed(sealed(key, iv, plain, bound))!;
      expect(Buffer.from(opened).equals(plain)).toBe(true);
      expect(opened.buffer.byteLength).toBe(plain.length);
    }),
  );
});

test('opens nothing of which one bit is another', () => {
  fc.assert(
    fc.property(...inputs, fc.nat(), (key, iv, plain, bound, at) => {
      const seal = sealed(key, iv, plain, bound);
      for (const part of [seal.bytes, seal.tag]) {
        if (part.length === 0) continue;
        part[at % part.length]! ^= 1 << (at % 8);
        expect(openSealed(seal)).toBeUndefined();
        part[at % part.length]! ^= 1 << (at % 8);
      }
      expect(openSealed({ ...seal, bound: Buffer.from([...(bound ?? []), 1]) })).toBeUndefined();
      expect(openSealed({ ...seal, tag: seal.tag.subarray(1) })).toBeUndefined();
    }),
  );
});
