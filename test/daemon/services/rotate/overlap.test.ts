import { describe, expect, it, test } from 'vitest';
import { RotationRig } from '../rotation-rig.ts';

const DAY = 86_400;
const host = 'pangolin.example';

/** A held token of a service whose `list` shows its id. */
async function aToken(more: { isListed?: boolean } = {}) {
  const rig = new RotationRig();
  const id = await rig.hold('ci', { life: 90 * DAY, ...more });
  const before = rig.service.tokens[0]!;
  return { rig, id, before };
}

describe('a service that answers the old token in the place of a new one', () => {
  test.each(['with its id known', 'with its id to be looked up'])(
    '%s: nothing is revoked, and it serves on',
    async (how) => {
      const { rig, id, before } = await aToken({ isListed: how === 'with its id known' });
      rig.service.add = () => before;
      const said = await rig.rotate(id);
      expect(said).toMatchObject({
        status: 'denied',
        message: expect.stringContaining('the token that is held already'),
      });
      expect(rig.service.asked).not.toContain('revoke');
      expect(before.isAlive).toBe(true);
      expect(await rig.get('ci')).toBe(`ci ${before.value}`);
      expect(rig.leftovers()).toEqual([]);
      expect(rig.core.tombstones.all()).toEqual([]);
    },
  );

  test('as what it trades the token for: it serves on', async () => {
    const rig = new RotationRig('pangolin');
    const id = await rig.hold('admin', { kind: 'session', host, life: DAY });
    const [before] = rig.service.tokens;
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'rotate') before!.isAlive = true;
      return undefined;
    };
    rig.service.answersValue = before!.value;
    expect(await rig.rotate(id, { shorter: '1' })).toMatchObject({ status: 'denied' });
    expect(await rig.get('admin', host)).toBe(`admin ${before!.value}`);
    expect(rig.leftovers()).toEqual([]);
  });

  test('to `token create` that cannot keep it: the held one is not taken back', async () => {
    const { rig, before } = await aToken();
    await rig.hold('session', { kind: 'session' });
    rig.service.nextId = before.id;
    rig.service.answersValue = 'apkg_broken\n-EXAMPLE';
    const said = await rig.ask('create', { protocol: 'https', host: 'api.apkg.ai', label: 'ci2', kind: 'ci' });
    expect(said).toMatchObject({ status: 'unavailable', message: expect.stringContaining('nothing was revoked') });
    expect(rig.service.asked).not.toContain('revoke');
    expect(before.isAlive).toBe(true);
  });
});

describe('a service that answers another value under the id of the old token', () => {
  test('while the old value works: nothing is revoked, because one id is both', async () => {
    const { rig, id, before } = await aToken();
    rig.service.nextId = before.id;
    const said = await rig.rotate(id);
    expect(said).toMatchObject({ status: 'denied', message: expect.stringContaining('under the id of the old token') });
    expect(rig.service.asked).not.toContain('revoke');
    expect(await rig.get('ci')).toBe(`ci ${before.value}`);
    expect(rig.leftovers()).toEqual([]);
  });

  test('and has ended the old value by that: the new one serves, and no call ends its id', async () => {
    const { rig, id, before } = await aToken();
    rig.service.nextId = before.id;
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'create') before.isAlive = false;
      return undefined;
    };
    expect(await rig.rotate(id)).toMatchObject({ status: 'ok', step: 'done', upstream: 'traded', serves: 'alive' });
    expect(rig.service.asked).not.toContain('revoke');
    expect(await rig.get('ci')).toBe('ci apkg_ci-1-EXAMPLE');
    expect(rig.service.alive()).toEqual(['apkg_ci-1-EXAMPLE']);
  });

  test('and does not say whether the old value works: both stay beside each other, and an undo revokes neither', async () => {
    const { rig, id, before } = await aToken();
    rig.service.nextId = before.id;
    let isMade = false;
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'create') isMade = true;
      return isMade && operation === 'whoami' ? { failure: 'late' } : undefined;
    };
    expect(await rig.rotate(id)).toMatchObject({ status: 'unavailable' });
    expect(await rig.get('ci')).toBe(`ci ${before.value}`);
    expect(await rig.rotate(id, { undo: '1' })).toMatchObject({ step: 'undone' });
    expect(rig.service.asked).not.toContain('revoke');
    expect(rig.service.alive()).toEqual([before.value, 'apkg_ci-1-EXAMPLE']);
  });

  test('replacing one of the same name in its list: the name alone leads to no revocation of the new one', async () => {
    const { rig, id, before } = await aToken({ isListed: false });
    // Two of the name: which one is held nobody can say, so its id is not noted before.
    const twin = rig.service.add('ci');
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'create') twin.isAlive = false;
      if (when === 'before' && operation === 'revoke') throw new Error('nothing may be revoked');
      return undefined;
    };
    const add = rig.service.add.bind(rig.service);
    rig.service.add = (name) => {
      before.isAlive = false;
      return add(name);
    };
    const said = await rig.rotate(id);
    expect(rig.service.asked).not.toContain('revoke');
    expect(said.status).not.toBe('ok');
    expect(await rig.get('ci')).toBe('ci apkg_ci-2-EXAMPLE');
  });
});

describe('a new token of somebody else', () => {
  const theirs = (rig: RotationRig) => {
    const own = new Set(rig.service.tokens.map(({ value }) => value));
    rig.service.holderOf = (value) => ({ user: own.has(value) ? 'ada' : 'eve' });
  };

  it('is taken back, and the old one serves on', async () => {
    const { rig, id, before } = await aToken();
    theirs(rig);
    const said = await rig.rotate(id);
    expect(said).toMatchObject({ status: 'denied', message: expect.stringContaining('another account (eve)') });
    expect(await rig.get('ci')).toBe(`ci ${before.value}`);
    expect(rig.service.alive()).toEqual([before.value]);
    expect(rig.leftovers()).toEqual([]);
  });

  it('of another tenant is none of ours either', async () => {
    const { rig, id, before } = await aToken();
    rig.service.holderOf = (value) => ({ user: 'ada', tenant: value === before.value ? 'one' : 'two' });
    expect(await rig.rotate(id)).toMatchObject({ status: 'denied' });
    expect(await rig.get('ci')).toBe(`ci ${before.value}`);
  });

  it('that a trade brought never serves; what is known then is said', async () => {
    const rig = new RotationRig('pangolin');
    const id = await rig.hold('admin', { kind: 'session', host, life: DAY });
    theirs(rig);
    const said = await rig.rotate(id, { shorter: '1' });
    expect(said).toMatchObject({ status: 'revoked', message: expect.stringContaining('make a new one') });
    expect(rig.service.alive()).toEqual([]);
    expect(rig.leftovers()).toEqual([]);
  });

  it('in a paste is refused and lives on: it is not ours to end', async () => {
    const rig = new RotationRig('github');
    const id = await rig.hold('web', { kind: 'pat', host: 'github.com' });
    const pasted = rig.service.add('eve').value;
    rig.service.holderOf = (value) => ({ user: value === pasted ? 'eve' : 'ada' });
    expect(await rig.rotate(id, { password: pasted })).toMatchObject({
      status: 'denied',
      message: expect.stringMatching(/another account \(eve\); the old one stays$/),
    });
    expect(rig.service.alive()).toContain(pasted);
    expect(await rig.get('web', 'github.com')).toBe('web apkg_web-0-EXAMPLE');
  });
});

test('a new token that the revocation of the old one ended is not said to serve', async () => {
  const { rig, id } = await aToken();
  rig.service.around = async (when, operation) => {
    if (when === 'after' && operation === 'revoke') for (const token of rig.service.tokens) token.isAlive = false;
    return undefined;
  };
  const said = await rig.rotate(id);
  expect(said).toMatchObject({ status: 'revoked', message: expect.stringContaining('does not take the new one') });
  expect(rig.leftovers()).toEqual([]);
});

test('a new token that nobody answers for after the revocation is not said to have been proved', async () => {
  const { rig, id } = await aToken();
  let isRevoked = false;
  rig.service.around = async (when, operation) => {
    if (when === 'after' && operation === 'revoke') isRevoked = true;
    return isRevoked && operation === 'whoami' ? { failure: 'unreachable' } : undefined;
  };
  expect(await rig.rotate(id)).toMatchObject({ status: 'ok', step: 'done', serves: 'none', probe: 'none' });
});
