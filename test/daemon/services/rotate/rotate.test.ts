import { describe, expect, it, test } from 'vitest';
import { RotationRig } from '../rotation-rig.ts';

const DAY = 86_400;

describe('a rotation', () => {
  it('makes a new token, proves it, swaps it in under the same id and label, revokes the old one and proves it dead', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    expect(await rig.rotate(id)).toMatchObject({ status: 'ok', step: 'done', upstream: 'revoked', probe: 'dead' });
    expect(rig.service.alive()).toEqual(['apkg_ci-1-EXAMPLE']);
    expect(await rig.get('ci')).toBe('ci apkg_ci-1-EXAMPLE');
    const [held, ...others] = [...rig.core.credentials.entries.all()];
    expect(others).toEqual([]);
    expect(held).toMatchObject({ id, about: { label: 'ci', kind: 'ci', tokenId: 'id-1', service: 'apkg' } });
    expect(held!.expiresAt).toBe(rig.core.clock.now() + 90 * DAY);
    expect(rig.service.asked).toEqual(['list', 'whoami', 'create', 'whoami', 'revoke', 'whoami', 'whoami']);
    expect(rig.leftovers()).toEqual([]);
    expect(rig.services.rotations.degradations()).toEqual([]);
    expect(rig.core.log.filter((line) => line.startsWith('rotated'))).toEqual([`rotated {"id":"${id}"}`]);
  });

  it('leaves the old value as one that is known to be dead', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    await rig.rotate(id, { actor: 'ada' });
    expect(rig.core.tombstones.all()).toMatchObject([{ credential: id, reason: 'rotated with keyhold', actor: 'ada' }]);
    const again = { host: 'api.apkg.ai', username: 'ci', password: 'apkg_ci-0-EXAMPLE' };
    expect(await rig.core.store(again)).toBe('revoked');
    expect(await rig.get('ci')).toBe('ci apkg_ci-1-EXAMPLE');
  });

  it('is only told about with check=1', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    const said = await rig.rotate(id, { check: '1' });
    expect(said).toMatchObject({ status: 'ok', way: 'create', kind: 'ci', expires_in: '90d', old_life: `${90 * DAY}` });
    expect(said['warning[]']).toContain('give --limit if it was');
    expect(said['shorter']).toBeUndefined();
    expect(rig.service.asked).toEqual([]);
    expect(rig.leftovers()).toEqual([]);
  });

  it('asks for the life that the old one had, of those that the service offers', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 365 * DAY - 3_600 });
    expect(await rig.rotate(id, { check: '1' })).toMatchObject({ expires_in: '365d' });
    expect(await rig.rotate(id, { check: '1', expires_in: '30d' })).toMatchObject({ expires_in: '30d', shorter: '1' });
    expect(await rig.rotate(id, { expires_in: '5d' })).toMatchObject({ status: 'bad-request' });
  });

  it('stops before the swap where the new life is shorter and nobody agreed, and goes on when somebody does', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 365 * DAY });
    rig.service.life = DAY;
    const stopped = await rig.rotate(id);
    expect(stopped).toMatchObject({ status: 'interaction-required', shorter: '1', new_life: `${DAY}` });
    expect(stopped['message']).toContain('keyhold token rotate ci --undo');
    expect(await rig.get('ci')).toBe('ci apkg_ci-0-EXAMPLE');
    expect(rig.service.alive()).toHaveLength(2);
    expect(await rig.rotate(id, { check: '1' })).toMatchObject({ step: 'probed' });
    expect(await rig.rotate(id, { shorter: '1' })).toMatchObject({ status: 'ok', step: 'done' });
    expect(rig.service.alive()).toEqual(['apkg_ci-1-EXAMPLE']);
  });

  it('goes back: the new one is revoked, the old one serves, and nothing is left', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 365 * DAY });
    rig.service.life = DAY;
    await rig.rotate(id);
    expect(await rig.rotate(id, { undo: '1' })).toMatchObject({ status: 'ok', step: 'undone' });
    expect(rig.service.alive()).toEqual(['apkg_ci-0-EXAMPLE']);
    expect(await rig.get('ci')).toBe('ci apkg_ci-0-EXAMPLE');
    expect(rig.leftovers()).toEqual([]);
    expect(await rig.rotate(id, { undo: '1' })).toMatchObject({ status: 'not-found' });
  });

  it('of which two run at once makes one token', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    const [one, other] = await Promise.all([rig.rotate(id), rig.rotate(id)]);
    expect([one.status, other.status]).toEqual(['ok', 'unavailable']);
    expect(rig.service.tokens).toHaveLength(2);
  });

  it('is refused beyond the limit before anything is asked (exit 9)', async () => {
    const rig = new RotationRig('podstack');
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      ids.push(await rig.hold(name, { host: 'api.podstack.ai', kind: 'pat' }));
    }
    const said = await rig.rotate(ids[0]!, { password: 'podstack_new-EXAMPLE' });
    expect(said).toMatchObject({ status: 'limit-reached', active: '5', limit: '5' });
    expect(rig.leftovers()).toEqual([]);
  });

  it('of a login and of what is not held ends with words of its own', async () => {
    const rig = new RotationRig();
    expect(await rig.rotate('nothing')).toMatchObject({ status: 'not-found' });
    const id = await rig.hold('ci');
    const [entry] = [...rig.core.credentials.entries.all()];
    entry!.about = { ...entry!.about, oauth: {} as never };
    expect(await rig.rotate(id)).toMatchObject({ status: 'unsupported', message: expect.stringContaining('refresh') });
  });
});

describe('a step that fails', () => {
  const refusedBy = (operation: string, status: number, times = 1) => {
    let left = times;
    return async (when: string, asked: string) => {
      if (when !== 'before' || asked !== operation || left-- <= 0) return undefined;
      const outcome = status === 403 ? 'denied' : 'unavailable';
      return { status, cause: { cause: `${status} there`, next: '', outcome, exit: 5 } as never, read: {} };
    };
  };

  test.each([403, 500, 429])('the creation (%i): nothing has changed', async (status) => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    rig.service.around = refusedBy('create', status);
    const said = await rig.rotate(id);
    expect(said).toMatchObject({ status: status === 403 ? 'denied' : 'unavailable' });
    expect(rig.leftovers()).toEqual([]);
    expect(await rig.get('ci')).toBe('ci apkg_ci-0-EXAMPLE');
    expect(await rig.rotate(id)).toMatchObject({ step: 'done' });
  });

  test('the answer of the creation is lost: what was made is found and revoked', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    rig.service.around = async (when, operation) =>
      when === 'after' && operation === 'create' ? { failure: 'cut' } : undefined;
    expect(await rig.rotate(id)).toMatchObject({ status: 'unavailable' });
    expect(rig.service.alive()).toEqual(['apkg_ci-0-EXAMPLE']);
    expect(rig.leftovers()).toEqual([]);
  });

  test('and among more of its name than are noted nobody else loses a token', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    for (let other = 0; other < 64; other++) rig.service.add('ci');
    rig.service.around = async (when, operation) =>
      when === 'before' && operation === 'create' ? { failure: 'cut' } : undefined;
    expect(await rig.rotate(id)).toMatchObject({ status: 'unavailable' });
    expect(rig.service.alive()).toHaveLength(65);
  });

  test('and where the service is gone then, the next run looks for it', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    let isGone = false;
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'create') isGone = true;
      return isGone ? { failure: 'cut' } : undefined;
    };
    expect(await rig.rotate(id)).toMatchObject({ status: 'unavailable' });
    expect(rig.services.rotations.degradations()).toMatchObject([{ code: 'rotation-open' }]);
    rig.service.around = async () => undefined;
    expect(await rig.rotate(id)).toMatchObject({ status: 'ok', step: 'done' });
    expect(rig.service.alive()).toEqual([(await rig.get('ci')).slice(3)]);
  });

  describe('and another machine makes one of that name meanwhile', () => {
    /** A rotation whose question did not get through, and what somebody else made an hour later. */
    async function withTheirs(createdAt?: (now: number) => number) {
      const rig = new RotationRig();
      const id = await rig.hold('ci', { life: 90 * DAY });
      let isGone = false;
      rig.service.around = async (_, operation) => {
        if (operation === 'create') isGone = true;
        return isGone ? { failure: 'cut' } : undefined;
      };
      expect(await rig.rotate(id)).toMatchObject({ status: 'unavailable' });
      rig.service.around = async () => undefined;
      rig.core.clock.advance(3_600);
      const theirs = rig.service.add('ci');
      if (createdAt) theirs.createdAt = createdAt(rig.core.clock.now());
      return { rig, id, theirs };
    }

    test('by its date it is nobody of ours: it lives, and the rotation goes on', async () => {
      const { rig, id, theirs } = await withTheirs((now) => now);
      expect(await rig.rotate(id)).toMatchObject({ step: 'done' });
      expect(theirs.isAlive).toBe(true);
    });

    test.each([
      ['without a date', undefined],
      ['with the day alone', (now: number) => now - (now % DAY)],
    ] as const)('%s nobody can say whose it is: it is named, and lives', async (_, date) => {
      const { rig, id } = await withTheirs(date);
      expect(await rig.rotate(id)).toMatchObject({
        status: 'denied',
        message: expect.stringMatching(/nobody's: id-1$/),
      });
      expect(rig.service.alive()).toHaveLength(2);
    });
  });

  test('two new ones of that name: neither is touched, both are named', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    rig.service.around = async (when, operation) =>
      when === 'after' && operation === 'create' ? { failure: 'late' } : undefined;
    const add = rig.service.add.bind(rig.service);
    rig.service.add = (name) => {
      add(name);
      return add(name);
    };
    await rig.rotate(id);
    expect(await rig.rotate(id)).toMatchObject({ status: 'denied', message: expect.stringMatching(/id-1, id-2$/) });
    expect(rig.service.alive()).toHaveLength(3);
  });

  test('the store of the new value: it is revoked again', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'create') rig.backend.faults.set('put', 'backend_full');
      return undefined;
    };
    expect((await rig.rotate(id))['message']).toContain('the new token was revoked again');
    rig.backend.faults.clear();
    expect(rig.service.alive()).toEqual(['apkg_ci-0-EXAMPLE']);
  });

  test('the probe says that the new one does not work: it is taken back, the old one stays', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    rig.service.makesDead = true;
    expect(await rig.rotate(id)).toMatchObject({ status: 'denied' });
    expect(await rig.get('ci')).toBe('ci apkg_ci-0-EXAMPLE');
    expect(rig.leftovers()).toEqual([]);
  });

  test('the revocation: the new one serves, and it goes on or back', async () => {
    for (const undo of [false, true]) {
      const rig = new RotationRig();
      const id = await rig.hold('ci', { life: 90 * DAY });
      rig.service.around = refusedBy('revoke', 403);
      const said = await rig.rotate(id);
      expect(said).toMatchObject({ status: 'denied', message: expect.stringContaining('serves already') });
      expect(await rig.get('ci')).toBe('ci apkg_ci-1-EXAMPLE');
      expect(await rig.rotate(id, undo ? { undo: '1' } : {})).toMatchObject({ step: undo ? 'undone' : 'done' });
      expect(rig.service.alive()).toEqual([undo ? 'apkg_ci-0-EXAMPLE' : 'apkg_ci-1-EXAMPLE']);
      expect(await rig.get('ci')).toBe(`ci ${rig.service.alive()[0]}`);
      expect(rig.leftovers()).toEqual([]);
    }
  });

  test('after the revocation there is no way back', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    // It is revoked, and neither that answer nor a probe comes through.
    let isGone = false;
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'revoke') isGone = true;
      return isGone ? { failure: 'cut' } : undefined;
    };
    expect(await rig.rotate(id)).toMatchObject({ status: 'unavailable' });
    expect(await rig.rotate(id, { undo: '1' })).toMatchObject({ status: 'unavailable' });
    rig.service.around = async () => undefined;
    expect(await rig.rotate(id, { undo: '1' })).toMatchObject({ status: 'revoked' });
    expect(await rig.rotate(id)).toMatchObject({ step: 'done', upstream: 'gone', probe: 'dead' });
    expect(await rig.get('ci')).toBe('ci apkg_ci-1-EXAMPLE');
  });

  test('another value was stored meanwhile: it stays, and the new one can be taken back', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 365 * DAY });
    rig.service.life = DAY;
    await rig.rotate(id);
    const { value: password } = rig.service.add('other');
    const other = { host: 'api.apkg.ai', username: 'ci', password };
    expect(await rig.core.store(other)).toBe('ok');
    expect(await rig.rotate(id, { shorter: '1' })).toMatchObject({ status: 'denied' });
    expect(await rig.rotate(id, { undo: '1' })).toMatchObject({ step: 'undone' });
    expect(await rig.get('ci')).toBe(`ci ${password}`);
    expect(rig.service.alive()).toEqual(['apkg_ci-0-EXAMPLE', password]);
  });

  test('a tool stored the old one again before it died: the new one serves', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    rig.service.around = async (when, operation) => {
      const old = { host: 'api.apkg.ai', username: 'ci', password: 'apkg_ci-0-EXAMPLE' };
      if (when === 'before' && operation === 'revoke') await rig.core.store(old);
      return undefined;
    };
    expect(await rig.rotate(id)).toMatchObject({ step: 'done' });
    expect(await rig.get('ci')).toBe('ci apkg_ci-1-EXAMPLE');
  });

  test('the token was removed meanwhile: what was made for it is taken back', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 365 * DAY });
    await rig.hold('session', { kind: 'session' });
    rig.service.life = DAY;
    await rig.rotate(id);
    await rig.core.erase({ host: 'api.apkg.ai', username: 'ci' });
    expect(await rig.rotate(id)).toMatchObject({ status: 'not-found', message: expect.stringContaining('--undo') });
    expect(await rig.rotate(id, { undo: '1' })).toMatchObject({ step: 'undone' });
    expect(rig.service.alive()).toEqual(['apkg_ci-0-EXAMPLE', 'apkg_session-1-EXAMPLE']);
    expect(rig.leftovers()).toEqual([]);
  });
});

describe('a service that trades a token in one call (G13, G28)', () => {
  const host = 'pangolin.example';
  const rigOf = () => new RotationRig('pangolin');
  const held = (rig: RotationRig, life: number) => rig.hold('admin', { kind: 'session', host, life });

  it('is not asked before somebody agrees to a shorter life, since there is no way back', async () => {
    const rig = rigOf();
    const id = await held(rig, 90 * DAY);
    rig.service.life = DAY;
    const looked = await rig.rotate(id, { check: '1' });
    expect(looked).toMatchObject({ way: 'trade', shorter: '1', old_life: `${90 * DAY}`, new_life: `${DAY}` });
    expect(looked['warning[]']).toContain('24 hours whatever the old one did');
    expect(await rig.rotate(id)).toMatchObject({ status: 'interaction-required', shorter: '1' });
    expect(rig.service.asked).toEqual([]);
    expect(await rig.rotate(id, { shorter: '1' })).toMatchObject({ step: 'done', upstream: 'traded', probe: 'dead' });
    const [, fresh] = rig.service.tokens;
    expect(await rig.get('admin', host)).toBe(`admin ${fresh!.value}`);
    expect(rig.service.alive()).toEqual([fresh!.value]);
    expect(rig.leftovers()).toEqual([]);
  });

  it('whose answer was lost: a probe shows which it was, and a spent token is never sent again', async () => {
    for (const when of ['before', 'after']) {
      const rig = rigOf();
      const id = await held(rig, DAY);
      rig.service.around = async (now, operation) =>
        now === when && operation === 'rotate' ? { failure: 'late' } : undefined;
      expect(await rig.rotate(id)).toMatchObject({ status: 'unavailable' });
      rig.service.around = async () => undefined;
      const again = await rig.rotate(id, { shorter: '1' });
      expect(again.status).toBe(when === 'before' ? 'ok' : 'revoked');
      expect(rig.service.asked.filter((one) => one === 'rotate')).toHaveLength(when === 'before' ? 2 : 1);
      expect(rig.leftovers()).toEqual([]);
    }
  });

  it("renews a service user's key by a session, as often as it takes", async () => {
    const rig = rigOf();
    await held(rig, DAY);
    rig.service.prefix = 'pgl_';
    const id = await rig.hold('key', { kind: 'service-key', host, life: 90 * DAY });
    rig.service.around = async (when, operation) =>
      when === 'after' && operation === 'rotate' ? { failure: 'cut' } : undefined;
    expect(await rig.rotate(id)).toMatchObject({ status: 'unavailable' });
    rig.service.around = async () => undefined;
    const [, , lost] = rig.service.tokens;
    // The id of the user stays the same there; here every value has its own.
    Object.assign(lost!, { id: 'id-1' });
    Object.assign(rig.service.tokens[1]!, { id: 'was' });
    expect(await rig.rotate(id)).toMatchObject({ step: 'done', upstream: 'traded' });
    expect(await rig.get('key', host)).toBe('key pgl_key-3-EXAMPLE');
  });
});

describe('a service whose tokens are made on a page', () => {
  const host = 'api.pogodoc.com';
  const value = 'pogodoc-new-EXAMPLE';

  it('says exactly what to do by hand', async () => {
    const rig = new RotationRig('pogodoc');
    const id = await rig.hold('web', { kind: 'pat', host });
    const looked = await rig.rotate(id, { check: '1' });
    expect(looked).toMatchObject({ way: 'page', page: 'https://app.pogodoc.com/api-tokens' });
    const said = await rig.rotate(id);
    expect(said).toMatchObject({ status: 'interaction-required' });
    expect(said['message']).toContain('make a token named web on https://app.pogodoc.com/api-tokens');
  });

  it('takes the paste, swaps it in, and waits until somebody says that the old one is deleted', async () => {
    const rig = new RotationRig('pogodoc');
    const id = await rig.hold('web', { kind: 'pat', host });
    const swapped = await rig.rotate(id, { password: value });
    expect(swapped).toMatchObject({ status: 'ok', step: 'by-hand', page: 'https://app.pogodoc.com/api-tokens' });
    expect(await rig.get('web', host)).toBe(`web ${value}`);
    expect(await rig.rotate(id, { check: '1' })).toMatchObject({ step: 'by-hand' });
    expect(await rig.rotate(id)).toMatchObject({ step: 'by-hand' });
    expect(rig.core.tombstones.all()).toEqual([]);
    expect(await rig.rotate(id, { deleted: '1' })).toMatchObject({ step: 'done', upstream: 'said', probe: 'none' });
    expect(rig.core.tombstones.all()).toHaveLength(1);
    expect(rig.leftovers()).toEqual([]);
  });

  it('goes back to the old one as long as nobody has said so', async () => {
    const rig = new RotationRig('pogodoc');
    const id = await rig.hold('web', { kind: 'pat', host });
    await rig.rotate(id, { password: value });
    const undone = await rig.rotate(id, { undo: '1' });
    expect(undone).toMatchObject({ step: 'undone', delete_at: 'https://app.pogodoc.com/api-tokens' });
    expect(await rig.get('web', host)).toBe('web apkg_web-0-EXAMPLE');
  });

  it('takes neither the old value nor one that is known to be dead', async () => {
    const rig = new RotationRig('pogodoc');
    const id = await rig.hold('web', { kind: 'pat', host });
    expect(await rig.rotate(id, { password: 'apkg_web-0-EXAMPLE' })).toMatchObject({ status: 'bad-request' });
    await rig.rotate(id, { password: value });
    await rig.rotate(id, { deleted: '1' });
    expect(await rig.rotate(id, { password: 'apkg_web-0-EXAMPLE' })).toMatchObject({ status: 'revoked' });
    expect(rig.leftovers()).toEqual([]);
  });
});
