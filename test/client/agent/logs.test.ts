import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { showLogs } from '../../../client/agent/logs.ts';
import type { Ground } from '../../../client/install/ground.ts';
import { temporaryFolder } from '../../temporary.ts';
import { groundIn } from '../home.ts';

describe('logs', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let ground: Ground;
  let log: string;
  let shown: string[];
  beforeEach(() => {
    folder = temporaryFolder('logs');
    ground = groundIn(folder.path);
    mkdirSync(ground.places.state, { recursive: true });
    log = join(ground.places.state, 'agent.log');
    shown = [];
  });
  afterEach(() => folder.remove());

  const show = (lines: number, more: { follow?: boolean; json?: boolean; signal?: AbortSignal } = {}) =>
    showLogs(ground, { lines, follow: false, json: false, write: (line) => shown.push(line), ...more });

  it('shows nothing where there is no log yet', async () => {
    await show(10);
    expect(shown).toEqual([]);
  });

  it('shows the last lines, also over the edge of the newest file', async () => {
    writeFileSync(`${log}.1`, 'one\ntwo\n');
    writeFileSync(log, 'three\n');
    await show(2);
    expect(shown).toEqual(['two', 'three']);
    await show(0);
    expect(shown).toHaveLength(2);
  });

  it('draws an entry for people, and leaves it alone for programs', async () => {
    const entry = '{"level":40,"time":"2026-01-01T00:00:00.000Z","code":"x\\u001b[2J","event":"open-failed"}';
    writeFileSync(log, `${entry}\n`);
    await show(1);
    await show(1, { json: true });
    expect(shown).toEqual(['2026-01-01T00:00:00.000Z warning open-failed code=x\\u{1b}[2J', entry]);
  });

  it('follows what is written, in whole lines, and over a change of the file', async () => {
    writeFileSync(log, 'one\n');
    const over = new AbortController();
    const following = show(1, { follow: true, signal: over.signal });
    appendFileSync(log, 'two\nthr');
    await expect.poll(() => shown).toEqual(['one', 'two']);
    appendFileSync(log, 'ee\n');
    await expect.poll(() => shown).toEqual(['one', 'two', 'three']);
    renameSync(log, `${log}.1`);
    writeFileSync(log, 'four\n');
    await expect.poll(() => shown).toEqual(['one', 'two', 'three', 'four']);
    over.abort();
    await following;
  });
});
