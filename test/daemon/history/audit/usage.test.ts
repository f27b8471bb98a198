import { describe, expect, test } from 'vitest';
import { Usage } from '../../../../daemon/history/audit/usage.ts';

/** Says who asks, and counts how often it was looked up. */
function asker(program = '/usr/bin/git') {
  const it = {
    looks: 0,
    who: () => {
      it.looks++;
      return { uid: 1_000, pid: 42, program };
    },
  };
  return it;
}

describe('counts of gets', () => {
  test('look up who asks once for a credential, tool, folder and minute', () => {
    const usage = new Usage();
    const git = asker();
    for (let at = 600; at < 660; at++) usage.count('a', 'git', '/src', at, git);
    expect(git.looks).toBe(1);
    usage.count('a', 'git', '/src', 660, git);
    usage.count('a', 'cargo', '/src', 661, git);
    usage.count('a', 'git', '/home', 662, git);
    usage.count('b', 'git', '/home', 663, git);
    expect(git.looks).toBe(5);
    usage.count('a', 'git', '/src', 664, git);
    expect(git.looks).toBe(5);
    expect(usage.waiting().map(({ credential, tool, project, count }) => [credential, tool, project, count])).toEqual([
      ['a', 'git', '/src', 60],
      ['a', 'git', '/src', 2],
      ['a', 'cargo', '/src', 1],
      ['a', 'git', '/home', 1],
      ['b', 'git', '/home', 1],
    ]);
  });

  test('tell a program that is not known, and the first that waits', () => {
    const usage = new Usage();
    expect(usage.count('a', 'git', '', 0, asker())).toBe('unknown');
    expect(usage.count('a', 'git', '', 0, asker())).toBe('counted');
    usage.written(0);
    expect(usage.count('a', 'git', '', 1, asker())).toBe('first');
    expect(usage.count('a', 'git', '/elsewhere', 1, asker())).toBe('counted');
    expect(usage.count('a', 'git', '/other', 1, asker('/usr/bin/evil'))).toBe('unknown');
  });

  test('are added up when they are written, and none twice', () => {
    const usage = new Usage();
    for (const at of [10, 20, 30]) usage.count('a', 'git', '', at, asker());
    expect(usage.of('a')).toBeUndefined();
    usage.written(30);
    usage.written(31);
    usage.count('a', 'git', '', 40, asker());
    usage.written(40);
    expect(usage.of('a')).toMatchObject({ first: 10, last: 40, count: 4 });
    expect(usage.waiting()).toEqual([]);
  });

  test('hold a bounded number of folders, and count on without them', () => {
    const usage = new Usage();
    for (let folder = 0; folder < 20_000; folder++) usage.count('a', 'git', `/src/${folder}`, 5, asker());
    const waiting = usage.waiting();
    expect(waiting.length).toBeLessThan(5_000);
    expect(waiting.reduce((sum, { count }) => sum + count, 0)).toBe(20_000);
  });

  test('cut a folder that is longer than anybody’s', () => {
    const usage = new Usage();
    usage.count('a', 'git', 'x'.repeat(60_000), 5, asker());
    expect(usage.waiting()[0]!.project).toHaveLength(512);
  });
});
