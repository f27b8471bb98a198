import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCommand, whyTooLong } from '../../../client/exec/command.ts';
import { temporaryFolder } from '../../temporary.ts';

describe('the command', () => {
  const { path: root, remove } = temporaryFolder('command');
  afterAll(remove);
  const [first, second] = [join(root, 'first'), join(root, 'second')];
  const file = (folder: string, name: string, text: string | Buffer, mode = 0o755) => {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), mode);
  };
  const environment = { PATH: [first, second].join(delimiter) };

  beforeAll(() => {
    for (const folder of [first, second, join(first, 'folder')]) mkdirSync(folder);
    file(first, 'tool', '#!/bin/sh\n', 0o644);
    file(second, 'tool', '#!/bin/sh\n');
    file(second, 'plain', 'echo hello\n');
    file(second, 'empty', '');
    file(second, 'lost', '#! /nonexistent/interpreter -x\n');
    file(second, 'binary', Buffer.from([0xca, 0xfe, 0, 1]));
    file(second, 'readonly', '#!/bin/sh\n', 0o644);
    file(second, 'folder', '#!/bin/sh\n');
    symlinkSync('tool', join(second, 'link'));
  });

  it('is the first on PATH that may be executed, called as it was named', () => {
    expect(findCommand(['tool', 'a', ''], environment)).toEqual({
      status: 'found',
      file: join(second, 'tool'),
      arguments: ['tool', 'a', ''],
    });
    expect(findCommand(['folder'], environment)).toMatchObject({ file: join(second, 'folder') });
    expect(findCommand(['link'], environment)).toMatchObject({ file: join(second, 'link') });
    expect(findCommand([process.execPath], {})).toMatchObject({ file: process.execPath });
    expect(findCommand(['sh'], {})).toMatchObject({ file: '/bin/sh' });
  });

  it('is run by sh where it is a script without an interpreter, as execvp does', () => {
    for (const name of ['plain', 'empty']) {
      expect(findCommand([name, 'a'], environment)).toEqual({
        status: 'found',
        file: '/bin/sh',
        arguments: ['/bin/sh', join(second, name), 'a'],
      });
    }
  });

  it.each([
    ['', 'its name is empty'],
    ['nonexistent', 'no folder of PATH has it'],
    ['./nonexistent', 'there is no such file'],
    ['/etc/passwd/x', 'there is no such file'],
    ['lost', 'its interpreter cannot be run: /nonexistent/interpreter'],
  ])('%j is not found', (name, why) => {
    expect(findCommand([name], environment)).toEqual({ status: 'not-found', why });
  });

  it.each([
    ['readonly', 'EACCES'],
    ['/', 'it is a folder'],
    ['binary', 'it is of no known format'],
  ])('%j is found and cannot be executed', (name, why) => {
    expect(findCommand([name], environment)).toEqual({ status: 'not-executable', why });
  });

  it('is too long before the kernel says so', () => {
    expect(whyTooLong('/bin/true', ['true'], { A: 'x'.repeat(100_000) })).toBeUndefined();
    expect(whyTooLong('/bin/true', ['true'], { A: 'x'.repeat(131_070) })).toContain('longer than 131071 bytes');
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`V${at}`, 'x'.repeat(100_000)]));
    expect(whyTooLong('/bin/true', ['true'], many)).toContain('together');
  });
});
