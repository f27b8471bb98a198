import { appendFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { need } from '../need.ts';
import { aPerson } from './person.ts';

describe.skipIf(!need('git', 'apt-get install git'))('an upgrade over a running agent', () => {
  it('restarts it, keeps what rests, names what goes, and removes the old version', async () => {
    await using person = await aPerson();
    const versions = join(person.home, '.local/share/keyhold/versions');
    const helper = join(person.home, '.local/bin/git-credential-keyhold');
    const lines = (host: string, more = '') => `protocol=https\nhost=${host}\nusername=ada\n${more}\n`;
    await person.keyhold(['install']);
    await person.keyhold(['setup', 'git']);
    const [old] = readdirSync(versions);
    await person.run(helper, ['store'], { input: lines('rests.invalid', 'password=rests-EXAMPLE\n') });
    await person.run(helper, ['--timeout=600', 'store'], { input: lines('goes.invalid', 'password=goes-EXAMPLE\n') });
    const before = await person.agentPid();

    appendFileSync(join(person.copy, 'dist/lib/agent-main.cjs'), '\n// newer\n');
    const { stdout } = await person.run(join(person.copy, 'dist/bin/keyhold'), ['install']);
    expect(stdout).toContain('agent restarted');
    expect(stdout).toContain('gone, it was in memory only: https://ada@goes.invalid');
    expect(stdout).not.toContain('rests.invalid');
    expect(stdout).toContain(`removed: version ${old}`);
    expect(readdirSync(versions)).toHaveLength(1);
    expect(readdirSync(versions)).not.toContain(old);

    const after = await person.agentPid();
    expect(after).not.toBe(before);
    expect(existsSync(`/proc/${before}/exe`)).toBe(false);
    expect((await person.git(['credential', 'fill'], { input: lines('rests.invalid') })).stdout).toContain(
      'rests-EXAMPLE',
    );
    expect((await person.run(helper, ['get'], { input: lines('goes.invalid') })).stdout).toBe('');

    await person.run(join(person.copy, 'dist/bin/keyhold'), ['install']);
    expect(await person.agentPid()).toBe(after);
  });

  it('asks before a restart takes what is in memory only', async () => {
    await using person = await aPerson();
    await person.keyhold(['install']);
    const helper = join(person.home, '.local/bin/git-credential-keyhold');
    const input = 'protocol=https\nhost=goes.invalid\nusername=ada\npassword=goes-EXAMPLE\n\n';
    await person.run(helper, ['--timeout=600', 'store'], { input });
    const { code, stderr } = await person.keyhold(['restart', '--no-input'], { expect: 'any' });
    expect(code).toBe(6);
    expect(stderr).toContain('https://ada@goes.invalid');
    expect((await person.keyhold(['restart', '--yes'])).stdout).toContain('gone, it was in memory only');
    expect((await person.keyhold(['restart', '--no-input'])).stdout).toContain('restarted');
  });
});
