import { describe, expect, test } from 'vitest';
import type { Reply } from '../../../../daemon/upstream/plan.ts';
import { secretFromText } from '../../../../protocol/secret.ts';
import { causeOf, type Operation } from '../../../../protocol/services/index.ts';
import { textOf } from '../../../fakes/core.ts';
import { builtIn } from '../../../fakes/services/scripted.ts';
import { RotationRig } from '../rotation-rig.ts';

const DAY = 86_400;
const host = 'pangolin.example';
const [old, fresh] = ['apkg_ci-0-EXAMPLE', 'apkg_ci-1-EXAMPLE'];

/** What a service answers with a status and no words of its own. */
function bare(status: number, service: string): Reply {
  const manifest = builtIn.find(({ id }) => id === service)!;
  return { status, cause: causeOf(manifest, { operation: 'whoami', status, text: '' }), read: {} };
}

/** A held token, and a service that answers this to every `whoami` once it has made another. */
async function aToken(answer: Reply) {
  const rig = new RotationRig();
  const id = await rig.hold('ci', { life: 90 * DAY });
  let isMade = false;
  const whoamiAnswers = (reply: Reply | undefined) => {
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'create') isMade = true;
      return when === 'before' && operation === 'whoami' && isMade ? reply : undefined;
    };
  };
  whoamiAnswers(answer);
  return { rig, id, whoamiAnswers, about: () => rig.core.credentials.entries.at(entryOf(rig, id))?.about };
}

function entryOf(rig: RotationRig, id: string) {
  return [...rig.core.credentials.entries.all()].find((entry) => entry.id === id)!;
}

describe('a new token about which its service gives no answer', () => {
  test.each<[string, Reply]>([
    ['unreachable', { failure: 'unreachable' }],
    ['late', { failure: 'late' }],
    ['429', bare(429, 'apkg')],
    ['503', bare(503, 'apkg')],
  ])('%s: it serves, marked as not verified, and the old one is not revoked', async (_, answer) => {
    const { rig, id, whoamiAnswers, about } = await aToken(answer);
    const said = await rig.rotate(id);
    expect(said).toMatchObject({ status: 'unavailable', message: expect.stringContaining('not verified') });
    expect(said['message']).toContain('keyhold token rotate ci --undo');
    expect(await rig.get('ci')).toBe(`ci ${fresh}`);
    expect(about()?.unverified).toContain('could not be asked');
    expect(rig.service.alive()).toEqual([old, fresh]);
    whoamiAnswers(undefined);
    expect(await rig.rotate(id)).toMatchObject({ step: 'done', probe: 'dead', serves: 'alive' });
    expect(about()?.unverified).toBeUndefined();
    expect(rig.service.alive()).toEqual([fresh]);
    expect(rig.leftovers()).toEqual([]);
  });

  test('and that it refuses when it is asked again: the old one serves again, and is alive', async () => {
    const { rig, id, whoamiAnswers, about } = await aToken({ failure: 'late' });
    await rig.rotate(id);
    rig.service.tokens[1]!.isAlive = false;
    whoamiAnswers(undefined);
    expect(await rig.rotate(id)).toMatchObject({
      status: 'denied',
      message: expect.stringContaining('does not take the new token; the old one stays'),
    });
    expect(await rig.get('ci')).toBe(`ci ${old}`);
    expect(rig.service.alive()).toEqual([old]);
    expect(about()?.unverified).toBeUndefined();
    expect(rig.leftovers()).toEqual([]);
  });

  test('stays so while there is no answer, and an undo brings the old one back', async () => {
    const { rig, id } = await aToken({ failure: 'late' });
    await rig.rotate(id);
    expect(await rig.rotate(id)).toMatchObject({ status: 'unavailable' });
    expect(rig.service.asked.filter((one) => one === 'revoke')).toEqual([]);
    expect(await rig.rotate(id, { check: '1' })).toMatchObject({ step: 'swapped' });
    expect(await rig.rotate(id, { undo: '1' })).toMatchObject({ step: 'undone' });
    expect(await rig.get('ci')).toBe(`ci ${old}`);
    expect(rig.service.alive()).toEqual([old]);
  });

  test('goes on in the next agent from where it stood', async () => {
    const { rig, id } = await aToken({ failure: 'late' });
    await rig.rotate(id);
    const next = rig.reborn();
    await next.core.credentials.lifecycle.settled();
    expect(await next.rotate(id)).toMatchObject({ step: 'done', serves: 'alive' });
    expect(await next.get('ci')).toBe(`ci ${fresh}`);
    expect(entryOf(next, id).about?.unverified).toBeUndefined();
  });

  test('that may not ask whose it is (403) is known to it: the old one is revoked, and no mark is left', async () => {
    const { rig, id, about } = await aToken(bare(403, 'apkg'));
    expect(await rig.rotate(id)).toMatchObject({ step: 'done', upstream: 'revoked', serves: 'none' });
    expect(about()?.unverified).toBeUndefined();
  });

  test('made on a page: the person is not asked to delete the old one before the new one is proved', async () => {
    const rig = new RotationRig('github');
    const id = await rig.hold('web', { kind: 'pat', host: 'github.com' });
    const pasted = rig.service.add('web').value;
    rig.service.around = async (_, operation) => (operation === 'whoami' ? { failure: 'late' } : undefined);
    expect(await rig.rotate(id, { password: pasted })).toMatchObject({ status: 'unavailable' });
    expect(await rig.rotate(id, { check: '1' })).toMatchObject({ step: 'swapped' });
    rig.service.around = async () => undefined;
    expect(await rig.rotate(id)).toMatchObject({ step: 'by-hand' });
    expect(await rig.get('web', 'github.com')).toBe(`web ${pasted}`);
  });
});

describe('a trade, which has ended the old token', () => {
  async function traded(answer: Reply | undefined, isDead = false) {
    const rig = new RotationRig('pangolin');
    const id = await rig.hold('admin', { kind: 'session', host, life: DAY });
    let isMade = false;
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'rotate') isMade = true;
      if (isDead && isMade) for (const token of rig.service.tokens) token.isAlive = false;
      return when === 'before' && operation === 'whoami' && isMade ? answer : undefined;
    };
    const said = await rig.rotate(id, { shorter: '1' });
    return { rig, id, said, value: rig.service.tokens[1]!.value };
  }

  test.each<[string, Reply]>([
    ['is not answered for', { failure: 'late' }],
    ['is refused with a bare 503', bare(503, 'pangolin')],
  ])('whose new one %s: it serves, not verified, until a call shows that it works', async (_, answer) => {
    const { rig, id, said, value } = await traded(answer);
    expect(said).toMatchObject({ status: 'ok', step: 'done', serves: 'none' });
    expect(said['unverified']).toContain('could not be asked');
    expect(await rig.get('admin', host)).toBe(`admin ${value}`);
    rig.service.around = async () => undefined;
    await rig.ask('remote-show', { id, what: 'whoami' });
    expect(entryOf(rig, id).about?.unverified).toBeUndefined();
  });

  test('whose new one gets a bare 401, which may be a gateway’s: the only token that is left is neither ended nor dropped', async () => {
    const { rig, id, said, value } = await traded(bare(401, 'pangolin'));
    expect(said['message'] ?? said.status).toBeDefined();
    expect(rig.service.asked).not.toContain('revokeSelf');
    expect(rig.service.alive()).toEqual([value]);
    expect(await rig.get('admin', host)).toBe(`admin ${value}`);
    expect(entryOf(rig, id).about?.unverified).toContain('did not say why');
  });

  test('whose new one is revoked in the words of the service is dropped, as before', async () => {
    const manifest = builtIn.find(({ id }) => id === 'pangolin')!;
    const cause = causeOf(manifest, { operation: 'whoami', status: 401, text: 'token was revoked' });
    const { rig, said } = await traded({ status: 401, cause, read: {} });
    expect(said).toMatchObject({ status: 'revoked', message: expect.stringContaining('make a new one') });
    expect(rig.leftovers()).toEqual([]);
  });
});

describe('a place that is stored over while a token is rotated', () => {
  const newer = { host: 'api.apkg.ai', username: 'ci', password: 'newer-EXAMPLE' };
  /** Stores another value when the service is asked for this, before it answers. */
  async function storedAt(moment: Operation) {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    rig.service.add('newer', newer.password);
    let isDone = false;
    rig.service.around = async (when, operation) => {
      if (isDone || when !== 'before' || operation !== moment || !rig.service.asked.includes('create'))
        return undefined;
      isDone = true;
      await rig.core.store(newer);
      return undefined;
    };
    return { rig, id };
  }

  test.each<Operation>(['create', 'whoami'])(
    'during %s: the newer value stays, and the remedy works',
    async (moment) => {
      const { rig, id } = await storedAt(moment);
      const said = await rig.rotate(id);
      expect(said).toMatchObject({ status: 'denied', message: expect.stringContaining('that one stays') });
      expect(said['message']).toContain(`keyhold token rotate ${id} --undo`);
      expect(await rig.get('ci')).toBe('ci newer-EXAMPLE');
      expect(await rig.rotate(id, { undo: '1' })).toMatchObject({ step: 'undone' });
      expect(await rig.get('ci')).toBe('ci newer-EXAMPLE');
      expect(rig.service.alive()).toEqual([old, newer.password]);
      expect(rig.leftovers()).toEqual([]);
    },
  );

  test('by another program, in the item itself: that is seen although memory has the old value', async () => {
    const { rig, id } = await storedAt('list');
    const atRest = async () => {
      const [held] = await rig.backend.credentials();
      const secrets = await rig.backend.get(held!);
      return { held: held!, value: secrets?.secret && textOf(secrets.secret) };
    };
    rig.service.around = async (when, operation) => {
      const { held } = await atRest();
      if (when === 'after' && operation === 'create')
        await rig.backend.put(held, { secret: secretFromText('foreign-EXAMPLE') });
      return undefined;
    };
    expect(await rig.rotate(id)).toMatchObject({ status: 'denied' });
    expect((await atRest()).value).toBe('foreign-EXAMPLE');
  });

  test('during a trade: the newer value stays, and an undo takes the traded one back', async () => {
    const rig = new RotationRig('pangolin');
    const id = await rig.hold('admin', { kind: 'session', host, life: DAY });
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'rotate') {
        await rig.core.store({ host, username: 'admin', password: 'newer-EXAMPLE' });
      }
      return undefined;
    };
    const said = await rig.rotate(id, { shorter: '1' });
    expect(said).toMatchObject({ status: 'denied', message: expect.stringContaining('--undo') });
    rig.service.around = async () => undefined;
    expect(await rig.rotate(id, { undo: '1' })).toMatchObject({ step: 'undone' });
    expect(await rig.get('admin', host)).toBe('admin newer-EXAMPLE');
    expect(rig.leftovers()).toEqual([]);
  });

  test('between the comparison and the store: both happen in one turn of the place', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    // The store of another value is asked for in the same moment as the swap reads what stands there.
    const read = rig.core.credentials.values.secretsAtRest.bind(rig.core.credentials.values);
    let other: Promise<string> | undefined;
    rig.core.credentials.values.secretsAtRest = async (entry) => {
      other ??= rig.core.store(newer);
      return read(entry);
    };
    await rig.rotate(id);
    expect(await other).toBe('ok');
    expect(await rig.get('ci')).toBe('ci newer-EXAMPLE');
  });
});
