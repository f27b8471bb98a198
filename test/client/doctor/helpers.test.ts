import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { checkHelpers } from '../../../client/doctor/helpers.ts';
import { temporaryFolder } from '../../temporary.ts';

/** What the doctor says of a home with these files and variables, seen from a folder in it. */
async function said(
  files: Record<string, string>,
  environment: Record<string, string> = {},
  cwd = '',
): Promise<string> {
  const { path: home, remove } = temporaryFolder('helpers');
  onTestFinished(remove);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(home, dirname(name)), { recursive: true });
    writeFileSync(join(home, name), content);
  }
  const findings = await checkHelpers({ HOME: home, ...environment }, join(home, cwd));
  const text = findings.map(({ state, what }) => `${state} ${what}`).join('\n');
  expect(text).not.toContain('EXAMPLE');
  return text.replaceAll(home, '~');
}

it('nothing is said where nothing is set', async () => {
  expect(await said({})).toBe('');
  expect(await said({ '.docker/config.json': '{"credsStore":"keyhold","auths":{"h":{}}}' })).toBe('');
  expect(
    await said({
      '.cargo/config.toml': '[registry]\nglobal-credential-providers = ["cargo:token", "cargo-credential-keyhold"]',
    }),
  ).toBe('');
});

it('docker: whom it asks for which registry, and what it takes from its file', async () => {
  const auth = Buffer.from('ada:t-EXAMPLE').toString('base64');
  const file = JSON.stringify({
    credsStore: 'pass',
    credHelpers: { 'a.example': 'keyhold' },
    auths: { 'a.example': { auth }, b: { auth } },
  });
  expect(await said({ '.docker/config.json': file })).toBe(
    [
      'note docker asks pass for every registry, not keyhold (~/.docker/config.json)',
      'note a token for a.example still stands in ~/.docker/config.json, where keyhold is asked instead',
      'note a token for b still stands in ~/.docker/config.json, where pass is asked instead',
    ].join('\n'),
  );
  expect(await said({ '.docker/config.json': JSON.stringify({ auths: { b: { auth } } }) })).toBe(
    'mend docker takes the token for b from ~/.docker/config.json, in plaintext, and asks nobody',
  );
});

it('variables that win over a helper, of any registry or host', async () => {
  const variables = {
    CARGO_REGISTRIES_LAB_TOKEN: 'x-EXAMPLE',
    TF_TOKEN_h_example: 'x-EXAMPLE',
    DOCKER_AUTH_CONFIG: 'x-EXAMPLE',
    TF_TOKEN_empty: '',
  };
  expect((await said({}, variables)).split('\n')).toEqual([
    'mend the variable CARGO_REGISTRIES_LAB_TOKEN holds a token: cargo takes it before it asks a provider',
    'mend the variable TF_TOKEN_h_example holds a token: terraform takes it before it asks a helper',
    'mend the variable DOCKER_AUTH_CONFIG holds a token: docker takes its tokens before it asks a helper',
  ]);
});

it('cargo: a provider that is asked first, and a folder that chooses one', async () => {
  const files = {
    '.cargo/config.toml':
      '[registry]\nglobal-credential-providers = ["cargo-credential-keyhold", "cargo:token-from-stdout x-EXAMPLE"]',
    'lab/.cargo/config.toml': '[registries.lab]\ncredential-provider = ["./prov.sh"]',
  };
  expect(await said(files, {}, 'lab/src')).toBe(
    'note cargo asks cargo:token-from-stdout before keyhold (~/.cargo/config.toml)\n' +
      'mend ~/lab/.cargo/config.toml chooses which program cargo asks for tokens here',
  );
});

it('terraform and pnpm: who is asked, and what is written out', async () => {
  const files = {
    '.terraformrc': 'credentials "app.example" {\n  token = "x-EXAMPLE"\n}\ncredentials_helper "other" {}\n',
    '.npmrc': '//h/:tokenHelper=/bin/helper x-EXAMPLE\n//k/:tokenHelper=/opt/keyhold-npm@k\n',
  };
  expect(await said(files)).toBe(
    [
      'mend terraform takes the token for app.example from ~/.terraformrc, in plaintext, and asks nobody',
      'note terraform asks other, not keyhold (~/.terraformrc)',
      'note pnpm asks /bin/helper for //h, not keyhold (~/.npmrc)',
    ].join('\n'),
  );
});
