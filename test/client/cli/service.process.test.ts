import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { manifestSchema } from '../../../protocol/services/index.ts';
import { emptyHome, keyhold } from '../keyhold.ts';

const work = 'id: work\ntitle: GitLab at work\nlike: gitlab\nhosts: [{ host: gitlab.work.example }]\n';

function aHome(files: Record<string, string> = {}) {
  const home = emptyHome();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text);
  return { home };
}

function own(home: string, name: string, text: string, mode = 0o600): string {
  const folder = join(home, 'config/services');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

const widest = (text: string) => Math.max(...text.split('\n').map((line) => [...line].length));

describe('keyhold service list', () => {
  test('shows the built-in services and those of the person, in 80 columns, without an agent', async () => {
    const { home } = aHome({ 'work.yaml': work });
    expect((await keyhold(['service', 'add', 'work.yaml'], { home })).code).toBe(0);
    const { code, stdout, stderr } = await keyhold(['service', 'list'], { home, environment: { COLUMNS: '80' } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^apkg +apkg +api\.apkg\.ai, your own servers$/m);
    expect(stdout).toMatch(/^work \(yours\) +GitLab at work +gitlab\.work\.example, your own\n +servers$/m);
    expect(stdout).toMatch(/^pogo +Pogo +every pogo:\/\/$/m);
    expect(widest(stdout)).toBeLessThanOrEqual(80);
    const { services } = JSON.parse((await keyhold(['service', 'list', '--json'], { home })).stdout);
    expect(services).toHaveLength(15);
  });

  test.each([
    ['{', 0o600, 'it is not JSON'],
    [JSON.stringify({ id: 'x' }), 0o600, 'the manifest lacks the field "title"'],
    ['{}', 0o644, 'others may read or write it; run: chmod 600'],
  ])('tells of a file %j with mode %o, and goes on', async (text, mode, why) => {
    const { home } = aHome();
    own(home, 'x.json', text, mode);
    const { code, stdout, stderr } = await keyhold(['service', 'list'], { home });
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining(why) });
    expect(stdout).toContain('pogodoc');
  });

  test('does not follow a link', async () => {
    const { home } = aHome({ 'elsewhere.json': '{}' });
    own(home, 'y.json', '{}');
    symlinkSync(join(home, 'elsewhere.json'), join(home, 'config/services/x.json'));
    const { faults } = JSON.parse((await keyhold(['service', 'list', '--json'], { home })).stdout);
    expect(faults[0]).toMatchObject({ why: 'it is no plain file' });
  });
});

describe('keyhold service show', () => {
  test('says what is known, and where documents and program differ', async () => {
    const { home } = aHome();
    const { stdout } = await keyhold(['service', 'show', 'apkg'], { home });
    expect(stdout).toMatch(/^who wins +file, then environment$/m);
    expect(stdout.replace(/\n +/g, ' ')).toContain('really: the session file wins over APKG_TOKEN');
    expect(stdout).toContain('- no refresh: ');
    expect(widest(stdout)).toBeLessThanOrEqual(80);
    const { manifest } = JSON.parse((await keyhold(['service', 'show', 'apkg', '--json'], { home })).stdout);
    expect(new Ajv2020().compile(manifestSchema)(manifest)).toBe(true);
  });

  test.each([
    ['apkg', '- 403: the token', 'Next: make one with the scope that is needed'],
    ['podstack', '- 429: too many requests. Next: wait', '(exit 10)'],
    ['podstack', '- 401 "token expired": the token is past its expiry', '(exit 7)'],
    ['pogo', 'com.pogo-vcs.pogo, dev.frankmayer.pogo::{host}:{port}', 'one token for each'],
  ])('%s: lists causes and remedies, and the keyring item of its own program (K25, S31)', async (id, ...words) => {
    const { stdout } = await keyhold(['service', 'show', id], aHome());
    for (const one of words) expect(stdout.replace(/\n +/g, ' ')).toContain(one);
    expect(widest(stdout)).toBeLessThanOrEqual(80);
  });

  test('ends with 4 for a service that is not known, shown without steering the terminal', async () => {
    const { home } = aHome();
    const { code, stderr } = await keyhold(['service', 'show', 'x\u001b[31m\u202e'], { home });
    expect(code).toBe(4);
    expect(stderr).toMatch(/^keyhold: cannot find the service "x\\u\{1b\}\[31m\\u\{202e\}"; there are apkg, /);
    expect(JSON.parse((await keyhold(['service', 'show', '../../x', '--json'], { home })).stdout)).toMatchObject({
      error: { exitCode: 4 },
    });
  });
});

describe('keyhold service open', () => {
  const opener = (home: string) => {
    const folder = join(home, 'bin');
    mkdirSync(folder);
    writeFileSync(join(folder, 'xdg-open'), `#!/bin/sh\ncd '${home}' && printf '%s' "$*" > draft && mv draft opened\n`);
    chmodSync(join(folder, 'xdg-open'), 0o755);
    return folder;
  };
  const opened = async (home: string) => {
    for (let tries = 0; tries < 100 && !existsSync(join(home, 'opened')); tries++)
      await new Promise((later) => setTimeout(later, 20));
    return readFileSync(join(home, 'opened'), 'utf8');
  };

  test('prints the page where tokens are made, and opens nothing without a display', async () => {
    const { home } = aHome();
    const ended = await keyhold(['service', 'open', 'pogodoc'], { home, path: opener(home) });
    expect(ended).toEqual({ code: 0, stdout: 'https://app.pogodoc.com/api-tokens\n', stderr: '' });
    expect(existsSync(join(home, 'opened'))).toBe(false);
  });

  test('hands it to the desktop where there is a display', async () => {
    const { home } = aHome();
    const options = { home, path: opener(home), environment: { DISPLAY: ':7' } };
    const { stdout } = await keyhold(['service', 'open', 'pogodoc', '--page', 'docs', '--json'], options);
    expect(JSON.parse(stdout)).toEqual({
      service: 'pogodoc',
      page: 'docs',
      url: 'https://docs.pogodoc.com/docs/api-tokens',
      opened: true,
    });
    expect(await opened(home)).toBe('https://docs.pogodoc.com/docs/api-tokens');
  });

  test('still prints it where the opener fails, and with --no-input', async () => {
    const { home } = aHome();
    const failing = join(home, 'failing');
    mkdirSync(failing);
    writeFileSync(join(failing, 'xdg-open'), '#!/bin/sh\nexit 4\n', { mode: 0o755 });
    const options = { home, path: failing, environment: { DISPLAY: ':7' } };
    expect((await keyhold(['service', 'open', 'pogodoc'], options)).stdout).toMatch(/^https:/);
    const { stdout } = await keyhold(['service', 'open', 'pogodoc', '--no-input', '--json'], {
      home,
      path: opener(home),
      environment: { DISPLAY: ':7' },
    });
    expect(JSON.parse(stdout)).toMatchObject({ opened: false });
  });

  test('ends with 4 where no such page is known', async () => {
    const { home } = aHome();
    expect(await keyhold(['service', 'open', 'pogo', '--page', 'status'], { home })).toMatchObject({
      code: 4,
      stderr: 'keyhold: cannot open the page "status" of Pogo: none is known; known are: docs\n',
    });
  });
});

describe('keyhold service check', () => {
  test('says that a file or a service is well', async () => {
    const { home } = aHome({ 'work.yaml': work });
    expect(await keyhold(['service', 'check', 'work.yaml'], { home })).toEqual({
      code: 0,
      stdout: 'work.yaml: the manifest of GitLab at work is well.\n',
      stderr: '',
    });
    const { stdout } = await keyhold(['service', 'check', 'pangolin', '--json'], { home });
    expect(JSON.parse(stdout)).toMatchObject({ service: 'pangolin', slips: [] });
    expect(existsSync(join(home, 'config/services'))).toBe(false);
  });

  test('shows every mistake with its line, and ends with 2', async () => {
    const { home } = aHome({ 'bad.yaml': 'id: Bad\ntitle: Bad\nhost: x\n' });
    const { code, stdout } = await keyhold(['service', 'check', 'bad.yaml'], { home });
    expect(code).toBe(2);
    expect(stdout).toContain('bad.yaml:1:1 id must be a name of a-z, 0-9 and "-"\n');
    expect(stdout).toContain('bad.yaml:3:1 host is no field that is known here; do you mean "hosts"?\n');
    expect(stdout).toMatch(/\n6 mistakes\.\n$/);
    const json = JSON.parse((await keyhold(['service', 'check', 'bad.yaml', '--json'], { home })).stdout);
    expect(json.slips).toHaveLength(6);
  });

  test.each([
    ['nowhere.yaml', undefined, 4, 'there is no such file or service'],
    ['large.yaml', 'x'.repeat(70_000), 2, 'it is longer than 65536 bytes'],
    ['latin1.yaml', Buffer.from([0x61, 0x3a, 0x20, 0xe4]), 2, 'it is not UTF-8'],
  ])('%s is told as what it is', async (name, content, code, why) => {
    const { home } = aHome();
    if (content !== undefined) writeFileSync(join(home, name), content);
    expect(await keyhold(['service', 'check', name], { home })).toMatchObject({
      code,
      stderr: `keyhold: cannot read ${name}: ${why}\n`,
    });
  });

  test('a folder is no manifest, and neither is a pipe, which is not waited for', async () => {
    const { home } = aHome();
    expect(await keyhold(['service', 'check', '.'], { home })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no plain file'),
    });
    expect(await keyhold(['service', 'check', '/dev/stdin'], { home, input: work })).toMatchObject({ code: 2 });
  });
});

describe('keyhold service add', () => {
  test('keeps the compiled manifest for its owner alone, and says what it may do', async () => {
    const { home } = aHome({ 'work.yaml': work });
    const { code, stdout } = await keyhold(['service', 'add', 'work.yaml'], { home });
    const file = join(home, 'config/services/work.json');
    expect({ code, mode: statSync(file).mode & 0o777 }).toEqual({ code: 0, mode: 0o600 });
    expect(statSync(join(home, 'config/services')).mode & 0o777).toBe(0o700);
    expect(stdout).toMatch(/^its tokens may go to +gitlab\.work\.example, your own servers$/m);
    expect(stdout).toContain('GITLAB_TOKEN');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ id: 'work', title: 'GitLab at work' });
  });

  test('refuses an id that is taken, unless it may replace it', async () => {
    const { home } = aHome({ 'npm.yaml': 'id: npm\ntitle: Mine\nlike: npm\n', 'work.yaml': work });
    expect(await keyhold(['service', 'add', 'npm.yaml'], { home })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('the id "npm" is taken (it is built in); choose another, or give --replace'),
    });
    const { stdout } = await keyhold(['service', 'add', 'npm.yaml', '--replace', '--json'], { home });
    expect(JSON.parse(stdout)).toMatchObject({ service: 'npm', replaced: true });
    expect((await keyhold(['service', 'show', 'npm'], { home })).stdout).toMatch(/^title +Mine$/m);
    await keyhold(['service', 'add', 'work.yaml'], { home });
    expect((await keyhold(['service', 'add', 'work.yaml'], { home })).stderr).toContain('you have one already');
  });

  test('refuses a host that is another service’s, because neither would be found', async () => {
    const { home } = aHome({ 'a.yaml': work.replace('gitlab.work.example', 'github.com') });
    expect(await keyhold(['service', 'add', 'a.yaml'], { home })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("github's already"),
    });
    expect(existsSync(join(home, 'config/services/work.json'))).toBe(false);
  });

  test('adds nothing of a manifest with a mistake', async () => {
    const { home } = aHome({ 'bad.yaml': `${work}run: rm -rf\n` });
    const { code, stdout } = await keyhold(['service', 'add', 'bad.yaml'], { home });
    expect(code).toBe(2);
    expect(stdout).toContain('bad.yaml:5:1 run is no field that is known here');
    expect(existsSync(join(home, 'config/services'))).toBe(false);
  });

  test('says what went wrong when it cannot write', async () => {
    const { home } = aHome({ 'work.yaml': work });
    mkdirSync(join(home, 'config'), { mode: 0o700 });
    writeFileSync(join(home, 'config/services'), '');
    expect(await keyhold(['service', 'add', 'work.yaml'], { home })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot write '),
    });
  });
});
