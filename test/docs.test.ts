import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const pages = ['.', 'docs', 'docs/decisions', 'protocol'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);
/** Our folders; what stands in backticks below one of them is a path. */
const PATH = /`((?:client|daemon|docs|examples|protocol|scripts|systemd|test)\/[\w./-]*)`/g;

describe.each(pages)('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8');

  test('links to pages that exist', () => {
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      expect(existsSync(join(root, dirname(page), link!)), `${link} in ${page}`).toBe(true);
    }
  });

  test('names files that exist', () => {
    for (const [, path] of text.matchAll(PATH)) {
      // Names in capitals stand for a name to be chosen.
      if (/[A-Z]{4,}(?!\.md)/.test(path!)) continue;
      expect(existsSync(join(root, path!)), `${path} in ${page}`).toBe(true);
    }
  });
});
