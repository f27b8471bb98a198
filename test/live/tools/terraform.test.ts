import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTerraformRegistry, type TerraformRegistry } from '../../fakes/tools/terraform-registry.ts';
import { isThere, need } from '../../need.ts';
import { aWiredPerson, type Wired } from './wired.ts';

/** Neither Debian nor npm has it. */
const terraform =
  isThere('terraform', 'https://developer.hashicorp.com/terraform/install') &&
  need('script', 'apt-get install bsdutils');
const HOST = 'reg.lab.invalid';
const TOKEN = 'terraform-EXAMPLE';

describe.skipIf(!terraform)('real terraform, by what setup terraform wrote', () => {
  let registry: TerraformRegistry;
  let person: Wired;

  const run = (words: readonly string[], input = '') =>
    person.run('terraform', words, { cwd: join(person.desk, 'root'), input, expect: 'any' });
  const init = () => {
    rmSync(join(person.desk, 'root/.terraform'), { recursive: true, force: true, maxRetries: 5 });
    return run(['init', '-no-color', '-input=false']);
  };

  beforeAll(async () => {
    [registry, person] = await Promise.all([
      startTerraformRegistry(),
      aWiredPerson({ CHECKPOINT_DISABLE: '1', TF_IN_AUTOMATION: '1' }),
    ]);
    registry.accepted.add(`Bearer ${TOKEN}`);
    writeFileSync(join(person.home, '.terraformrc'), `# mine\n${registry.block(HOST)}`);
    mkdirSync(join(person.desk, 'root'));
    writeFileSync(join(person.desk, 'root/main.tf'), `module "demo" {\n  source = "${HOST}/acme/demo/null"\n}\n`);
  });
  afterAll(async () => {
    await person[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  it('fetches a module with the token that is kept for the host, and not where keyhold cannot say', async () => {
    await person.setup('terraform');
    expect((await init()).code).not.toBe(0);
    await person.keyhold(['token', 'set', '--for', `https://${HOST}`], { input: TOKEN });
    expect(await init()).toMatchObject({ code: 0 });
    expect((await person.whileLocked(init)).code).not.toBe(0);
    expect(await init()).toMatchObject({ code: 0 });
    await person.keepPast({ protocol: 'https', host: HOST, password: TOKEN });
    expect((await init()).code).not.toBe(0);
    const { before, after } = await person.undo('terraform');
    expect(after.filter((entry) => !entry.startsWith('.terraform.d/checkpoint'))).toEqual(before);
  });

  it('logs in and out', async () => {
    await person.forget({ protocol: 'https', host: HOST });
    await person.setup('terraform');
    const login = await person.run('script', ['-qec', `terraform login -no-color ${HOST}`, '/dev/null'], {
      cwd: join(person.desk, 'root'),
      input: `yes\n${TOKEN}\n`,
      expect: 'any',
    });
    expect(login.stdout).toContain('ada');
    expect(await person.held()).toMatchObject([{ protocol: 'https', host: HOST }]);
    expect(await init()).toMatchObject({ code: 0 });
    const refused = await person.whileLocked(() => run(['logout', '-no-color', HOST]));
    expect(refused.stderr).toContain('keyhold: the credentials are locked; run: keyhold unlock');
    expect(await run(['logout', '-no-color', HOST])).toMatchObject({ code: 0 });
    expect(await person.held()).toEqual([]);
  });
});
