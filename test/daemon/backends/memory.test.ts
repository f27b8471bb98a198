import { describe, expect, it } from 'vitest';
import { openMemory } from '../../../daemon/backends/memory.ts';
import { heapSecret, type Secret, secretFromText } from '../../../protocol/secret.ts';
import { aHeld, testBackend } from '../../contracts/backend.ts';

testBackend('memory', async () => {
  const backend = await openMemory({ keep: heapSecret });
  return { backend, close: () => backend.dispose() };
});

describe('the memory backend', () => {
  it('wipes its own copies when they are replaced, removed and disposed of', async () => {
    const kept: Secret[] = [];
    const backend = await openMemory({
      keep: (bytes) => {
        const secret = heapSecret(bytes);
        kept.push(secret);
        return secret;
      },
    });
    const put = (username: string) =>
      backend.put(aHeld({ username }), {
        secret: secretFromText('a-EXAMPLE'),
        refreshToken: secretFromText('b-EXAMPLE'),
      });
    const left = () => kept.filter((secret) => secret.length > 0).length;
    await put('ada');
    await put('ada');
    expect([kept.length, left()]).toEqual([4, 2]);
    await put('bob');
    await backend.remove(aHeld({ username: 'ada' }));
    expect([kept.length, left()]).toEqual([6, 2]);
    await backend.dispose();
    expect(left()).toBe(0);
  });
});
