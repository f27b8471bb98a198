import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openBackup } from '../../../daemon/backends/backup.ts';
import type { Tombstone } from '../../../daemon/history/tombstones/tombstone.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import type { Detail } from '../../../protocol/handler.ts';
import { heapSecret, type Secret, secretFromText } from '../../../protocol/secret.ts';
import type { Manifest } from '../../../protocol/services/index.ts';
import { answers } from '../../fakes/answers.ts';
import { ours, textOf } from '../../fakes/core.ts';
import { builtIn } from '../../fakes/services/scripted.ts';
import { RotationRig } from './rotation-rig.ts';

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** apkg, which forgets a revocation as Pangolin does. */
const forgetful: readonly Manifest[] = builtIn.map((one) =>
  one.id === 'apkg' ? { ...one, life: { ...one.life, recheck: ['24h', '7d', '30d'] } } : one,
);

/** A service that forgets, and an agent whose clock and timers go together. */
class RecheckRig extends RotationRig {
  constructor(before?: RotationRig, mayRecheck = true, manifests = forgetful) {
    super('apkg', before, manifests, undefined, mayRecheck);
  }
  get rechecks() {
    return this.services.rechecks;
  }
  /** Time goes by, with all that is to happen at its end. */
  async pass(seconds: number): Promise<void> {
    this.core.clock.advance(seconds);
    await vi.advanceTimersByTimeAsync(HOUR * 1_000 + 20);
  }
  /** The records with dead values, and those values as they rest. */
  async kept(): Promise<string[]> {
    const { own } = this.core.credentials;
    const secrets = await Promise.all(own.of('recheck').map((record) => own.secretAside(record)));
    return secrets.map((secret) => textOf(secret!));
  }
  revoke(id: string) {
    return this.ask('revoke', { id });
  }
  tombstone(): Tombstone {
    return this.core.tombstones.all()[0]!;
  }
  looks(): number {
    return this.service.asked.filter((operation) => operation === 'whoami').length;
  }
  revive(): void {
    for (const token of this.service.tokens) token.isAlive = true;
  }
}

/** One token, revoked, and everything asked so far forgotten. */
async function revokedRig(life: number | undefined = 365 * DAY): Promise<RecheckRig> {
  const rig = new RecheckRig();
  const actor = await rig.hold('other', { life: 3_650 * DAY });
  const id = await rig.hold('ci', life === undefined ? {} : { life });
  expect(await rig.ask('revoke', { id, as: actor })).toMatchObject({ status: 'ok', probe: 'dead' });
  rig.service.asked.length = 0;
  return rig;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a token that was revoked where that may be forgotten', () => {
  it('is kept at rest beside its tombstone, and nowhere else', async () => {
    const rig = await revokedRig();
    expect(await rig.kept()).toEqual(['apkg_ci-1-EXAMPLE']);
    expect(rig.core.credentials.own.of('recheck')).toMatchObject([{ id: rig.tombstone().id }]);
    expect(await rig.get('ci')).toBe('revoked');
    expect([...rig.core.credentials.entries.all()].map(({ about }) => about?.label)).toEqual(['other']);
    expect(JSON.stringify(rig.core.credentials.own.all())).not.toContain('apkg_ci');
  });

  it('is told of as watched, by revoke and by rotate', async () => {
    const rig = new RecheckRig();
    const id = await rig.hold('ci', { life: 90 * DAY });
    expect(await rig.rotate(id)).toMatchObject({ step: 'done', watched: '1', 'recheck[]': '30d' });
    expect(await rig.kept()).toEqual(['apkg_ci-0-EXAMPLE']);
    expect(await rig.revoke(id)).toMatchObject({ status: 'ok', watched: '1' });
    expect(await rig.kept()).toEqual(['apkg_ci-0-EXAMPLE', 'apkg_ci-1-EXAMPLE']);
  });

  it('is looked at when it is due and not before, and let be after the last look', async () => {
    const rig = await revokedRig();
    await rig.pass(DAY - 10);
    expect(rig.looks()).toBe(0);
    await rig.pass(10);
    expect(rig.looks()).toBe(1);
    expect(rig.audited).toMatchObject([{ action: 'recheck', outcome: 'ok', credential: expect.any(String) }]);
    await rig.pass(5 * DAY);
    expect(rig.looks()).toBe(1);
    await rig.pass(DAY);
    expect(rig.looks()).toBe(2);
    await rig.pass(23 * DAY);
    expect(rig.looks()).toBe(3);
    expect(await rig.kept()).toEqual([]);
    expect(rig.rechecks.degradations()).toEqual([]);
    await rig.pass(60 * DAY);
    expect(rig.looks()).toBe(3);
    // Nothing is left to look at, so no timer of the rechecks runs: their end takes none away.
    const timers = vi.getTimerCount();
    rig.rechecks.dispose();
    expect(vi.getTimerCount()).toBe(timers);
  });

  it('is read for a look alone, and wiped behind it', async () => {
    const rig = await revokedRig();
    const given: Secret[] = [];
    const run = rig.service.run.bind(rig.service) as typeof rig.service.run;
    rig.service.run = (name, plan, secrets) => {
      given.push(secrets.token!);
      return run(name, plan, secrets);
    };
    await rig.pass(DAY);
    expect(given).toHaveLength(1);
    expect(() => textOf(given[0]!)).toThrow();
  });

  it('goes into no backup, and its tombstone does', async () => {
    const rig = await revokedRig();
    const passphrase = secretFromText('phrase-EXAMPLE');
    const attributes = new Attributes();
    attributes.add('passphrase', passphrase);
    const backupCost = { memory: 64, passes: 1, parallelism: 1 };
    const request = { action: 'backup', target: undefined, capabilities: ours, attributes };
    const { details = [] } = (await answers({ credentials: rig.core.credentials, keep: heapSecret, backupCost })(
      request,
    )) as {
      details?: readonly Detail[];
    };
    const backup = await openBackup(passphrase, String(details[0]![1]), heapSecret);
    const items = backup.read(details.slice(1).map(([, record]) => String(record)));
    expect(items.map(({ held }) => held.host).sort()).toEqual(['api.apkg.ai', 'mark-key', 'tombstone']);
  });

  it('is deleted unseen when it is past its expiry', async () => {
    const rig = await revokedRig(2 * DAY);
    await rig.pass(3 * DAY);
    expect([rig.looks(), await rig.kept()]).toEqual([0, []]);
  });

  it.each([
    ['whose service forgets nothing', builtIn, { life: 365 * DAY }],
    ['that dies before the first look', forgetful, { life: DAY }],
  ])('is not kept: one %s', async (_, manifests, more) => {
    const rig = new RecheckRig(undefined, true, manifests);
    const id = await rig.hold('ci', more);
    const said = await rig.revoke(id);
    expect(said).toMatchObject({ status: 'ok', probe: 'dead' });
    expect(said['watched']).toBeUndefined();
    expect(await rig.kept()).toEqual([]);
  });

  it('is not kept where no call could prove anything', async () => {
    const silent = forgetful.map((one) =>
      one.id === 'apkg' ? { ...one, rest: { ...one.rest, whoami: { none: 'there is none' } } } : one,
    );
    const rig = new RecheckRig(undefined, true, silent as readonly Manifest[]);
    await rig.revoke(await rig.hold('ci', { life: 365 * DAY }));
    expect(await rig.kept()).toEqual([]);
  });

  it('is not kept where it never rested', async () => {
    const rig = new RecheckRig();
    const { value } = rig.service.add('brief');
    const about = { service: 'apkg', kind: 'ci', label: 'brief', tokenId: 'id-0' };
    await rig.core.store({ host: 'api.apkg.ai', username: 'brief', password: value, about, timeout: 900 });
    const [entry] = [...rig.core.credentials.entries.all()];
    expect(entry!.resting).toBeUndefined();
    expect(await rig.revoke(entry!.id)).toMatchObject({ status: 'ok', probe: 'dead' });
    expect(await rig.kept()).toEqual([]);
  });

  it('and cannot be kept is dead and buried all the same', async () => {
    const rig = new RecheckRig();
    const id = await rig.hold('ci', { life: 365 * DAY });
    rig.backend.around = async (when, call) => {
      const isThere = rig.core.tombstones.all().length > 0;
      if (when === 'before' && call === 'put' && isThere) throw new Error('the disk is full');
    };
    const said = await rig.revoke(id);
    expect(said).toMatchObject({ status: 'ok', probe: 'dead' });
    expect(said['watched']).toBeUndefined();
    expect(rig.core.log.join()).toContain('recheck-failed');
  });

  it('is forgotten with its tombstone, when somebody insists that it lives', async () => {
    const rig = await revokedRig();
    const again = { host: 'api.apkg.ai', username: 'ci', password: 'apkg_ci-1-EXAMPLE' };
    expect(await rig.core.store({ ...again, force: true })).toBe('ok');
    expect(await rig.kept()).toEqual([]);
  });
});

describe('an agent', () => {
  it('that was off catches up with one look', async () => {
    const before = await revokedRig();
    before.rechecks.dispose();
    const rig = new RecheckRig(before);
    rig.core.clock.advance(8 * DAY);
    await rig.core.credentials.lifecycle.ready();
    rig.rechecks.watch();
    await rig.pass(0);
    expect(rig.looks()).toBe(1);
    expect(rig.core.credentials.own.of('recheck')).toMatchObject([{ recheck: { dueAt: [expect.any(Number)] } }]);
  });

  it('that is locked looks at nothing, and on opening catches up', async () => {
    const rig = await revokedRig();
    await rig.core.credentials.lifecycle.lock();
    await rig.pass(2 * DAY);
    expect(rig.looks()).toBe(0);
    await rig.core.credentials.lifecycle.unlock({ mayPrompt: false });
    rig.rechecks.watch();
    await rig.pass(0);
    expect(rig.looks()).toBe(1);
  });

  it('that is locked while it looks notes nothing, and looks again', async () => {
    const rig = await revokedRig();
    rig.revive();
    rig.service.around = async (when) => {
      if (when === 'after') await rig.core.credentials.lifecycle.lock();
      return undefined;
    };
    await rig.pass(DAY);
    await vi.waitFor(() => expect(rig.core.credentials.lifecycle.state).toBe('locked'));
    rig.service.around = async () => undefined;
    await rig.core.credentials.lifecycle.unlock({ mayPrompt: false });
    expect(rig.rechecks.degradations()).toEqual([]);
    rig.rechecks.watch();
    await rig.pass(0);
    expect(rig.rechecks.degradations()).toHaveLength(1);
  });

  it('that must keep nothing any more deletes what was kept', async () => {
    const before = await revokedRig();
    const rig = new RecheckRig(before, false);
    await rig.core.credentials.lifecycle.ready();
    rig.rechecks.watch();
    await rig.pass(0);
    expect([rig.looks(), await rig.kept()]).toEqual([0, []]);
    const other = [...rig.core.credentials.entries.all()][0]!;
    expect((await rig.revoke(other.id))['watched']).toBeUndefined();
    expect(await rig.kept()).toEqual([]);
  });
});

describe('a service', () => {
  it.each([
    ['cannot be reached', { failure: 'unreachable' }],
    ['answers 503', { status: 503, read: {}, cause: { outcome: 'unavailable', cause: 'busy', next: '', exit: 12 } }],
    ['answers 429', { status: 429, read: {}, cause: { outcome: 'unavailable', cause: 'slow', next: '', exit: 12 } }],
  ])('that %s is asked again, an hour later and then more rarely', async (_, reply) => {
    const rig = await revokedRig();
    rig.service.around = async (when) => (when === 'before' ? (reply as never) : undefined);
    await rig.pass(DAY);
    expect(rig.looks()).toBe(1);
    await rig.pass(HOUR / 2);
    expect(rig.looks()).toBe(1);
    await rig.pass(HOUR / 2);
    expect(rig.looks()).toBe(2);
    await rig.pass(HOUR);
    expect(rig.looks()).toBe(2);
    expect(rig.audited).toEqual([]);
    rig.service.around = async () => undefined;
    await rig.pass(HOUR);
    expect(rig.looks()).toBe(3);
    expect(rig.audited).toMatchObject([{ outcome: 'ok' }]);
  });

  it('that must not be called is as one that does not answer', async () => {
    const before = await revokedRig();
    const offline = () => {
      throw new Error('upstream.offline is on');
    };
    const rig = new RotationRig('apkg', before, forgetful, offline);
    await rig.core.credentials.lifecycle.ready();
    rig.core.clock.advance(DAY);
    rig.services.rechecks.watch();
    await vi.advanceTimersByTimeAsync(HOUR * 1_000 + 20);
    expect(rig.service.asked).toEqual([]);
    expect(rig.core.credentials.own.of('recheck')).toMatchObject([{ recheck: { failures: 1 } }]);
  });

  it('whose answer cannot be noted is not asked again at once', async () => {
    const rig = await revokedRig();
    rig.backend.around = async (_, call) => {
      if (call === 'annotate') throw new Error('the disk is full');
    };
    rig.core.clock.advance(DAY);
    await vi.advanceTimersByTimeAsync(HOUR * 1_000 + 1_000);
    expect(rig.looks()).toBe(1);
    expect(rig.core.log.join()).toContain('recheck-failed');
  });
});

describe('a token that works again', () => {
  async function revivedRig(): Promise<RecheckRig> {
    const rig = await revokedRig();
    rig.revive();
    await rig.pass(DAY);
    return rig;
  }

  it('is told by status and in the audit log, with what to run, until somebody acts', async () => {
    const rig = await revivedRig();
    const { id } = rig.tombstone();
    const told = [
      {
        code: 'token-revived',
        what: 'a token that was revoked works again: ci of apkg',
        remedy: `run: keyhold token revoke ${id}`,
      },
    ];
    expect(rig.rechecks.degradations()).toEqual(told);
    expect(rig.audited).toMatchObject([{ action: 'recheck', outcome: 'interaction-required' }]);
    rig.service.around = async (when) => (when === 'before' ? ({ failure: 'unreachable' } as never) : undefined);
    await rig.pass(100 * DAY);
    expect(rig.rechecks.degradations()).toEqual(told);
    const next = new RecheckRig(rig);
    await next.core.credentials.lifecycle.ready();
    expect(next.rechecks.degradations()).toEqual(told);
  });

  it('is revoked anew by its own id, and then looked at from the beginning', async () => {
    const rig = await revivedRig();
    const { id, credential } = rig.tombstone();
    expect(await rig.revoke(id)).toMatchObject({ status: 'ok', upstream: 'revoked', probe: 'dead', watched: '1' });
    expect(rig.service.alive()).toEqual(['apkg_other-0-EXAMPLE']);
    expect(rig.rechecks.degradations()).toEqual([]);
    expect(rig.core.tombstones.all()).toHaveLength(1);
    expect(rig.core.log.at(-1)).toContain(credential);
    rig.service.asked.length = 0;
    await rig.pass(DAY);
    await rig.pass(6 * DAY);
    await rig.pass(23 * DAY);
    expect([rig.looks(), await rig.kept()]).toEqual([3, []]);
  });

  it('stands in the alarm where revoking it anew does not help', async () => {
    const rig = await revivedRig();
    const { id } = rig.tombstone();
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'revoke') rig.revive();
      return undefined;
    };
    expect(await rig.revoke(id)).toMatchObject({ status: 'ok', probe: 'alive' });
    expect(rig.rechecks.degradations()).toHaveLength(1);
  });

  it('and was ended at its service meanwhile is looked at from the beginning', async () => {
    const rig = await revivedRig();
    rig.service.tokens[1]!.isAlive = false;
    await rig.pass(DAY);
    expect(rig.rechecks.degradations()).toEqual([]);
    const [record] = rig.core.credentials.own.of('recheck') as unknown as [{ recheck: { dueAt: number[] } }];
    expect(record.recheck.dueAt.map((at) => at - rig.core.clock.now())).toEqual([DAY, 7 * DAY, 30 * DAY]);
  });

  it('is told until it is past its expiry', async () => {
    const rig = await revivedRig();
    await rig.pass(365 * DAY);
    expect([rig.rechecks.degradations(), await rig.kept()]).toEqual([[], []]);
  });
});
