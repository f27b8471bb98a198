import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { adapterFiles, withAdapter } from './new/adapter.ts';

/** `npm run new -- adapter NAME`: writes the skeleton of a new part, and its line in the index of its kind. */

const root = join(import.meta.dirname, '..');
const INDEX = 'protocol/tools/index.ts';

const [kind, name, ...more] = process.argv.slice(2);
if (kind !== 'adapter' || name === undefined || more.length > 0) fail('usage: npm run new -- adapter NAME');
else if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
  fail(
    `cannot make ${JSON.stringify(name)}: a name has lower-case letters, digits and single hyphens, as the tool's own`,
  );
} else make(name);

function make(adapter: string): void {
  const files = adapterFiles(adapter);
  const taken = Object.keys(files).filter((path) => existsSync(join(root, path)));
  if (taken.length > 0) {
    fail(`cannot make ${adapter}: ${taken.join(', ')} is there already`);
    return;
  }
  const index = withAdapter(readFileSync(join(root, INDEX), 'utf8'), adapter);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { flag: 'wx' });
    console.log(`wrote ${path}`);
  }
  writeFileSync(join(root, INDEX), index);
  console.log(`added it to ${INDEX}`);
  console.log(`next: npm run transcripts ${adapter}.txt, which shows what is still to do`);
}

function fail(why: string): void {
  console.error(why);
  process.exitCode = 2;
}
