import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { shadowsOf } from '../../../client/doctor/shadows.ts';
import type { Manifest } from '../../../protocol/services/index.ts';
import { temporaryFolder } from '../../temporary.ts';

function aHome(): string {
  const { path, remove } = temporaryFolder('shadows');
  onTestFinished(remove);
  mkdirSync(`${path}/.config/one`, { recursive: true });
  writeFileSync(`${path}/.config/one/token`, 'EXAMPLE');
  return path;
}

const service = (precedence?: readonly ('file' | 'environment')[]): Manifest => ({
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
    { path: '{config}/one/token', format: 'json' },
    { path: '~/.one', format: 'json' },
    { path: '~/.one/{profile}', format: 'json' },
  ],
});

describe("a service's own token", () => {
  it('wins from the variable, where nothing else is said', () => {
    const home = aHome();
    expect(shadowsOf(service(), { HOME: home, ONE_OLD: 'EXAMPLE', ONE_URL: 'x', ONE_TOKEN: '' })).toEqual([
      { source: 'environment', what: 'the variable ONE_OLD', wins: true },
      { source: 'file', what: `the file ${home}/.config/one/token`, wins: false },
    ]);
  });

  it('wins from the file, where the program looks there first, or there is nothing else', () => {
    const home = aHome();
    expect(shadowsOf(service(['file', 'environment']), { HOME: home, ONE_TOKEN: 'x' }).map(({ wins }) => wins)).toEqual(
      [false, true],
    );
    expect(shadowsOf(service(), { HOME: home })).toMatchObject([{ source: 'file', wins: true }]);
    expect(shadowsOf(service(), { HOME: home, XDG_CONFIG_HOME: '/nonexistent' })).toEqual([]);
  });
});
