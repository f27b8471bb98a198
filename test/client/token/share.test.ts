import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ok, startScriptedAgent } from '../../fakes/scripted-agent.ts';
import { keyhold } from '../keyhold.ts';

const item = (fronts: readonly string[]) =>
  [
    'item[]',
    { id: 'id-1', protocol: 'https', host: 'ghcr.example', username: 'ada', storedAt: 2_000, fronts },
  ] as const;
const UNDO = ['token', 'share', 'id-1', '--front', 'docker', '--undo'];

/** What `token share --undo` prints, lines joined, where docker's config.json is `config`. */
async function undone(config: object | string | undefined, options: readonly string[] = []) {
  await using agent = await startScriptedAgent({ list: ok([item(['docker'])]), share: ok([item([])]) });
  const folder = join(agent.home, 'docker');
  mkdirSync(folder, { recursive: true });
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  if (config !== undefined) writeFileSync(join(folder, 'config.json'), text);
  const environment = { DOCKER_CONFIG: folder };
  const { code, stdout, stderr } = await keyhold([...UNDO, ...options], { home: agent.home, environment });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.replaceAll(/\s+/g, ' ').trim();
}

describe('token share --undo', () => {
  test('says that docker still asks for a registry which stands in its config.json by name', async () => {
    const said = await undone({ credHelpers: { 'ghcr.example': 'keyhold' } });
    expect(said).toContain('docker does not list the token ada for https://ghcr.example any more.');
    expect(said).toContain('docker asks keyhold for ghcr.example by name (credHelpers in ');
    expect(said).toMatch(/to end that, run: keyhold setup docker --undo$/);
  });

  test('says it of a key that is written as a URL, and in JSON', async () => {
    const config = { credHelpers: { 'https://ghcr.example': 'keyhold' } };
    expect(JSON.parse(await undone(config, ['--json']))).toMatchObject({
      undone: true,
      registries: ['https://ghcr.example'],
    });
  });

  test.each([
    ['another registry', { credHelpers: { 'other.example': 'keyhold' } }],
    ['a path of that host', { credHelpers: { 'ghcr.example/team': 'keyhold' } }],
    ['another helper', { credHelpers: { 'ghcr.example': 'pass' } }],
    ['credsStore alone, whose list is all that docker goes by', { credsStore: 'keyhold' }],
    ['a file that cannot be read', '{'],
    ['no file', undefined],
  ])('says nothing more for %s', async (_, config) => {
    expect(await undone(config)).toBe('docker does not list the token ada for https://ghcr.example any more.');
  });
});
