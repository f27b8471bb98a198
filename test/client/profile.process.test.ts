import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ok, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { need } from '../need.ts';
import { type Ended, emptyHome, keyhold, MAIN, runProgram } from './keyhold.ts';

const isRoot = process.getuid!() === 0;

const file = (home: string) => join(home, 'config/profiles.json');
const read = (home: string) => JSON.parse(readFileSync(file(home), 'utf8')) as unknown;

async function aHomeWith(...commands: readonly string[]): Promise<string> {
  const home = emptyHome();
  for (const command of commands)
    expect(await keyhold(command.split(' '), { home })).toMatchObject({ code: 0, stderr: '' });
  return home;
}

describe('keyhold profile', () => {
  test('keeps settings under a name, in a file of the owner alone', async () => {
    const home = await aHomeWith(
      'profile set account ada --profile work',
      'profile set account.git.example zoë --profile work',
      'profile set endpoint.podstack https://api.example --profile work.eu',
    );
    expect(read(home)).toEqual({
      profiles: {
        work: { account: 'ada', 'account.git.example': 'zoë' },
        'work.eu': { 'endpoint.podstack': 'https://api.example' },
      },
      folders: {},
    });
    expect(statSync(file(home)).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, 'config')).mode & 0o777).toBe(0o700);
    expect((await keyhold(['profile', 'show', 'work'], { home })).stdout).toBe(
      'profile              work\naccount              ada\naccount.git.example  zoë\n',
    );
  });

  test('is chosen by name, variable, folder and default, in this order', async () => {
    const home = await aHomeWith(
      'profile set account a --profile by-default',
      'profile set account b --profile by-folder',
      'profile set account c --profile by-variable',
      'profile set account d --profile by-name',
      'profile use by-default',
    );
    const inForce = async (environment: Record<string, string> = {}, ...more: string[]) => {
      const { stdout } = await keyhold(['profile', 'show', '--json', ...more], { home, environment });
      return (JSON.parse(stdout) as { inForce: unknown }).inForce;
    };
    expect(await inForce()).toEqual({ name: 'by-default', by: 'default' });
    const used = await keyhold(['profile', 'use', 'by-folder', '--here'], { home });
    expect(used.stdout).toBe(`Profile by-folder is in force in ${realpathSync(home)} and below.\n`);
    expect(await inForce()).toEqual({ name: 'by-folder', by: 'folder', folder: realpathSync(home) });
    expect(await inForce({ KEYHOLD_PROFILE: 'by-variable' })).toEqual({ name: 'by-variable', by: 'name' });
    expect(await inForce({ KEYHOLD_PROFILE: 'by-variable' }, '--profile', 'by-name')).toMatchObject({
      name: 'by-name',
    });
    expect(await inForce({ KEYHOLD_PROFILE: '' })).toMatchObject({ by: 'folder' });
    const { stdout } = await keyhold(['profile', 'list'], { home });
    expect(stdout).toMatch(/^\* {2}by-folder +b /m);
    expect((await keyhold(['profile', 'use', '--here', '--none'], { home })).code).toBe(0);
    expect(await inForce()).toEqual({ name: 'by-default', by: 'default' });
    expect((await keyhold(['profile', 'use', '--none'], { home })).code).toBe(0);
    expect((await keyhold(['profile', 'show'], { home })).code).toBe(4);
  });

  test('takes a setting out by an empty value, and a profile with all that is bound to it', async () => {
    const home = await aHomeWith(
      'profile set account ada --profile work',
      'profile use work',
      'profile use work --here',
    );
    await keyhold(['profile', 'set', 'account', ''], { home });
    expect(read(home)).toMatchObject({ profiles: { work: {} } });
    expect((await keyhold(['profile', 'remove', 'work'], { home })).code).toBe(6);
    expect((await keyhold(['profile', 'remove', 'work', '--yes'], { home })).stdout).toBe(
      'Removed the profile work.\n',
    );
    expect(read(home)).toEqual({ profiles: {}, folders: {} });
  });

  test.each(['../../x', '/etc/x', '.', '..', '', 'x'.repeat(300), 'A', 'a b', '__proto__', '-x'])(
    'refuses the name %j with 2 and touches nothing',
    async (name) => {
      const home = await aHomeWith('profile set account ada --profile work');
      const before = [readdirSync(home, { recursive: true }).sort(), read(home)];
      const commands = [
        ['profile', 'set', 'account', 'ada', `--profile=${name}`],
        ['profile', 'use', '--here', '--', name],
        ['profile', 'show', '--', name],
        ['profile', 'remove', '--yes', '--', name],
        ['token', 'list', `--profile=${name}`],
      ];
      for (const command of commands) {
        const { code, stderr } = await keyhold(command, { home });
        expect({ command, code }).toEqual({ command, code: 2 });
        expect(stderr).toContain('cannot use that profile name');
      }
      expect([readdirSync(home, { recursive: true }).sort(), read(home)]).toEqual(before);
    },
  );

  test.each([
    [['set', 'token', 'x', '--profile', 'a'], 2, 'there are account[.host]'],
    [['set', 'output', 'yaml', '--profile', 'a'], 2, 'it is text or json'],
    [['set', 'account', 'ada'], 2, 'no profile is in force'],
    [['use', 'a'], 4, 'cannot find the profile a'],
    [['use'], 2, 'name one, or give --none'],
    [['use', 'a', '--none'], 2, 'name one, or give --none'],
    [['show', 'a'], 4, 'cannot find the profile a'],
    [['remove', 'a', '--yes'], 4, 'cannot find the profile a'],
  ])('%j ends with %i', async (words, exitCode, why) => {
    const home = emptyHome();
    const { code, stderr } = await keyhold(['profile', ...words], { home });
    expect(code).toBe(exitCode);
    expect(stderr).toContain(why);
    expect(existsSync(file(home))).toBe(false);
  });

  test('a file that cannot be used is named, changed by no verb, and stops no other', async () => {
    await using agent = await startScriptedAgent({ list: ok() });
    mkdirSync(join(agent.home, 'config'), { mode: 0o700 });
    for (const text of ['{', '{"default":"x"}', '[]']) {
      writeFileSync(file(agent.home), text);
      expect((await keyhold(['profile', 'list'], agent)).stderr).toMatch(
        /^keyhold: cannot (read|use) .*profiles\.json/,
      );
      expect((await keyhold(['profile', 'set', 'account', 'a', '--profile', 'b'], agent)).code).not.toBe(0);
      expect(readFileSync(file(agent.home), 'utf8')).toBe(text);
      expect((await keyhold(['token', 'list'], agent)).code).toBe(0);
    }
  });

  test.skipIf(isRoot && !need('setpriv', 'apt-get install util-linux'))(
    'a folder that may not be written leaves all as it was',
    async () => {
      const home = await aHomeWith('profile set account ada --profile work');
      chmodSync(join(home, 'config'), 0o500);
      // Root may write everywhere, unless that is taken from it.
      const plainly = isRoot ? ['setpriv', '--bounding-set=-dac_override', '--inh-caps=-all'] : [];
      const [program, ...args] = [...plainly, process.execPath, MAIN, 'profile', 'use', 'work'];
      const { code, stderr } = await runProgram(program!, args, { home });
      chmodSync(join(home, 'config'), 0o700);
      expect(code).toBe(1);
      expect(stderr).toContain('cannot write');
      expect(read(home)).toEqual({ profiles: { work: { account: 'ada' } }, folders: {} });
    },
  );

  test('has a running agent read the file again, and says so if that fails', async () => {
    await using agent = await startScriptedAgent({ 'profile-reload': ok([['profiles', '1']]) });
    expect(await keyhold(['profile', 'set', 'account', 'ada', '--profile', 'work'], agent)).toMatchObject({
      stderr: '',
    });
    expect(agent.asked).toEqual([{ action: 'profile-reload', attributes: {} }]);
    await using older = await startScriptedAgent();
    expect((await keyhold(['profile', 'set', 'account', 'ada', '--profile', 'work'], older)).stderr).toContain(
      'run: keyhold restart',
    );
  });
});

describe('the profile of a command', () => {
  test('goes to the agent with the folder, for what depends on it', async () => {
    await using agent = await startScriptedAgent({ get: { status: 'not-found', message: 'none' }, list: ok() });
    const { home } = agent;
    await keyhold(['profile', 'set', 'account', 'ada', '--profile', 'work'], agent);
    const cwd = realpathSync(home);
    const asked = async (run: Promise<Ended>) => {
      agent.asked.length = 0;
      await run;
      return agent.asked.map(({ attributes: { profile, cwd: folder } }) => [profile, folder]);
    };
    const get = ['token', 'print', '--for', 'https://git.example'];
    expect(await asked(keyhold(get, { home }))).toEqual([[undefined, cwd]]);
    expect(await asked(keyhold([...get, '--profile', 'work'], { home }))).toEqual([['work', cwd]]);
    const environment = { KEYHOLD_PROFILE: 'other' };
    expect(await asked(keyhold(get, { home, environment }))).toEqual([['other', cwd]]);
    expect(await asked(keyhold([...get, '--profile', 'work'], { home, environment }))).toEqual([['work', cwd]]);
    expect(await asked(keyhold(['token', 'list', '--profile', 'work'], { home }))).toEqual([[undefined, undefined]]);
    const input = 'protocol=https\nhost=git.example\n\n';
    expect(await asked(keyhold(['get', '--profile', 'work'], { home, input }))).toEqual([['work', cwd]]);
  });

  test('is refused where it is not there, before anything is asked', async () => {
    await using agent = await startScriptedAgent({ list: ok() });
    const { code, stderr } = await keyhold(['token', 'list', '--profile', 'nonexistent'], agent);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'keyhold: cannot use the profile nonexistent: there is none; see: keyhold profile list\n',
    });
    expect(agent.asked).toEqual([]);
  });

  test('sets how verbs answer, unless they are told', async () => {
    await using agent = await startScriptedAgent({ list: ok() });
    await keyhold(['profile', 'set', 'output', 'json', '--profile', 'work'], agent);
    const { stdout } = await keyhold(['token', 'list', '--profile', 'work'], agent);
    expect(JSON.parse(stdout)).toEqual({ items: [], services: [] });
    expect((await keyhold(['token', 'list'], agent)).stdout).toContain('Nothing is held');
  });

  test('is an option of every verb', async () => {
    const home = emptyHome();
    for (const verb of [['status'], ['token', 'set'], ['profile', 'list'], ['exec'], ['env'], ['get'], ['lock']]) {
      expect((await keyhold([...verb, '--help'], { home })).stdout).toContain('--profile <name>');
    }
  });
});
