import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isKeptOutOfSwap } from '../../../daemon/native/child-walls.ts';
import { temporaryFolder } from '../../temporary.ts';

/** A file like /proc/self/cgroup, and groups with what each says in memory.swap.max; undefined: it has no such file. */
function groups(membership: string, limits: Readonly<Record<string, string | undefined>>): boolean {
  const { path, remove } = temporaryFolder('cgroup');
  onTestFinished(remove);
  for (const [group, limit] of Object.entries(limits)) {
    mkdirSync(join(path, 'fs', group), { recursive: true });
    if (limit !== undefined) writeFileSync(join(path, 'fs', group, 'memory.swap.max'), `${limit}\n`);
  }
  writeFileSync(join(path, 'membership'), membership);
  return isKeptOutOfSwap(join(path, 'membership'), join(path, 'fs'));
}

const UNIT = 'user.slice/user-1000.slice/user@1000.service/app.slice/keyhold.service';

describe('a child is kept out of swap', () => {
  it('where its own group may use none, as by MemorySwapMax=0 of the unit', () => {
    expect(groups(`0::/${UNIT}\n`, { [UNIT]: '0' })).toBe(true);
  });

  it('where a group above it may use none, also where its own may', () => {
    expect(groups(`0::/${UNIT}\n`, { [UNIT]: 'max', 'user.slice': '0' })).toBe(true);
    expect(groups(`0::/${UNIT}\n`, { [UNIT]: undefined, 'user.slice/user-1000.slice': '0' })).toBe(true);
  });

  it.each([
    ['some swap is allowed', `0::/${UNIT}\n`, { [UNIT]: '4096', 'user.slice': 'max' }],
    ['no group has the memory controller', `0::/${UNIT}\n`, { [UNIT]: undefined }],
    ['another group may use none', `0::/${UNIT}\n`, { [`${UNIT}/inner`]: '0', 'system.slice': '0' }],
    ['only cgroup v1 is there', `4:memory:/${UNIT}\n`, { [UNIT]: '0' }],
    ['its group is not mounted here', `0::/../${UNIT}\n`, { [UNIT]: '0' }],
    ['it is in the root', '0::/\n', { '': '0' }],
  ])('nowhere else: %s', (_, membership, limits) => {
    expect(groups(membership, limits)).toBe(false);
  });

  it('not where nothing can be read', () => {
    expect(isKeptOutOfSwap('/nonexistent/cgroup')).toBe(false);
  });
});
