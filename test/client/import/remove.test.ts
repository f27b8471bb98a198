import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Searched, searchPlaintext } from '../../../client/import/find.ts';
import { type ImportJournal, openImportJournal } from '../../../client/import/journal.ts';
import { removeTaken, type Taken } from '../../../client/import/remove.ts';
import { computePlaces } from '../../../platform/places.ts';
import { temporaryFolder } from '../../temporary.ts';
import { files, writeFiles } from './files.ts';

function aHome(): string {
  const { path, remove } = temporaryFolder('import-remove');
  onTestFinished(remove);
  writeFiles(path);
  return path;
}

const stateOf = (home: string) => computePlaces({ KEYHOLD_HOME: home })!;

/** Everything that lies in the files of a home, as if keyhold held it all. */
async function allTaken(home: string, ...names: string[]): Promise<Taken[]> {
  const searched = await searchPlaintext({ home, environment: {} }, names);
  const isWell = (one: Searched): one is Taken['searched'] => one.status === 'ok';
  return searched.filter(isWell).map((one) => ({ searched: one, entries: one.entries }));
}

describe('taking tokens out of files', () => {
  it('leaves a file that was changed meanwhile, and goes on with the others', async () => {
    const home = aHome();
    const taken = await allTaken(home, 'git', 'netrc');
    writeFileSync(join(home, '.git-credentials'), 'https://u:changed-EXAMPLE@h\n');
    const removals = await removeTaken(taken, openImportJournal(stateOf(home)));
    const why = (removed: boolean) => removals.filter((one) => one.removed === removed).map((one) => one.why);
    expect(why(true)).toEqual([undefined, undefined]);
    expect(new Set(why(false))).toEqual(new Set(['it was changed meanwhile; try again']));
    expect(readFileSync(join(home, '.git-credentials'), 'latin1')).toBe('https://u:changed-EXAMPLE@h\n');
    expect(readFileSync(join(home, '.netrc'), 'latin1')).not.toContain('t0-EXAMPLE');
  });

  it('leaves a file that its own tool has locked', async () => {
    const home = aHome();
    const taken = await allTaken(home, 'git');
    writeFileSync(join(home, '.git-credentials.lock'), '');
    const removals = await removeTaken(taken, openImportJournal(stateOf(home)));
    expect(removals.every(({ removed, why }) => !removed && why?.includes('.lock is there'))).toBe(true);
    expect(readFileSync(join(home, '.git-credentials'), 'latin1')).toContain('gitt0-EXAMPLE');
    expect(existsSync(join(home, '.git-credentials.lock'))).toBe(true);
  });

  it('keeps a journal of paths alone, from before the first change until behind the last', async () => {
    const home = aHome();
    const journal = openImportJournal(stateOf(home));
    const seen: string[] = [];
    const watched: ImportJournal = {
      ...journal,
      begin(paths) {
        journal.begin(paths);
        seen.push(readFileSync(join(home, 'state/import.json'), 'latin1'));
        expect(statSync(join(home, 'state/import.json')).mode & 0o777).toBe(0o600);
        for (const { path, name } of files) {
          expect(readFileSync(join(home, path), 'latin1'), path).toMatch(
            name === 'npm' || name === 'docker' ? /./ : /t0-EXAMPLE/,
          );
        }
      },
    };
    await removeTaken(await allTaken(home), watched);
    expect(JSON.parse(seen[0]!)).toEqual({ format: 1, files: files.map(({ path }) => join(home, path)) });
    expect(existsSync(join(home, 'state/import.json'))).toBe(false);
  });

  it('clears away what a run that was killed has left, and names its files once', () => {
    const home = aHome();
    const journal = openImportJournal(stateOf(home));
    journal.begin([join(home, '.netrc'), join(home, 'gone/.netrc')]);
    // No process has this number: it is beyond what Linux gives (PID_MAX_LIMIT).
    writeFileSync(join(home, '.netrc.keyhold-4194305'), 'draft-EXAMPLE');
    expect(journal.recover()).toEqual([join(home, '.netrc')]);
    expect(readdirSync(home).filter((name) => name.includes('.keyhold-'))).toEqual([]);
    expect(readFileSync(join(home, '.netrc'), 'latin1')).toContain('netrct0-EXAMPLE');
    expect(journal.recover()).toEqual([]);
  });

  it('takes a journal that is none of ours for nothing', () => {
    const home = aHome();
    mkdirSync(join(home, 'state'), { mode: 0o700 });
    for (const text of ['', 'x', '{"format":2,"files":["/"]}', '{"format":1,"files":["relative",5]}']) {
      writeFileSync(join(home, 'state/import.json'), text);
      expect(openImportJournal(stateOf(home)).recover(), text).toEqual([]);
    }
  });
});
