import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Emit } from '../../../../daemon/events/agent-event.ts';
import { Audit } from '../../../../daemon/history/audit/audit.ts';
import type { AuditEntry } from '../../../../daemon/history/audit/entry.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { mayMount, mount } from '../../../mount.ts';
import { temporaryFolder } from '../../../temporary.ts';

const DAY = 86_400;
const git = { who: () => ({ uid: 1_000, pid: 42, program: '/usr/bin/git' }) };

function aFolder(): string {
  const { path, remove } = temporaryFolder('audit');
  onTestFinished(remove);
  return path;
}

function anAudit({ folder = aFolder(), clock = new FakeClock(), held = new Set<string>() } = {}) {
  const logged: string[] = [];
  const file = join(folder, 'audit.db');
  const emit: Emit = ({ kind }) => logged.push(kind);
  const audit = new Audit({ file, clock, keep: 90 * DAY, emit, isHeld: (id) => held?.has(id) });
  onTestFinished(() => audit.dispose());
  const entry = (more: Partial<AuditEntry> = {}): AuditEntry => ({
    at: clock.now(),
    action: 'store',
    outcome: 'ok',
    credential: 'a',
    ...more,
  });
  const actions = async () =>
    (await audit.list({}, { after: 0, limit: 1_000 })).found.map(({ entry: { action } }) => action);
  return { audit, clock, file, logged, entry, actions };
}

describe('the audit', () => {
  test('has written a change when it says so, and many at once in one go', async () => {
    const { audit, file, entry } = anAudit();
    await Promise.all([audit.record(entry()), audit.record(entry()), audit.record(entry())]);
    expect(statSync(file).size + statSync(`${file}-wal`).size).toBeGreaterThan(4_096);
    expect(await audit.verify()).toMatchObject({ sound: true, entries: 3 });
  });

  test('touches no file until there is something to write', () => {
    const { audit, file } = anAudit();
    expect(audit.degradations()).toEqual([]);
    expect(statSync(file, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('chains the first use of a credential by a program, across restarts, and counts the others', async () => {
    const folder = aFolder();
    const first = anAudit({ folder });
    for (let get = 0; get < 50; get++) first.audit.used('a', 'git', '/src', git);
    expect(await first.actions()).toEqual(['first-use']);
    first.audit.dispose();
    const { audit, actions } = anAudit({ folder });
    audit.used('a', 'git', '/src', git);
    audit.used('a', 'git', '/home', { who: () => ({ uid: 1_000, pid: 43, program: '/usr/bin/evil' }) });
    audit.used('b', 'git', '/src', git);
    expect(await actions()).toEqual(['first-use', 'first-use', 'first-use']);
    expect(audit.useOf('a')).toMatchObject({ count: 52 });
  });

  test('writes counts by itself within a second, and a first use at once', async () => {
    const { audit, clock } = anAudit();
    audit.used('a', 'git', '/src', git);
    await sleep(150);
    expect(audit.usage.waiting()).toEqual([]);
    clock.advance(1);
    audit.used('a', 'git', '/src', git);
    expect(audit.usage.waiting()).toHaveLength(1);
    await sleep(1_000);
    expect(audit.usage.waiting()).toEqual([]);
    expect(audit.useOf('a')).toMatchObject({ count: 2 });
  });

  test('lists what fits, in pages, both ways', async () => {
    const { audit, clock, entry } = anAudit();
    for (let number = 0; number < 10; number++) {
      await audit.record(entry({ action: number % 2 ? 'erase' : 'store', credential: `c${number % 3}`, tool: 'git' }));
      clock.advance(60);
    }
    const numbers = async (...args: Parameters<Audit['list']>) =>
      (await audit.list(...args)).found.map(({ number }) => number);
    expect(await numbers({}, { limit: 3 })).toEqual([10, 9, 8]);
    expect(await numbers({}, { limit: 3, before: 8 })).toEqual([7, 6, 5]);
    expect(await numbers({ event: 'erase' }, { limit: 9 })).toEqual([10, 8, 6, 4, 2]);
    expect(await numbers({ credential: 'c0', tool: 'git' }, { limit: 9, after: 1 })).toEqual([4, 7, 10]);
    expect(await numbers({ tool: 'cargo' }, { limit: 9 })).toEqual([]);
    const begin = new FakeClock().now();
    expect(await numbers({ since: begin + 60, until: begin + 180 }, { limit: 9 })).toEqual([3, 2]);
  });

  test('prunes once a day what is older than it is kept, and stays whole', async () => {
    const { audit, clock, entry, logged } = anAudit();
    await audit.record(entry());
    clock.advance(91 * DAY);
    await audit.record(entry());
    expect(logged).toContain('audit-pruned');
    expect(await audit.verify()).toMatchObject({ sound: true, first: 2, entries: 2 });
  });

  test('keeps everything where the wall clock alone has jumped ahead, also over restarts, until time has passed', async () => {
    const folder = aFolder();
    const { audit, clock, entry, logged } = anAudit({ folder });
    for (let day = 0; day < 5; day++) {
      await audit.record(entry());
      clock.advance(DAY);
    }
    clock.set('2031-06-01T00:00:00Z');
    await audit.record(entry());
    audit.dispose();
    const again = anAudit({ folder });
    again.clock.set('2032-01-01T00:00:00Z');
    await again.audit.record(again.entry());
    expect([...logged, ...again.logged]).not.toContain('audit-pruned');
    expect(await again.audit.verify()).toMatchObject({ sound: true, first: 1, entries: 7 });
    // Ninety further days with an entry each: now the first ones are old for certain.
    for (let day = 0; day < 91; day++) {
      again.clock.advance(DAY);
      await again.audit.record(again.entry());
    }
    expect(again.logged).toContain('audit-pruned');
    expect((await again.audit.verify()).sound).toBe(true);
  });

  test('goes on without a file that is damaged, and says so', async () => {
    const folder = aFolder();
    writeFileSync(join(folder, 'audit.db'), 'no database at all, but longer than nothing', { mode: 0o600 });
    const { audit, entry } = anAudit({ folder });
    expect(audit.degradations()).toMatchObject([{ code: 'audit_damaged' }]);
    await audit.record(entry());
    for (let get = 0; get < 10; get++) audit.used('a', 'git', '', git);
    expect(audit.useOf('a')).toBeUndefined();
    await expect(audit.verify()).rejects.toMatchObject({ code: 'audit_damaged' });
    expect(statSync(join(folder, 'audit.db')).size).toBe(43);
  });

  test('keeps what it cannot write, up to a bound, and says later how much was lost', async () => {
    const parent = aFolder();
    const folder = join(parent, 'missing');
    const { audit, entry } = anAudit({ folder });
    for (let number = 0; number < 10_010; number++) void audit.record(entry());
    await audit.record(entry());
    expect(audit.degradations()).toMatchObject([{ code: 'audit_unwritable' }]);
    mkdirSync(folder, { mode: 0o700 });
    audit.flush();
    expect(audit.degradations()).toEqual([]);
    const { found } = await audit.list({}, { after: 0, limit: 1 });
    expect(found[0]!.entry).toMatchObject({ action: 'lost', times: 11 });
    expect(await audit.verify()).toMatchObject({ sound: true, entries: 10_001 });
  });
});

describe.skipIf(!mayMount('-t', 'tmpfs', '-o', 'size=512k', 'tmpfs'))('on a full disk', () => {
  test('the agent is told, goes on, and everything is written once there is room', async () => {
    const disk = mount('-t', 'tmpfs', '-o', 'size=512k,mode=0700', 'tmpfs');
    try {
      const { audit, entry, logged } = anAudit({ folder: disk.path });
      await audit.record(entry());
      const ballast = join(disk.path, 'ballast');
      for (let size = 262_144; size >= 1; size = Math.floor(size / 2)) {
        try {
          for (;;) writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
        } catch {
          // Smaller pieces until nothing fits.
        }
      }
      for (let number = 0; number < 300; number++) await audit.record(entry({ cwd: '/x'.repeat(200) }));
      expect(audit.degradations()).toMatchObject([{ code: 'audit_unwritable' }]);
      expect(audit.degradations()[0]!.what).toContain('the disk is full; make room');
      expect(logged.filter((event) => event === 'audit-failed')).toHaveLength(1);
      rmSync(ballast);
      audit.flush();
      expect(audit.degradations()).toEqual([]);
      expect(await audit.verify()).toMatchObject({ sound: true, entries: 301 });
      audit.dispose();
    } finally {
      disk.unmount();
    }
  });
});
