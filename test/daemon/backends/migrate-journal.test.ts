import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openMigrateJournal } from '../../../daemon/backends/migrate-journal.ts';
import { temporaryFolder } from '../../temporary.ts';

const record = { from: 'vault', to: 'keyring', phase: 'copying' } as const;

function aJournal() {
  const folder = temporaryFolder('migrate-journal');
  onTestFinished(() => folder.remove());
  const file = join(folder.path, 'migrate.json');
  return { file, journal: openMigrateJournal(file) };
}

describe('the journal of a migrate', () => {
  it('holds what was written last, with thousands of ids and texts of any kind among them', async () => {
    const { journal } = aJournal();
    const ids = [...Array.from({ length: 2_300 }, (_, at) => `id${at}`), 'two\nlines', 'ö', ''];
    await journal.write(
      record,
      ids.map((id) => ({ id })),
    );
    expect(journal.read()).toEqual(record);
    expect([...(await journal.kept())]).toEqual(ids);
    await journal.write({ ...record, phase: 'removing' }, []);
    expect(journal.read()).toEqual({ ...record, phase: 'removing' });
    expect([...(await journal.kept())]).toEqual([]);
    journal.clear();
    expect(journal.read()).toBeUndefined();
  });

  it('of version 1, with few ids and with many, is still read', async () => {
    for (const kept of [['one'], Array.from({ length: 1_000 }, (_, at) => `id${at}`)]) {
      const { file, journal } = aJournal();
      writeFileSync(file, `${JSON.stringify({ version: 1, ...record, kept })}\n`);
      expect(journal.read()).toEqual(record);
      expect([...(await journal.kept())]).toEqual(kept);
    }
  });

  it('that has lost ids is not taken for one that keeps fewer', async () => {
    const { file, journal } = aJournal();
    await journal.write(record, [{ id: 'one' }, { id: 'two' }]);
    truncateSync(file, statSync(file).size - '"two"\n'.length);
    await expect(journal.kept()).rejects.toThrow(/it is no journal of a migrate that this version knows/);
  });

  it('of a newer version is refused with what to do', () => {
    const { file, journal } = aJournal();
    writeFileSync(file, `${JSON.stringify({ version: 3, ...record, kept: 0 })}\n`);
    expect(() => journal.read()).toThrow(/install the newer keyhold, or move it away$/);
  });
});
