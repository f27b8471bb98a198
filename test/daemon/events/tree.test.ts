import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/**
 * node-ipc and everything that it brings, read line by line once. Versions of it have been malicious more than once: a
 * new one is a new reading, and its hashes come here by hand.
 */
const tree: Readonly<Record<string, readonly [version: string, integrity: string]>> = {
  'node-ipc': [
    '14.0.0',
    'sha512-d5+aogND4Gk6aQkW5KCibliM4Mn12+isHXt8wFghO4Bn0gBSnev3TXJWQ4eEnzrlh5gCG+nwQEZwyayeDtQxQA==',
  ],
  'event-pubsub': [
    '6.1.1',
    'sha512-08nRrPDOAI5QtM/iQRVIs9DiWyFiyG8VCKf/4i71xQAurXm07exshjSY80wSHJMsHPw9cpUxzJPpXjMyHeBTZw==',
  ],
  'strong-type': [
    '2.0.0',
    'sha512-HHrY9qYC7yn+5mlewiI3k9RQM9gZqGQsqbomZcd10Ks0h4RlX01nnkWbCe4AsVPCI6KaFvpkWm1nHMD+Ykup6g==',
  ],
  'js-message': [
    '3.1.0',
    'sha512-k9iKFwzyAbz8gDJXIvIohSBaXeG3PvFzVwUccaDf0vv8LbEMpOvUfpyE6MGrlovliFdhTBUcIvXfSxOZkorWhA==',
  ],
  'js-queue': [
    '3.1.0',
    'sha512-qENB7XiNpXyxg6132Bwz08uq8GQyaVhD53O41d1F45aCHbKD82bkgZYHWqBGsWggDy8KuY5mPzG7oDnUV7Mn8A==',
  ],
  'easy-stack': [
    '2.1.0',
    'sha512-ZpUD5AJeKhRic1RrajfGKuLl721bCeIpnAj1i7BtlC1XX5Mb52ku3e9pDWryV32yndd28ZyqdVsVcBuI7WY2Iw==',
  ],
};

type Locked = {
  readonly version: string;
  readonly integrity: string;
  readonly dependencies?: Record<string, string>;
  readonly hasInstallScript?: boolean;
};

describe('node-ipc', () => {
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };

  it('is asked for in exactly one version', () => {
    expect(JSON.parse(read('package.json')).dependencies['node-ipc']).toBe('14.0.0');
  });

  it('and all that it brings are locked to the hashes that were read, and run no script', () => {
    for (const [name, [version, integrity]] of Object.entries(tree)) {
      const locked = lock.packages[`node_modules/${name}`];
      expect(locked, name).toMatchObject({ version, integrity });
      expect(locked!.hasInstallScript, name).toBeUndefined();
    }
  });

  it('brings nothing else, in no second copy', () => {
    const seen = new Set(['node-ipc']);
    for (const name of seen) {
      for (const one of Object.keys(lock.packages[`node_modules/${name}`]?.dependencies ?? {})) seen.add(one);
    }
    expect([...seen].sort()).toEqual(Object.keys(tree).sort());
    const copies = Object.keys(lock.packages).filter((path) =>
      Object.keys(tree).some((name) => path.endsWith(`/${name}`)),
    );
    expect(copies).toHaveLength(Object.keys(tree).length);
  });

  it.skipIf(!existsSync(join(root, 'dist/lib/events-main.cjs')))(
    'is in the bundle of its process and in no other',
    () => {
      const holds = (bundle: string) => read(`dist/lib/${bundle}-main.cjs`).includes('ERR_IPC_FRAME_TOO_LARGE');
      expect(holds('events')).toBe(true);
      for (const bundle of ['agent', 'admin', 'cli', 'helper', 'keyring-child', 'upstream-child']) {
        expect(holds(bundle), bundle).toBe(false);
      }
      expect(read('dist/lib/client.js')).not.toContain('ERR_IPC_FRAME_TOO_LARGE');
    },
  );
});
