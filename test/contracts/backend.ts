import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backend, Held, Secrets } from '../../daemon/backends/backend.ts';
import { ownTarget } from '../../daemon/history/tombstones/own-records.ts';
import { expose, heapSecret, type Secret, secretFromText } from '../../protocol/secret.ts';

/** What the contract needs of one backend: the backend itself, ready and empty, and how to end and reopen it. */
export type Harness = {
  readonly backend: Backend;
  /** Opens what was put once more, ready, after `backend` was disposed of. Present when it is durable. */
  readonly reopen?: (() => Promise<Backend>) | undefined;
  /** Ends whatever still runs and removes what rests. */
  close(): Promise<void>;
};

/** What may differ between members, because their world bounds it. */
export type Bounds = {
  /** How many credentials are kept at once; 1,000 unless told. */
  readonly items?: number;
};

/** What every backend must pass, ours or not: `testBackend('name', open)` in a test file of its own. */
export function testBackend(name: string, open: () => Promise<Harness>, { items = 1_000 }: Bounds = {}): void {
  describe(`the ${name} backend as every backend`, () => {
    let harness: Harness;
    let backend: Backend;

    beforeEach(async () => {
      harness = await open();
      backend = harness.backend;
    });
    afterEach(() => harness.close());

    it('holds nothing at first', async () => {
      expect(await backend.list()).toEqual([]);
      expect(await backend.get(aHeld())).toBeUndefined();
    });

    it('gives back what was put', async () => {
      const held = aHeld({ id: 'first', storedAt: 17 });
      await backend.put(held, { secret: secretFromText('token-EXAMPLE') });
      expect(await backend.list()).toEqual([held]);
      expect(await text(backend, held)).toEqual({ secret: 'token-EXAMPLE', refreshToken: undefined });
    });

    it('replaces what rests for the same target', async () => {
      await backend.put(aHeld({ storedAt: 1 }), { secret: secretFromText('old-EXAMPLE'), refreshToken: aSecret() });
      const newer = aHeld({ storedAt: 2, expiresAt: 99 });
      await backend.put(newer, { secret: secretFromText('new-EXAMPLE') });
      expect(await backend.list()).toEqual([newer]);
      expect(await text(backend, newer)).toEqual({ secret: 'new-EXAMPLE', refreshToken: undefined });
    });

    it('removes for good, and removing twice is no error', async () => {
      const [kept, gone] = [aHeld({ username: 'ada' }), aHeld({ username: 'bob', id: 'bob' })];
      for (const held of [kept, gone]) await backend.put(held, { secret: aSecret() });
      await backend.remove(gone);
      await backend.remove(gone);
      await backend.remove(aHeld({ host: 'never.example.com' }));
      expect(await backend.list()).toEqual([kept]);
      expect(await backend.get(gone)).toBeUndefined();
      expect(await text(backend, kept)).toBeDefined();
    });

    it('tells an absent username or path from an empty one', async () => {
      const targets = [
        {},
        { username: '' },
        { path: '' },
        { path: '', username: '' },
        { path: 'a', username: 'b' },
        { path: 'ab' },
        { username: 'ab' },
        { path: '=a' },
      ].map((part, index) => ({ ...aHeld({ id: `id-${index}` }), username: undefined, path: undefined, ...part }));
      for (const [index, held] of targets.entries()) {
        await backend.put(defined(held), { secret: secretFromText(`${index}-EXAMPLE`) });
      }
      for (const [index, held] of targets.entries()) {
        expect((await text(backend, defined(held)))?.secret).toBe(`${index}-EXAMPLE`);
      }
      expect(byId(await backend.list())).toEqual(byId(targets.map(defined)));
    });

    it('keeps targets apart that differ in a single byte', async () => {
      const targets = [
        aHeld({ id: '1', protocol: 'http' }),
        aHeld({ id: '2', host: 'example.com' }),
        aHeld({ id: '3', host: 'example.com:443' }),
        aHeld({ id: '4', host: 'Example.com' }),
        aHeld({ id: '5', username: 'Ada' }),
        aHeld({ id: '6', username: 'ad\u00e4' }),
        aHeld({ id: '7', username: 'ad\u00c3\u00a4' }),
      ];
      for (const held of targets) await backend.put(held, { secret: secretFromText(`${held.id}-EXAMPLE`) });
      for (const held of targets) expect((await text(backend, held))?.secret).toBe(`${held.id}-EXAMPLE`);
    });

    it('keeps authtype, expiry and refresh token', async () => {
      const held = aHeld({ authtype: 'Bearer', expiresAt: 2_000_000_000, storedAt: 1_900_000_000 });
      await backend.put(held, {
        secret: secretFromText('access-EXAMPLE'),
        refreshToken: secretFromText('refresh-EXAMPLE'),
      });
      expect(await backend.list()).toEqual([held]);
      expect(await text(backend, held)).toEqual({ secret: 'access-EXAMPLE', refreshToken: 'refresh-EXAMPLE' });
    });

    it('keeps what is known of a credential, and changes it without its secrets', async () => {
      const held = aHeld({
        made: 'login',
        fronts: ['docker'],
        shown: 'tok_',
        about: { label: 'laptop', scopes: ['read', 'write'], createdAt: 5, origin: 'a \u202epage' },
      });
      await backend.put(held, {
        secret: secretFromText('access-EXAMPLE'),
        refreshToken: secretFromText('refresh-EXAMPLE'),
      });
      expect(await backend.list()).toEqual([held]);
      const renamed = { ...held, about: { label: 'desktop' }, made: 'set' as const, fronts: [] };
      await backend.annotate(renamed);
      expect(await backend.list()).toEqual([renamed]);
      expect(await text(backend, held)).toEqual({ secret: 'access-EXAMPLE', refreshToken: 'refresh-EXAMPLE' });
      await backend.annotate(aHeld({ host: 'never.example.com' }));
      expect(await backend.list()).toEqual([renamed]);
    });

    it('tells an empty secret from an absent one', async () => {
      const [empty, absent] = [aHeld({ username: 'empty' }), aHeld({ username: 'absent', id: 'absent' })];
      await backend.put(empty, { secret: secretFromText('') });
      await backend.put(absent, { refreshToken: secretFromText('only-EXAMPLE') });
      expect(await text(backend, empty)).toEqual({ secret: '', refreshToken: undefined });
      expect(await text(backend, absent)).toEqual({ secret: undefined, refreshToken: 'only-EXAMPLE' });
    });

    it('keeps every byte that a value may hold', async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte > 0x1f && byte !== 0x7f);
      const secret = heapSecret(bytes);
      await backend.put(aHeld(), { secret, refreshToken: secret });
      const found = (await backend.get(aHeld()))!;
      expect(expose(found.secret!)).toEqual(bytes);
      expect(expose(found.refreshToken!)).toEqual(bytes);
      dispose(found);
    });

    it('keeps a secret as long as a line can be', async () => {
      const long = 'x'.repeat(65_527);
      await backend.put(aHeld(), { secret: secretFromText(long) });
      expect((await text(backend, aHeld()))?.secret).toBe(long);
    });

    it('borrows the secrets that are put, and gives away those that are got', async () => {
      const mine = secretFromText('mine-EXAMPLE');
      await backend.put(aHeld(), { secret: mine });
      expect(expose(mine)).toEqual(new TextEncoder().encode('mine-EXAMPLE'));
      mine.dispose();
      const first = (await backend.get(aHeld()))!;
      const second = (await backend.get(aHeld()))!;
      dispose(first);
      expect(Buffer.from(expose(second.secret!)).toString()).toBe('mine-EXAMPLE');
      await backend.remove(aHeld());
      expect(Buffer.from(expose(second.secret!)).toString()).toBe('mine-EXAMPLE');
      dispose(second);
    });

    it('makes calls that overlap in their order', async () => {
      const held = aHeld();
      const calls: Promise<unknown>[] = [];
      for (let round = 0; round < 20; round++) {
        calls.push(backend.put({ ...held, storedAt: round }, { secret: secretFromText(`${round}-EXAMPLE`) }));
        if (round % 5 === 3) calls.push(backend.remove(held));
        calls.push(backend.put(aHeld({ username: `other-${round}`, id: `${round}` }), { secret: aSecret() }));
      }
      const last = backend.get(held);
      await Promise.all(calls);
      const found = (await last)!;
      expect(Buffer.from(expose(found.secret!)).toString()).toBe('19-EXAMPLE');
      dispose(found);
      await Promise.all([backend.put(held, { secret: aSecret() }), backend.remove(held)]);
      expect(await backend.get(held)).toBeUndefined();
      expect((await backend.list()).length).toBe(20);
    });

    it(`keeps ${items} credentials apart`, { timeout: 120_000 }, async () => {
      const all = Array.from({ length: items }, (_, index) => aHeld({ host: `h${index}.example.com`, id: `${index}` }));
      for (const held of all) await backend.put(held, { secret: secretFromText(`${held.id}-EXAMPLE`) });
      expect(byId(await backend.list())).toEqual(byId(all));
      for (let index = 0; index < items; index += Math.ceil(items / 100)) {
        expect((await text(backend, all[index]!))?.secret).toBe(`${index}-EXAMPLE`);
      }
    });

    it('says of what survives the process whether it is durable', async () => {
      expect(backend.durable).toBe(harness.reopen !== undefined);
      if (!harness.reopen) return;
      const about = { label: 'kept', fingerprint: '0123456789abcdef' };
      const kept = aHeld({ username: 'kept', path: 'a/b', authtype: 'Basic', expiresAt: 5, about });
      await backend.put(kept, { secret: secretFromText('kept-EXAMPLE'), refreshToken: secretFromText('') });
      await backend.put(aHeld({ username: 'gone', id: 'gone' }), { secret: aSecret() });
      await backend.remove(aHeld({ username: 'gone' }));
      await backend.dispose();
      const again = await harness.reopen();
      expect(await again.list()).toEqual([kept]);
      expect(await text(again, kept)).toEqual({ secret: 'kept-EXAMPLE', refreshToken: '' });
    });

    describe('the restore bin', () => {
      const erased = (name = 'one', parts: Partial<Held> = {}): Held => ({
        ...ownTarget('erased', name),
        id: name,
        storedAt: 5,
        ...parts,
      });
      const both = { secret: 'access-EXAMPLE', refreshToken: 'refresh-EXAMPLE' };
      const putBoth = (held: Held) =>
        backend.put(held, { secret: secretFromText(both.secret), refreshToken: secretFromText(both.refreshToken) });

      it('takes a credential in with both secrets, and gives it back', async () => {
        const held = aHeld({ about: { label: 'laptop' } });
        await putBoth(held);
        expect(await backend.move(held, erased())).toBe(true);
        expect(await backend.list()).toEqual([erased()]);
        expect(await backend.get(held)).toBeUndefined();
        expect(await text(backend, erased())).toEqual(both);
        const back = { ...held, storedAt: 9 };
        expect(await backend.move(erased(), back)).toBe(true);
        expect(await backend.list()).toEqual([back]);
        expect(await text(backend, back)).toEqual(both);
        expect(await backend.get(erased())).toBeUndefined();
      });

      it('keeps secrets of every length, and that there was none', async () => {
        const [longest, one, none] = ['x'.repeat(65_000), 'y'.repeat(64_999), ''];
        const values = [longest, one, none].map(
          (value, at) => [aHeld({ username: `u${at}`, id: `${at}` }), value] as const,
        );
        for (const [held, value] of values) await backend.put(held, { secret: secretFromText(value) });
        for (const [held] of values) expect(await backend.move(held, erased(held.id))).toBe(true);
        for (const [held, value] of values) {
          expect(await text(backend, erased(held.id))).toEqual({ secret: value, refreshToken: undefined });
          expect(await backend.move(erased(held.id), held)).toBe(true);
          expect(await text(backend, held)).toEqual({ secret: value, refreshToken: undefined });
        }
      });

      it('says that there is nothing to move, and changes nothing then', async () => {
        const held = aHeld();
        await backend.put(held, { secret: aSecret() });
        expect(await backend.move(aHeld({ username: 'bob' }), erased())).toBe(false);
        expect(await backend.move(erased('never'), held)).toBe(false);
        expect(await backend.list()).toEqual([held]);
        expect((await text(backend, held))?.secret).toBe('some-EXAMPLE');
        expect(await backend.move(held, erased())).toBe(true);
        expect(await backend.move(held, erased())).toBe(false);
        expect((await text(backend, erased()))?.secret).toBe('some-EXAMPLE');
      });

      it('puts what it moves in place of what rests there, both ways', async () => {
        const held = aHeld();
        for (const [value, name] of [
          ['first-EXAMPLE', 'one'],
          ['second-EXAMPLE', 'two'],
        ] as const) {
          await backend.put(held, { secret: secretFromText(value), refreshToken: aSecret() });
          await backend.move(held, erased(name));
        }
        await backend.put(held, { secret: secretFromText('third-EXAMPLE') });
        await backend.move(held, erased('two'));
        expect(await text(backend, erased('two'))).toEqual({ secret: 'third-EXAMPLE', refreshToken: undefined });
        await backend.put(held, { secret: secretFromText('fourth-EXAMPLE') });
        await backend.move(erased('one'), held);
        expect(await text(backend, held)).toEqual({ secret: 'first-EXAMPLE', refreshToken: 'some-EXAMPLE' });
        expect(byId(await backend.list())).toEqual(byId([held, erased('two')]));
      });

      it('holds what is put into it directly, as a migration does, and notes about it without its secrets', async () => {
        await putBoth(erased());
        expect(await text(backend, erased())).toEqual(both);
        await backend.annotate(erased('one', { storedAt: 6 }));
        await backend.annotate(erased('never'));
        expect(await backend.list()).toEqual([erased('one', { storedAt: 6 })]);
        expect(await text(backend, erased())).toEqual(both);
        await backend.remove(erased());
        await backend.remove(erased());
        expect(await backend.list()).toEqual([]);
        expect(await backend.get(erased())).toBeUndefined();
      });

      it('makes moves that overlap with stores of the same target in their order', async () => {
        const held = aHeld();
        const calls: Promise<unknown>[] = [];
        for (let round = 0; round < 5; round++) {
          calls.push(backend.put(held, { secret: secretFromText(`${round}-EXAMPLE`) }));
          calls.push(backend.move(held, erased(`${round}`)));
        }
        await Promise.all(calls);
        expect(await backend.get(held)).toBeUndefined();
        for (let round = 0; round < 5; round++)
          expect((await text(backend, erased(`${round}`)))?.secret).toBe(`${round}-EXAMPLE`);
      });

      it('is as durable as the rest', async () => {
        if (!harness.reopen) return;
        const [gone, back] = [aHeld(), aHeld({ username: 'back', id: 'back' })];
        for (const held of [gone, back]) await putBoth(held);
        await backend.move(gone, erased());
        await backend.move(back, erased('back'));
        await backend.move(erased('back'), back);
        await backend.dispose();
        const again = await harness.reopen();
        expect(byId(await again.list())).toEqual(byId([back, erased()]));
        expect(await text(again, erased())).toEqual(both);
        expect(await text(again, back)).toEqual(both);
        expect(await again.get(gone)).toBeUndefined();
      });
    });

    it('unlocks without harm when it is unlocked', async () => {
      await backend.put(aHeld(), { secret: aSecret() });
      await backend.unlock({ mayPrompt: false });
      expect(await backend.get(aHeld())).toBeDefined();
    });

    it('may be disposed of twice, and serves nothing then', async () => {
      await backend.put(aHeld(), { secret: aSecret() });
      await backend.dispose();
      await backend.dispose();
      await expect(backend.get(aHeld())).rejects.toThrow('cannot');
      await expect(backend.put(aHeld(), {})).rejects.toThrow('cannot');
      await expect(backend.list()).rejects.toThrow('cannot');
    });

    it('names what is degraded with a remedy', () => {
      for (const { code, what, remedy } of backend.degradations()) {
        expect(code).toMatch(/^[a-z-]+$/);
        expect(what).not.toBe('');
        expect(remedy).not.toBe('');
      }
    });
  });
}

/** A credential's description, with what the test cares about. */
export function aHeld(parts: Partial<Held> = {}): Held {
  return { protocol: 'https', host: 'git.example.com', username: 'ada', id: 'an-id', storedAt: 1_000, ...parts };
}

function aSecret(): Secret {
  return secretFromText('some-EXAMPLE');
}

/** What `get` gives, as text, with the secrets disposed of. */
export async function text(
  backend: Backend,
  held: Held,
): Promise<{ secret: string | undefined; refreshToken: string | undefined } | undefined> {
  const secrets = await backend.get(held);
  if (!secrets) return undefined;
  const read = (secret: Secret | undefined) => secret && Buffer.from(expose(secret)).toString();
  const found = { secret: read(secrets.secret), refreshToken: read(secrets.refreshToken) };
  dispose(secrets);
  return found;
}

function dispose({ secret, refreshToken }: Secrets): void {
  secret?.dispose();
  refreshToken?.dispose();
}

/** Without the keys that are there but undefined, as they come back from rest. */
function defined(held: Held): Held {
  return Object.fromEntries(Object.entries(held).filter(([, value]) => value !== undefined)) as Held;
}

function byId(list: readonly Held[]): Held[] {
  return [...list].sort((one, other) => (one.id < other.id ? -1 : 1));
}
