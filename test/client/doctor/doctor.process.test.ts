import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Shadow } from '../../../client/doctor/shadows.ts';
import { type Answer, type Asked, ok, startScriptedAgent } from '../../fakes/scripted-agent.ts';
import { emptyHome, keyhold } from '../keyhold.ts';

const item = (host: string, storedAt = 2_000) => ['item[]', { id: host, protocol: 'https', host, storedAt }] as const;
/** An agent that holds one value for each of these hosts. */
const holding = (values: Record<string, string>) => ({
  status: ok([
    ['version', '9.9.9'],
    ['state', 'open'],
    ['backend', 'vault'],
  ]),
  list: ok(Object.keys(values).map((host) => item(host))),
  same: ({ attributes: { host, password } }: Asked) =>
    values[String(host)] === undefined
      ? ({ status: 'not-found', message: 'none' } as const)
      : ok([['same', String(values[String(host)] === password)]]),
});

function write(home: string, files: Record<string, string>, mode = 0o600): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(home, dirname(name)), { recursive: true });
    writeFileSync(join(home, name), content, { mode });
  }
}

type Told = {
  readonly findings: readonly { check: string; state: string; what: string; remedy: string }[];
  readonly shadows: readonly Shadow[];
};

/** What the doctor says as JSON, which holds no value. */
async function told(agent: { readonly home: string }, environment: Record<string, string> = {}): Promise<Told> {
  const { stdout, stderr } = await keyhold(['doctor', '--json'], { ...agent, environment });
  expect(stderr).toBe('');
  const document = JSON.parse(stdout) as Told;
  expect(stdout).not.toContain('EXAMPLE');
  return document;
}
const shadowOf = ({ shadows }: Told, name: string) => shadows.find((shadow) => shadow.name === name);

describe('keyhold doctor on what stands beside the agent', () => {
  test('K2, K12, K24: the session file of apkg that wins over its variable, which documents deny', async () => {
    await using agent = await startScriptedAgent(holding({ 'api.apkg.ai': 'ours-EXAMPLE' }));
    const file = join(agent.home, '.apkg/credentials.json');
    write(agent.home, { '.apkg/credentials.json': '{"accessToken":"apkg_old-EXAMPLE"}' }, 0o644);
    utimesSync(file, 1_000, 1_000);
    const doctor = await told(agent, { APKG_TOKEN: 'ours-EXAMPLE' });
    expect(shadowOf(doctor, 'APKG_TOKEN')).toMatchObject({ wins: false, relation: 'copy' });
    expect(shadowOf(doctor, file)).toMatchObject({
      wins: true,
      winsOverExec: true,
      relation: 'older',
      excess: '044',
      deviation: expect.stringContaining('the session file wins over APKG_TOKEN'),
      fix: expect.stringContaining('keyhold auth logout'),
    });
    const mend = doctor.findings.filter(({ state, check }) => state === 'mend' && check === 'shadows');
    expect(mend.map(({ remedy }) => remedy)).toContain(`run: chmod go= ${file}`);
    expect(mend[0]!.what).toContain('older than what keyhold holds, and wins over keyhold exec');
  });

  test('S8, S33, S34: the variable of podstack beats its files, which hold a copy and another token', async () => {
    await using agent = await startScriptedAgent(holding({ 'api.podstack.ai': 'ours-EXAMPLE' }));
    write(agent.home, {
      '.podstack/config.yaml': 'auth:\n  token: ours-EXAMPLE\n',
      '.podstack/credentials': '[default]\napi_token = other-EXAMPLE\n',
    });
    const doctor = await told(agent, { PODSTACK_API_TOKEN: 'third-EXAMPLE' });
    expect(doctor.shadows.map(({ wins, relation }) => [wins, relation])).toEqual([
      [true, 'another'],
      [false, 'copy'],
      [false, 'another'],
    ]);
  });

  test('D17, D44: the variables of Pogodoc, one that holds another token and one that sends it elsewhere', async () => {
    await using agent = await startScriptedAgent(holding({ 'api.pogodoc.com': 'ours-EXAMPLE' }));
    const { findings } = await told(agent, {
      POGODOC_API_TOKEN: 'other-EXAMPLE',
      POGODOC_BASE_URL: 'http://api.pogodoc.example/v1',
    });
    const texts = findings.filter(({ check }) => check === 'shadows').map(({ state, what }) => `${state} ${what}`);
    expect(texts).toEqual([
      'mend pogodoc: the variable POGODOC_API_TOKEN has another token than keyhold holds, and wins',
      'mend pogodoc: POGODOC_BASE_URL names a server that is none of Pogodoc: requests there end with 401, and its token goes there',
    ]);
    const right = await told(agent, { POGODOC_BASE_URL: 'https://api.pogodoc.com/v1' });
    expect(right.findings.filter(({ check }) => check === 'shadows')).toEqual([]);
  });

  test('G20: the files of Pangolin, where they really are', async () => {
    await using agent = await startScriptedAgent(holding({}));
    write(agent.home, { '.config/pangolin/cli/config-work.json': '{"auth_token":"a.b-EXAMPLE"}' }, 0o640);
    const { shadows, findings } = await told(agent);
    expect(shadows).toMatchObject([{ service: 'pangolin', wins: true, relation: 'unheld', excess: '040' }]);
    expect(findings.find(({ what }) => what.includes('mode 040'))!.remedy).toContain('chmod go= ');
  });

  test('tells tokens in plaintext of tools that are no service, and what they are to keyhold', async () => {
    await using agent = await startScriptedAgent(holding({ 'a.example': 'ours-EXAMPLE', 'b.example': 'x-EXAMPLE' }));
    write(agent.home, {
      '.git-credentials':
        'https://u:ours-EXAMPLE@a.example\nhttps://u:old-EXAMPLE@b.example\nhttps://u:p-EXAMPLE@c.example\n',
      '.netrc': 'machine a.example login u EXAMPLE\n',
    });
    const { findings } = await told(agent);
    const plaintext = findings.filter(({ check }) => check === 'plaintext');
    expect(plaintext.map(({ state, what }) => `${state} ${what.replaceAll(agent.home, '~')}`)).toEqual([
      'mend git: ~/.git-credentials holds tokens in plaintext: 1 copied from keyhold or into it, and older at the next change, 1 other than what keyhold holds for the same host, 1 for which keyhold holds none',
      'note netrc: ~/.netrc was not looked into: line 1: it is not "machine" or "default"',
    ]);
    expect(plaintext[0]!.remedy).toBe('run: keyhold import --only git --remove');
  });

  test('says that nothing was compared where no agent answers, or an older one that cannot', async () => {
    const home = emptyHome();
    expect((await told({ home }, { GITLAB_TOKEN: 'x-EXAMPLE' })).shadows).toMatchObject([{ relation: 'unknown' }]);
    const { same: _, ...older } = holding({ 'gitlab.com': 'x-EXAMPLE' });
    await using agent = await startScriptedAgent(older);
    expect((await told(agent, { GITLAB_TOKEN: 'x-EXAMPLE' })).shadows).toMatchObject([{ relation: 'unknown' }]);
  });
});

describe('keyhold doctor --repair', () => {
  const status = ok([
    ['version', '9.9.9'],
    ['state', 'open'],
    ['backend', 'vault'],
  ]);
  const repaired = async (repair: Answer) => {
    await using agent = await startScriptedAgent({ status, list: ok(), repair });
    const { stdout } = await keyhold(['doctor', '--repair', '--json', '--no-input'], agent);
    const { findings } = JSON.parse(stdout) as Told;
    return findings.find(({ check }) => check === 'repair');
  };

  test('says how many copies a cut migrate had left, or that there were none', async () => {
    const left = (removed: string) => ok([['removed', removed] as const, ['left', '0'] as const]);
    expect(await repaired(left('39'))).toMatchObject({
      state: 'ok',
      what: 'removed 39 copies that a migrate left over',
    });
    expect(await repaired(left('0'))).toMatchObject({ state: 'ok', what: 'nothing was left over' });
  });

  test('names what could not be removed, and never says that nothing was left over then', async () => {
    const item = { id: '1', protocol: 'https', host: 'git.example', username: 'ada' };
    const details = [['removed', '0'] as const, ['left', '1'] as const, ['item[]', item] as const];
    expect(await repaired(ok(details))).toMatchObject({
      state: 'mend',
      what: '1 copy of a migrate could not be removed (ada@https://git.example)',
      remedy: 'run it again: keyhold doctor --repair',
    });
  });

  test('says why they cannot be removed, and what to do', async () => {
    const message = 'cannot remove copies from the vault: it needs its passphrase; run: keyhold doctor --repair';
    expect(await repaired({ status: 'interaction-required', message })).toMatchObject({
      state: 'mend',
      what: 'cannot remove copies from the vault: it needs its passphrase',
      remedy: 'run: keyhold doctor --repair',
    });
  });
});
