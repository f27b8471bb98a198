import { chmodSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Comparison, judge } from '../../../client/doctor/shadows.ts';
import { disposeSightings, type Sighting, sightingsOf } from '../../../client/doctor/sightings.ts';
import { secretFromText } from '../../../protocol/secret.ts';
import type { Manifest } from '../../../protocol/services/index.ts';
import { temporaryFolder } from '../../temporary.ts';

function aHome(files: Record<string, string> = { '.config/one/token': '{"token":"file-EXAMPLE"}' }): string {
  const { path, remove } = temporaryFolder('shadows');
  onTestFinished(remove);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(path, dirname(name)), { recursive: true });
    writeFileSync(join(path, name), content, { mode: 0o600 });
  }
  return path;
}

type Source = 'file' | 'environment' | 'keyring';

const service = (precedence?: readonly Source[], more: Partial<Manifest> = {}): Manifest => ({
  id: 'one',
  title: 'One',
  hosts: [{ host: 'one.example' }],
  scope: ['host'],
  kinds: [{ name: 'pat' }],
  auth: [{ scheme: 'bearer' }],
  env: {
    variables: [
      { name: 'ONE_TOKEN', holds: 'token' },
      { name: 'ONE_OLD', holds: 'token' },
      { name: 'ONE_URL', holds: 'endpoint' },
    ],
    ...(precedence ? { precedence } : {}),
  },
  files: [
    { path: '{config}/one/token', format: 'json', mode: '0600', fields: { value: '/token' } },
    { path: '~/.one', format: 'json' },
    { path: '~/.one/config-{profile}.yaml', format: 'yaml', fields: { value: '/*/auth' } },
  ],
  ...more,
});

const named = (sightings: readonly Sighting[]) => sightings.map(({ source, name }) => `${source} ${name}`);

describe('what is seen around', () => {
  const seen = async (manifest: Manifest, environment: Record<string, string>) => {
    const sightings = await sightingsOf(manifest, environment);
    onTestFinished(() => disposeSightings(sightings));
    return sightings;
  };

  it('are variables that are set and files that are there, never their values', async () => {
    const home = aHome();
    const sightings = await seen(service(), { HOME: home, ONE_OLD: 'x-EXAMPLE', ONE_URL: 'x', ONE_TOKEN: '' });
    expect(named(sightings)).toEqual(['environment ONE_OLD', `file ${home}/.config/one/token`]);
    expect(JSON.stringify(sightings)).not.toContain('EXAMPLE');
    expect(await seen(service(), { HOME: home, XDG_CONFIG_HOME: join(home, 'missing') })).toEqual([]);
  });

  it('are the files of every profile, with all the tokens in them', async () => {
    const home = aHome({
      '.one/config-a.yaml': 'x: { auth: a-EXAMPLE }\ny: { auth: b-EXAMPLE }\n',
      '.one/config-.yaml': '',
    });
    const sightings = await seen(service(), { HOME: home });
    expect(named(sightings)).toContain(`file ${home}/.one/config-a.yaml`);
    expect(sightings.find(({ name }) => name.endsWith('config-a.yaml'))!.secrets).toHaveLength(2);
    expect(named(sightings)).not.toContain(`file ${home}/.one/config-.yaml`);
  });

  it('are modes, dates, and why a file was not understood', async () => {
    const home = aHome({ '.config/one/token': '{"token":' });
    chmodSync(`${home}/.config/one/token`, 0o644);
    utimesSync(`${home}/.config/one/token`, 1_000, 1_000);
    const [sighting] = await seen(service(), { HOME: home, ONE_TOKEN: '' });
    expect(sighting).toMatchObject({ mode: 0o644, allowed: 0o600, changedAt: 1_000, secrets: [] });
    expect(sighting!.trouble).toBe('line 1: a value is missing');
    const [variable] = await seen(service(), { HOME: '/nonexistent', ONE_TOKEN: 'two\nlines-EXAMPLE' });
    expect(variable).toMatchObject({ secrets: [], trouble: 'what stands in it can be no token' });
  });
});

describe("a service's own token", () => {
  const secrets = [secretFromText('EXAMPLE')];
  const variable = (name: string): Sighting => ({ source: 'environment', name, secrets });
  const file = (more: Partial<Sighting> = {}): Sighting => ({ source: 'file', name: '/f', secrets, ...more });
  const winners = (precedence: readonly Source[] | undefined, ...sightings: Sighting[]) =>
    judge(service(precedence), sightings)
      .filter(({ wins }) => wins)
      .map(({ name }) => name);

  it('wins from the first variable, where nothing else is said', () => {
    expect(winners(undefined, variable('ONE_TOKEN'), variable('ONE_OLD'), file())).toEqual(['ONE_TOKEN']);
  });

  it('wins from the file, where the program looks there first, or there is nothing else', () => {
    expect(winners(['file', 'environment'], variable('ONE_TOKEN'), file())).toEqual(['/f']);
    expect(winners(undefined, file())).toEqual(['/f']);
  });

  it('does not win from a file that holds none, and may win from one that cannot be read', () => {
    expect(judge(service(['file']), [file({ secrets: [] })])).toEqual([]);
    expect(judge(service(['file']), [file({ secrets: [], trouble: 'no' })])).toMatchObject([
      { wins: true, relation: 'unknown', trouble: 'no' },
    ]);
  });

  it('wins over exec only from where the program looks before its variables', () => {
    const overExec = (precedence: readonly Source[], ...sightings: Sighting[]) =>
      judge(service(precedence), sightings).map(({ winsOverExec }) => winsOverExec);
    expect(overExec(['file', 'environment'], variable('ONE_TOKEN'), file())).toEqual([false, true]);
    expect(overExec(['environment', 'file'], file())).toEqual([false]);
  });

  const differs: Comparison = { status: 'differs', storedAt: 2_000 };
  it.each([
    ['a copy', file(), { status: 'same' }, 'copy'],
    ['older, where the file was changed before', file({ changedAt: 1_999 }), differs, 'older'],
    ['another, where the file was changed since', file({ changedAt: 2_001 }), differs, 'another'],
    ['another, where no date tells', variable('ONE_TOKEN'), differs, 'another'],
    ['not held', file(), { status: 'unheld' }, 'unheld'],
    ['not known', file(), { status: 'unknown' }, 'unknown'],
  ] as const)('is %s', (_, sighting, comparison, relation) => {
    expect(judge(service(), [sighting], [comparison])[0]!.relation).toBe(relation);
  });

  it('tells the modes that are too much, and a fix', () => {
    const [one, two] = judge(service(), [variable('ONE_TOKEN'), file({ mode: 0o664, allowed: 0o600 })]);
    expect(two!.excess).toBe('064');
    expect(one!.excess).toBeUndefined();
    expect(one!.fix).toContain('unset ONE_TOKEN');
    expect(two!.fix).toContain('keyhold exec --service one');
  });

  it('tells where documents say it otherwise', () => {
    const manifest = service(['file', 'environment']);
    const deviations = [{ documented: 'ONE_TOKEN wins', real: 'the file wins', fix: 'run: one logout' }];
    const [, two] = judge({ ...manifest, env: { ...manifest.env!, deviations } }, [variable('ONE_TOKEN'), file()]);
    expect(two).toMatchObject({ deviation: 'ONE_TOKEN wins; really: the file wins', fix: 'run: one logout' });
  });

  it('may lie in an item of a keyring, which nobody opens for this', () => {
    const keyring = { service: 'com.one', account: '{host}' };
    expect(judge(service(['keyring'], { keyring }), [])).toMatchObject([
      { source: 'keyring', name: 'com.one, {host}', wins: true, winsOverExec: true, relation: 'unknown' },
    ]);
    expect(judge(service(['environment', 'keyring'], { keyring }), [variable('ONE_TOKEN')])[1]).toMatchObject({
      wins: false,
      winsOverExec: false,
    });
    expect(judge(service(['environment'], { keyring }), [])).toEqual([]);
  });
});
