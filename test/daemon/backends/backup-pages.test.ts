import { describe, expect, it } from 'vitest';
import { openBackup } from '../../../daemon/backends/backup.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import type { Detail } from '../../../protocol/handler.ts';
import { recordsOf } from '../../../protocol/record-lines.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { answers } from '../../fakes/answers.ts';
import { Core, ours } from '../../fakes/core.ts';

const PASSPHRASE = 'passphrase-EXAMPLE';
/** So large that a page holds few of them. */
const LARGE = 60_000;

/** An agent that holds so many large credentials, and what it answers to `action=backup`. */
async function holding(many: number, size = LARGE) {
  const before = new Core();
  for (let at = 0; at < many; at++) {
    await before.store({ username: `u${at}`, password: `${at}-${'x'.repeat(size)}EXAMPLE` });
  }
  const core = new Core({ backend: before.backend });
  await core.credentials.lifecycle.settled();
  const backupCost = { memory: 8, passes: 1, parallelism: 1 };
  const answer = answers({ credentials: core.credentials, keep: heapSecret, backupCost });
  const ask = async (fields: Record<string, string>) => {
    const attributes = new Attributes();
    for (const [key, value] of Object.entries(fields)) {
      attributes.add(key, key === 'passphrase' ? secretFromText(value) : value);
    }
    const reply = await answer({ action: 'backup', capabilities: ours, attributes });
    const details = reply.details ?? [];
    const of = (key: string) => details.filter(([name]) => name === key).map(([, value]) => value);
    return {
      details,
      header: of('header')[0],
      records: of('record[]'),
      damaged: of('damaged[]'),
      more: Number(of('damaged_more')[0] ?? 0),
      handle: of('backup')[0] ?? '',
      left: Number(of('left')[0]),
    };
  };
  const begin = () => ask({ passphrase: PASSPHRASE, paged: '1' });
  return { core, ask, begin, next: (handle: string) => ask({ backup: handle }) };
}

type Page = Awaited<ReturnType<Awaited<ReturnType<typeof holding>>['begin']>>;

/** Every page from `first` on, the lines of the last header alone, and how many pages there were. */
async function allOf(first: Page, next: (handle: string) => Promise<Page>) {
  const lines: string[] = [];
  let header = '';
  let pages = 0;
  for (let page = first; ; page = await next(first.handle)) {
    pages++;
    if (page.header !== undefined) {
      header = page.header;
      lines.length = 0;
    }
    lines.push(...page.records);
    if (page.left === 0) return { header, lines, pages };
  }
}

/** The usernames in a backup, in their order. */
async function usernamesIn(header: string, lines: readonly string[]): Promise<(string | undefined)[]> {
  const backup = await openBackup(secretFromText(PASSPHRASE), header, heapSecret);
  const items = backup.read(recordsOf(lines));
  expect(backup.missing).toBe(0);
  return items.filter(({ held }) => held.protocol === 'https').map(({ held }) => held.username);
}

describe('a backup in pages', () => {
  it('brings everything in answers of bounded length, and keeps nothing in memory', async () => {
    const { core, begin, next } = await holding(30);
    const first = await begin();
    expect(first.left).toBeGreaterThan(0);
    const length = (details: readonly Detail[]) => details.reduce((sum, [, value]) => sum + value.length, 0);
    expect(length(first.details)).toBeLessThan(700_000);
    const { header, lines, pages } = await allOf(first, next);
    expect(pages).toBeGreaterThan(3);
    expect(await usernamesIn(header, lines)).toHaveLength(30);
    expect(core.credentials.entries.counts.unlocked).toBe(0);
    expect(core.credentials.lifecycle.progress).toBeUndefined();
  });

  it('begins anew where one is erased or found damaged meanwhile: the file is of what is there at the end', async () => {
    const { core, begin, next } = await holding(30);
    const first = await begin();
    await core.erase({ username: 'u29' });
    core.backend.damaged.add('u28');
    const { header, lines } = await allOf(first, next);
    const names = await usernamesIn(header, lines);
    expect(names).toHaveLength(28);
    expect(names).not.toContain('u28');
    expect(names).not.toContain('u29');
    expect(header).not.toBe(first.header);
  });

  it('ends where another begins, and where everything is locked', async () => {
    const { core, begin, next } = await holding(30);
    const first = await begin();
    const second = await begin();
    await expect(next(first.handle)).rejects.toMatchObject({ code: 'bad_request' });
    await core.credentials.lifecycle.lock();
    await expect(next(second.handle)).rejects.toMatchObject({ code: 'locked' });
    await expect(next(second.handle)).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('that begins while a page of another is made ends that one, which still gets this page whole', async () => {
    const { begin, next } = await holding(30);
    const first = await begin();
    const [page, second] = await Promise.all([next(first.handle), begin()]);
    expect(page.records.length).toBeGreaterThan(0);
    await expect(next(first.handle)).rejects.toMatchObject({ code: 'bad_request' });
    const { header, lines } = await allOf(second, next);
    expect(await usernamesIn(header, lines)).toHaveLength(30);
  });

  it('of two that begin together one is made to its end, and the other ends', async () => {
    const { begin, next } = await holding(30);
    const both = await Promise.all([begin(), begin()]);
    const ended = await Promise.allSettled(both.map((first) => allOf(first, next)));
    expect(ended.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('begins anew once, however many are damaged', async () => {
    const { core, begin, next } = await holding(30);
    for (let at = 10; at < 20; at++) core.backend.damaged.add(`u${at}`);
    const reads = core.backend.calls.get;
    const { header, lines } = await allOf(await begin(), next);
    expect(await usernamesIn(header, lines)).toHaveLength(20);
    // Everything once to find them, and what is left once more.
    expect(core.backend.calls.get - reads).toBeLessThanOrEqual(60);
  });

  it('names a thousand damaged ones at most, and says how many more there are', async () => {
    const { core, ask, begin, next } = await holding(1_100, 1);
    for (let at = 0; at < 1_090; at++) core.backend.damaged.add(`u${at}`);
    const [first, atOnce] = [await begin(), await ask({ passphrase: PASSPHRASE })];
    expect([first.damaged.length, first.more]).toEqual([1_000, 90]);
    expect([atOnce.damaged.length, atOnce.more]).toEqual([1_000, 90]);
    const again = await begin();
    const { header, lines } = await allOf(again, next);
    expect(await usernamesIn(header, lines)).toHaveLength(10);
  });

  it('is one answer for a client of before, which asks for no pages', async () => {
    const { ask } = await holding(12);
    const { header, records, handle, left } = await ask({ passphrase: PASSPHRASE });
    expect([handle, left]).toEqual(['', Number.NaN]);
    expect(await usernamesIn(header!, records)).toHaveLength(12);
  });
});
