import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Child, type ChildEnd } from '../../../daemon/processes/child.ts';
import type { Needs } from '../../../daemon/processes/sandbox.ts';
import { temporaryFolder } from '../../temporary.ts';

const folder = temporaryFolder('child');
const other = temporaryFolder('child-other');
afterAll(() => {
  folder.remove();
  other.remove();
});
writeFileSync(join(other.path, 'file'), 'text');

/** Tries what a sandbox may refuse, and says for each whether it was refused by the sandbox. */
const tries = (own: string, foreign: string) => `
  const fs = require('node:fs');
  const refused = (work) => {
    try { work(); return false; } catch ({ code }) { return code === 'ERR_ACCESS_DENIED' || code === 'ERR_DLOPEN_DISABLED'; }
  };
  process.send('ready');
  process.send({
    ownFolder: refused(() => fs.readFileSync(${JSON.stringify(own)})),
    otherFile: refused(() => fs.readFileSync(${JSON.stringify(foreign)})),
    write: refused(() => fs.writeFileSync(${JSON.stringify(own)} + '.new', '')),
    process: refused(() => require('node:child_process').spawnSync('/bin/true')),
    thread: refused(() => new (require('node:worker_threads').Worker)('', { eval: true })),
    addon: refused(() => process.dlopen({ exports: {} }, ${JSON.stringify(own)})),
    environment: Object.keys(process.env).length === 0,
    folder: process.cwd(),
  });`;

let count = 0;
/** A child that runs this text, its messages, and its end. */
function aChild(text: string, { needs, startDeadline = 20_000 }: { needs?: Needs; startDeadline?: number } = {}) {
  const program = join(folder.path, `program-${++count}.cjs`);
  writeFileSync(program, text);
  const messages: unknown[] = [];
  let ended = (_: ChildEnd) => {};
  const end = new Promise<ChildEnd>((resolve) => {
    ended = resolve;
  });
  const channel = {
    kind: 'messages',
    onUp: () => {},
    onMessage: (message: unknown) => messages.push(message),
  } as const;
  const child = new Child({ program, needs: needs ?? {}, startDeadline, channel, onEnd: ended });
  return { child, messages, end };
}

const own = join(folder.path, 'own');
writeFileSync(own, 'text');
const strict = { ownFolder: false, otherFile: true, write: true, process: true, thread: true, addon: true };

describe('the sandbox of a child', () => {
  test.each<[string, Needs, object]>([
    ['is the strictest unless the child needs more', {}, strict],
    [
      'lets a child read other files if it needs them, and nothing else',
      { anyFile: true },
      { ...strict, otherFile: false },
    ],
    ['lets a child load addons if it needs them, and nothing else', { addons: true }, { ...strict, addon: false }],
  ])('%s', async (_, needs, expected) => {
    const { child, messages, end } = aChild(tries(own, join(other.path, 'file')), { needs });
    await expect.poll(() => messages, { timeout: 20_000 }).toHaveLength(1);
    expect(messages[0]).toEqual({ ...expected, environment: true, folder: '/' });
    child.kill();
    await end;
  });
});

describe('a child', () => {
  test('that is not up in time is killed, and its end says so', async () => {
    const { child, end } = aChild('setInterval(() => {}, 1000);', { startDeadline: 300 });
    child.ref();
    expect(await end).toEqual({ wasUp: false, startedLate: true, code: 'SIGKILL' });
  });

  test('that ends by itself before it is up is not late', async () => {
    const { end } = aChild('process.exit(7);');
    expect(await end).toEqual({ wasUp: false, startedLate: false, code: '7' });
  });

  test('is killed when a deadline passes, after its caller was told', async () => {
    const { child, messages, end } = aChild(`process.send('ready'); process.send('up'); setInterval(() => {}, 1000);`);
    await expect.poll(() => messages, { timeout: 20_000 }).toEqual(['up']);
    let isLate = false;
    child.killAfter(50, () => {
      isLate = true;
    });
    expect(await end).toEqual({ wasUp: true, startedLate: false, code: 'SIGKILL' });
    expect(isLate).toBe(true);
  });

  test('ends by itself when it is released, and is killed if it does not', async () => {
    const up = `process.send('ready'); process.send('up');`;
    const willing = aChild(`${up} process.on('disconnect', () => process.exit(3));`);
    const stubborn = aChild(`${up} setInterval(() => {}, 1000);`);
    await expect.poll(() => [willing.messages, stubborn.messages], { timeout: 20_000 }).toEqual([['up'], ['up']]);
    willing.child.release(20_000);
    stubborn.child.release(100);
    expect(await willing.end).toMatchObject({ wasUp: true, code: '3' });
    expect(await stubborn.end).toMatchObject({ wasUp: true, code: 'SIGKILL' });
  });
});
