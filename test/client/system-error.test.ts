import { chmodSync, chownSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { refuseForeignHome } from '../../platform/foreign-home.ts';
import { describeSystemError } from '../../platform/system-error.ts';
import { temporaryFolder } from '../temporary.ts';

function errorOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

it('what the file system refuses is told with the path, its words and a remedy', () => {
  const { path, remove } = temporaryFolder('errors');
  writeFileSync(join(path, 'file'), '');
  mkdirSync(join(path, 'full/of'), { recursive: true });
  expect(describeSystemError(errorOf(() => readFileSync(join(path, 'none'))))).toBe(
    `cannot open ${path}/none: no such file or directory (ENOENT); make it, or choose another path`,
  );
  expect(describeSystemError(errorOf(() => mkdirSync(join(path, 'file/x'))))).toBe(
    `cannot make the folder ${path}/file/x: not a directory (ENOTDIR); move away what is there and try again`,
  );
  expect(describeSystemError(errorOf(() => rmdirSync(join(path, 'full'))))).toMatch(
    /^cannot remove the folder .*\/full: directory not empty \(ENOTEMPTY\); see: keyhold doctor$/,
  );
  remove();
});

it('a refused access names the nearest thing that another user owns, or that its owner has closed', () => {
  const { path, remove } = temporaryFolder('errors');
  const denied = (at: string) =>
    Object.assign(new Error('EACCES'), { code: 'EACCES', errno: -13, syscall: 'open', path: at });
  mkdirSync(join(path, "it's"));
  chmodSync(join(path, "it's"), 0o500);
  expect(describeSystemError(denied(join(path, "it's/x")))).toMatch(/; run: chmod u\+rwX '.*\/it'\\''s'$/);
  if (process.getuid!() === 0) {
    chownSync(join(path, "it's"), 12_345, 12_345);
    expect(describeSystemError(denied(join(path, "it's/x")))).toMatch(/; run: sudo chown 0 '.*\/it'\\''s'$/);
  }
  chmodSync(join(path, "it's"), 0o700);
  expect(describeSystemError(denied('/etc/x/y'))).toMatch(/permission denied \(EACCES\); /);
  remove();
});

it('anything else is not the system’s', () => {
  for (const other of [new Error('x'), 'text', undefined, Object.assign(new Error('x'), { code: 'ENOENT' })]) {
    expect(describeSystemError(other ?? {})).toBeUndefined();
  }
});

it.skipIf(process.getuid!() !== 0)('only root is kept from the HOME of another user, and only without leave', () => {
  const { path, remove } = temporaryFolder('home');
  const refused = expect.objectContaining({ code: 'unsafe_place' });
  refuseForeignHome({ HOME: path }, false);
  chownSync(path, 12_345, 12_345);
  expect(errorOf(() => refuseForeignHome({ HOME: path }, false))).toEqual(refused);
  refuseForeignHome({ HOME: path }, true);
  refuseForeignHome({ HOME: path }, false, 12_345);
  refuseForeignHome({ HOME: path, KEYHOLD_HOME: '/k' }, false);
  expect(errorOf(() => refuseForeignHome({ HOME: path, KEYHOLD_HOME: 'k' }, false))).toEqual(refused);
  mkdirSync(join(path, '.local/state/keyhold'), { recursive: true });
  refuseForeignHome({ HOME: path }, false);
  remove();
});
