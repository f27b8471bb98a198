import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Index, openIndex, type Row } from '../../../../daemon/backends/keyring/held-index.ts';
import type { KeyringItems } from '../../../../daemon/backends/keyring/items.ts';
import { markOf } from '../../../../daemon/backends/keyring/marks.ts';
import { type ItemName, itemOf, refreshItemOf } from '../../../../daemon/backends/keyring/names.ts';
import { reconcile, settle } from '../../../../daemon/backends/keyring/settle.ts';
import { heapSecret } from '../../../../protocol/secret.ts';
import { aHeld } from '../../../contracts/backend.ts';
import { temporaryFolder } from '../../../temporary.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const older = aHeld({ storedAt: 1, expiresAt: 10 });
const newer = aHeld({ storedAt: 2, expiresAt: 20 });
const both = { secret: true, refreshToken: true };

describe('what a crash left in the middle', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let index: Index;
  let keyring: ReturnType<typeof aKeyring>;

  beforeEach(async () => {
    folder = temporaryFolder('settle');
    index = await openIndex({
      file: join(folder.path, 'index.db'),
      key: heapSecret(new Uint8Array(32)),
      keep: heapSecret,
    });
    keyring = aKeyring();
  });
  afterEach(() => {
    index.close();
    folder.remove();
  });

  const putting = (was?: Row['held']) =>
    index.write(newer, {
      state: 'putting',
      secret: markOf(bytes('new-EXAMPLE')),
      refreshToken: markOf(bytes('new-refresh-EXAMPLE')),
      was: was && { held: was, items: both },
    });
  const settled = async () => {
    await settle(index.find(newer)!, index, keyring.items);
    return index.find(newer);
  };

  test('is the former credential when nothing of the new one was written', async () => {
    keyring.hold(older, 'old-EXAMPLE', 'old-refresh-EXAMPLE');
    putting(older);
    expect(await settled()).toEqual({ held: older, progress: { state: 'whole', items: both } });
    expect(keyring.texts()).toEqual(['old-EXAMPLE', 'old-refresh-EXAMPLE']);
  });

  test('is the new credential without a refresh token when only its secret was written', async () => {
    keyring.hold(older, 'new-EXAMPLE', 'old-refresh-EXAMPLE');
    putting(older);
    expect(await settled()).toEqual({
      held: newer,
      progress: { state: 'whole', items: { secret: true, refreshToken: false } },
    });
    expect(keyring.texts()).toEqual(['new-EXAMPLE']);
  });

  test('is the new credential when both of its items were written', async () => {
    keyring.hold(older, 'new-EXAMPLE', 'new-refresh-EXAMPLE');
    putting(older);
    expect(await settled()).toEqual({ held: newer, progress: { state: 'whole', items: both } });
  });

  test('is nothing when a first put wrote nothing', async () => {
    putting();
    expect(await settled()).toBeUndefined();
  });

  test("leaves another program's item alone when a first put wrote nothing", async () => {
    keyring.hold(older, 'theirs-EXAMPLE');
    putting();
    expect(await settled()).toBeUndefined();
    expect(keyring.texts()).toEqual(['theirs-EXAMPLE']);
  });

  test('is nothing when the former item is gone too, and its refresh token goes', async () => {
    keyring.hold(older, undefined, 'old-refresh-EXAMPLE');
    putting(older);
    expect(await settled()).toBeUndefined();
    expect(keyring.texts()).toEqual([]);
  });

  test('is removed in the end, whichever step the removal failed at', async () => {
    for (let failing = 0; failing < 2; failing++) {
      keyring.hold(older, 'old-EXAMPLE', 'old-refresh-EXAMPLE');
      index.write(older, { state: 'removing' });
      keyring.failAt(failing);
      await expect(settled()).rejects.toThrow('killed');
      expect(index.find(older)?.progress.state).toBe('removing');
      expect(await settled()).toBeUndefined();
      expect(keyring.texts()).toEqual([]);
    }
  });

  test('is settled the same when settling itself is cut at any step', async () => {
    for (let failing = 0; failing < 4; failing++) {
      keyring.hold(older, 'new-EXAMPLE', 'old-refresh-EXAMPLE');
      putting(older);
      keyring.failAt(failing);
      await settled().catch(() => {});
      keyring.failAt(-1);
      expect((await settled())?.held).toEqual(newer);
      expect(keyring.texts()).toEqual(['new-EXAMPLE']);
    }
  });

  test('is all settled at a start, and what has lost its item is dropped', async () => {
    const lost = aHeld({ username: 'lost' });
    const leaving = aHeld({ username: 'leaving' });
    index.write(lost, { state: 'whole', items: { secret: true, refreshToken: false } });
    index.write(leaving, { state: 'removing' });
    keyring.hold(leaving, 'leaving-EXAMPLE');
    keyring.hold(older, 'new-EXAMPLE', 'new-refresh-EXAMPLE');
    putting(older);
    await reconcile(index, () => keyring.items);
    expect(index.rows().map(({ held }) => held)).toEqual([newer]);
    expect(keyring.texts()).toEqual(['new-EXAMPLE', 'new-refresh-EXAMPLE']);
  });

  test('does not make a slow keyring a hung one: many rows in the middle, and 1,000 items to look for', async () => {
    // On a machine at work gnome-keyring took 5 ms for each name that it searched 1,000 items for.
    const [each, deadline] = [5, 300];
    for (let at = 0; at < 1_000; at++) {
      const held = aHeld({ username: `u${at}` });
      index.write(
        held,
        at < 100 ? { state: 'removing' } : { state: 'whole', items: { secret: true, refreshToken: false } },
      );
      if (at >= 100) keyring.hold(held, 'value-EXAMPLE');
    }
    let spent = 0;
    let longest = 0;
    const slowly = async (names: number) => {
      spent += names * each;
      longest = Math.max(longest, spent);
      await new Promise((resolve) => setTimeout(resolve, names > 1 ? names * each : 0));
    };
    const begin = (): KeyringItems => {
      spent = 0;
      const { items } = keyring;
      return {
        get: (name) => slowly(1).then(() => items.get(name)),
        set: (name, value) => slowly(1).then(() => items.set(name, value)),
        remove: (name) => slowly(1).then(() => items.remove(name)),
        exist: (names) => slowly(names.length).then(() => items.exist(names)),
        list: (from) => items.list(from),
      };
    };
    await reconcile(index, begin);
    expect(longest).toBeLessThan(deadline);
    expect(index.rows()).toHaveLength(900);
  });
});

/** A keyring in memory that can be cut at its n-th operation from now. */
function aKeyring() {
  const held = new Map<string, Uint8Array>();
  let left = -1;
  const step = () => {
    if (left-- === 0) throw new Error('killed');
  };
  const key = ({ service, account }: ItemName) => `${service}\0${account}`;
  const items: KeyringItems = {
    async get(name) {
      step();
      return held.get(key(name))?.slice();
    },
    async set(name, value) {
      step();
      held.set(key(name), value.slice());
    },
    async remove(name) {
      step();
      held.delete(key(name));
    },
    async list() {
      throw new Error('nothing here asks for the names of all items');
    },
    async exist(names) {
      step();
      return names.map((name) => held.has(key(name)));
    },
  };
  return {
    items,
    hold(of: Row['held'], secret?: string, refreshToken?: string) {
      if (secret !== undefined) held.set(key(itemOf(of)), bytes(secret));
      if (refreshToken !== undefined) held.set(key(refreshItemOf(of)), bytes(refreshToken));
    },
    failAt(step: number) {
      left = step;
    },
    texts: () => [...held.values()].map((value) => Buffer.from(value).toString()).sort(),
  };
}
