import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compileManifest } from '../../../client/services/compile.ts';
import { checkFormat, placeholders } from '../../../protocol/services/index.ts';
import { callRows, fieldRows } from './field-table.ts';
import { builtIn } from './manifests.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/services.md'), 'utf8');
const rows = page.split('\n').filter((line) => line.startsWith('| `'));
const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!);

test('docs/services.md has a row for every placeholder and field of the schema, in its order, and no other', () => {
  const names = Object.entries(placeholders).map(([name, { meaning }]) => `| \`{${name}}\` | ${meaning} |`);
  expect(rows).toEqual([...names, ...fieldRows(), ...callRows()]);
});

test('its examples compile', async () => {
  expect(examples).toHaveLength(2);
  for (const text of examples) expect(await compileManifest(text, builtIn)).toMatchObject({ status: 'ok' });
});

test('its example takes the token that it describes, and no other', async () => {
  const compiled = await compileManifest(examples[0]!, builtIn);
  if (compiled.status === 'unfit') throw new Error('it does not compile');
  const check = (text: string) => checkFormat(compiled.manifest, new TextEncoder().encode(text)).status;
  expect(check(`wx_${'a'.repeat(25)}EXAMPLE`)).toBe('ok');
  expect(check('wx_EXAMPLE')).toBe('unfit');
});

test('it names every built-in service', () => {
  for (const { title, id } of builtIn) expect(page).toContain(id === 'oidc' ? 'OpenID Connect' : title);
});
