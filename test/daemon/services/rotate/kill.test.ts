import { describe, expect, it } from 'vitest';
import { RotationRig } from '../rotation-rig.ts';

const DAY = 86_400;
/** More moments than a rotation has; the test says so if not. */
const MOMENTS_MAX = 100;

/** Rotates until the moment of that number, counted over every write and every call, before and after; then the agent is dead. */
async function killedAt(moment: number, open: () => Promise<{ rig: RotationRig; id: string }>) {
  const { rig, id } = await open();
  const dead = Promise.withResolvers<'killed'>();
  let count = 0;
  const reached = async () => {
    if (count++ < moment) return;
    dead.resolve('killed');
    await new Promise(() => {});
  };
  rig.backend.around = reached;
  rig.service.around = async () => {
    await reached();
    return undefined;
  };
  const end = await Promise.race([rig.rotate(id, { shorter: '1' }), dead.promise]);
  return { rig: rig.reborn(), id, isOver: end !== 'killed' };
}

/** Runs a check for every moment at which the agent may die. */
async function atEveryMoment(
  open: () => Promise<{ rig: RotationRig; id: string }>,
  check: (rig: RotationRig, id: string, moment: number) => Promise<void>,
): Promise<number> {
  for (let moment = 0; moment < MOMENTS_MAX; moment++) {
    const { rig, id, isOver } = await killedAt(moment, open);
    if (isOver) return moment;
    await check(rig, id, moment);
  }
  throw new Error('it has more moments than that');
}

async function aToken() {
  const rig = new RotationRig();
  return { rig, id: await rig.hold('ci', { life: 90 * DAY }) };
}

async function aSession() {
  const rig = new RotationRig('pangolin');
  return { rig, id: await rig.hold('ci', { kind: 'session', life: DAY, host: 'pangolin.example' }) };
}

const host = 'pangolin.example';
const served = async (rig: RotationRig, where?: string) => (await rig.get('ci', where)).replace(/^ci /, '');

describe('an agent that is killed in the middle of a rotation', () => {
  it('serves a living token at every moment, and the next run ends what it began', async () => {
    const moments = await atEveryMoment(aToken, async (rig, id, moment) => {
      expect(rig.service.alive(), `before going on, killed at ${moment}`).toContain(await served(rig));
      const said = await rig.rotate(id, { shorter: '1' });
      expect(said, `killed at ${moment}`).toMatchObject({ status: 'ok', step: 'done' });
      expect(rig.service.alive(), `killed at ${moment}`).toEqual([await served(rig)]);
      expect(rig.leftovers()).toEqual([]);
      expect(rig.core.tombstones.of([])).toBeUndefined();
      const again = { host: 'api.apkg.ai', username: 'ci', password: 'apkg_ci-0-EXAMPLE' };
      expect(await rig.core.store(again), `killed at ${moment}`).toBe('revoked');
    });
    expect(moments).toBeGreaterThan(25);
  });

  it('goes back from every moment until the old one is dead, and then says that there is no way back', async () => {
    const ends = new Set<string>();
    await atEveryMoment(aToken, async (rig, id, moment) => {
      const { status } = await rig.rotate(id, { undo: '1' });
      ends.add(status);
      expect(['ok', 'not-found', 'revoked'], `killed at ${moment}`).toContain(status);
      if (status === 'revoked') await rig.rotate(id, { shorter: '1' });
      expect(rig.service.alive(), `killed at ${moment}`).toEqual([await served(rig)]);
      if (status === 'ok') expect(await served(rig)).toBe('apkg_ci-0-EXAMPLE');
      expect(rig.leftovers()).toEqual([]);
    });
    expect([...ends].sort()).toEqual(['not-found', 'ok', 'revoked']);
  });

  it('that is killed again while it goes back ends the same', async () => {
    const stopped = async () => {
      const { rig, id } = await aToken();
      rig.service.around = async (_, operation) => (operation === 'revoke' ? { failure: 'unreachable' } : undefined);
      await rig.rotate(id);
      rig.service.around = async () => undefined;
      const { rotate } = rig;
      rig.rotate = (one) => rotate.call(rig, one, { undo: '1' });
      return { rig, id };
    };
    const moments = await atEveryMoment(stopped, async (rig, id, moment) => {
      await rig.rotate(id, { undo: '1' });
      expect(rig.service.alive(), `killed at ${moment}`).toEqual(['apkg_ci-0-EXAMPLE']);
      expect(await served(rig)).toBe('apkg_ci-0-EXAMPLE');
      expect(rig.leftovers()).toEqual([]);
    });
    expect(moments).toBeGreaterThan(8);
  });

  it('in the middle of a trade either goes on with a living token or says that its answer was lost', async () => {
    const ends = new Set<string>();
    await atEveryMoment(aSession, async (rig, id, moment) => {
      const { status } = await rig.rotate(id, { shorter: '1' });
      ends.add(status);
      expect(rig.leftovers()).toEqual([]);
      if (status === 'ok') expect(rig.service.alive(), `killed at ${moment}`).toEqual([await served(rig, host)]);
      // The new value died with the agent that had just heard it: nobody can have that again.
      else expect(status, `killed at ${moment}`).toBe('revoked');
    });
    expect(ends).toContain('ok');
  });

  it('leaves a journal without a value', async () => {
    await atEveryMoment(aToken, async (rig) => {
      const journal = rig.core.credentials.own.of('rotation');
      for (const { value } of rig.service.tokens) expect(JSON.stringify(journal)).not.toContain(value);
      for (const held of journal) expect(await rig.core.credentials.own.secretOf(held)).toBeUndefined();
    });
  });
});
