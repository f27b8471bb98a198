import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frame, framesOf, openReply, partsOf, sealReply } from '../../../daemon/processes/frames.ts';

const parts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 });
const plain = (found: readonly Uint8Array[]) => found.map((part) => [...part]);

describe('frames', () => {
  test('come back as they were sent, however the stream is split', () => {
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 5 }), fc.integer({ min: 1, max: 50 }), (sent, step) => {
        const stream = Buffer.concat(sent.map(frame));
        const received: number[][][] = [];
        let input = Buffer.alloc(0);
        for (let at = 0; at < stream.length; at += step) {
          const bodies = framesOf(Buffer.concat([input, stream.subarray(at, at + step)]));
          let next = bodies.next();
          for (; !next.done; next = bodies.next()) received.push(plain(partsOf(next.value)));
          input = Buffer.from(next.value);
        }
        expect(received).toEqual(sent.map(plain));
        expect(input.length).toBe(0);
      }),
    );
  });

  test('that are too long, or whose parts do not fit, are refused', () => {
    expect(() => framesOf(Buffer.from([0xff, 0xff, 0xff, 0x7f, 1])).next()).toThrow(RangeError);
    expect(() => partsOf(Buffer.from([2, 0, 0, 0, 1]))).toThrow(RangeError);
    expect(() => partsOf(Buffer.from([1, 0]))).toThrow(RangeError);
  });
});

describe('a sealed reply', () => {
  const key = randomBytes(32);
  const reply = [Buffer.from('ok'), Buffer.from('token-EXAMPLE')];
  const sealed = () => sealReply(key, reply).subarray(4);

  test('opens under its key and shows nothing before', () => {
    expect(plain(openReply(key, sealed()))).toEqual(plain(reply));
    expect(sealed().includes('EXAMPLE')).toBe(false);
  });

  test('does not open under another key, nor after a change of any byte', () => {
    expect(() => openReply(randomBytes(32), sealed())).toThrow();
    for (let at = 0; at < sealed().length; at++) {
      const changed = sealed();
      changed[at]! ^= 1;
      expect(() => openReply(key, changed)).toThrow();
    }
  });
});
