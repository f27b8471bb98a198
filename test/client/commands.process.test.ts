import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Asked, ok, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { emptyHome, keyhold, MAIN, runProgram } from './keyhold.ts';

describe('keyhold lock and unlock', () => {
  test('lock says how to serve again', async () => {
    await using agent = await startScriptedAgent({ lock: ok() });
    expect(await keyhold(['lock'], agent)).toEqual({
      code: 0,
      stdout: 'Locked. To serve again: keyhold unlock\n',
      stderr: '',
    });
    expect((await keyhold(['lock', '--json'], agent)).stdout).toBe('{\n  "state": "locked"\n}\n');
  });

  test('unlock asks the agent first, and lets the desktop prompt unless --no-input was given', async () => {
    await using agent = await startScriptedAgent({ unlock: ok() });
    expect((await keyhold(['unlock'], agent)).stdout).toBe('Unlocked.\n');
    expect((await keyhold(['unlock', '--no-input'], agent)).code).toBe(0);
    expect(agent.asked.map(({ attributes }) => attributes)).toEqual([{}, { interactive: '0' }]);
  });

  test('unlock that needs a passphrase ends with 6 where nobody can be asked, and says what to pass', async () => {
    const message = 'the vault opens with its passphrase';
    await using agent = await startScriptedAgent({
      unlock: { status: 'interaction-required', message },
      status: ok([['backend', 'vault']]),
    });
    expect(await keyhold(['unlock'], agent)).toEqual({
      code: 6,
      stdout: '',
      stderr: 'keyhold: cannot ask for the passphrase: no person is there; pass --stdin or --fd N\n',
    });
  });

  test('unlock takes a dismissed prompt of the desktop for what it is', async () => {
    const message = 'cannot unlock: the prompt was dismissed';
    await using agent = await startScriptedAgent({
      unlock: { status: 'interaction-required', message },
      status: ok([['backend', 'keyring']]),
    });
    const { code, stderr } = await keyhold(['unlock'], agent);
    expect({ code, stderr }).toEqual({ code: 6, stderr: `keyhold: ${message}\n` });
  });

  test('unlock --stdin sends the passphrase, and tells a wrong one by exit code 5', async () => {
    const unlock = ({ attributes }: Asked) =>
      attributes['passphrase'] === 'passphrase EXAMPLE'
        ? ok()
        : ({ status: 'denied', message: 'cannot unlock: wrong passphrase' } as const);
    await using agent = await startScriptedAgent({ unlock });
    expect((await keyhold(['unlock', '--stdin'], { ...agent, input: 'passphrase EXAMPLE\n' })).code).toBe(0);
    expect((await keyhold(['unlock', '--stdin'], { ...agent, input: 'another EXAMPLE\n' })).code).toBe(5);
  });
});

describe('keyhold backend', () => {
  test('list shows which is used and which could be', async () => {
    const items = [
      { name: 'keyring', usable: false, what: 'no keyring answers', inUse: false },
      { name: 'vault', usable: true, what: 'encrypted file', inUse: true },
    ];
    await using agent = await startScriptedAgent({
      'backend-list': ok(items.map((item) => ['item[]', item] as const)),
    });
    const { stdout } = await keyhold(['backend', 'list'], agent);
    expect(stdout).toMatch(/^vault +yes +yes +encrypted file$/m);
    expect(JSON.parse((await keyhold(['backend', 'list', '--json'], agent)).stdout)).toEqual({ items });
  });

  test('use and migrate name the backend; an unknown one is refused here', async () => {
    await using agent = await startScriptedAgent({ 'backend-use': ok(), 'backend-migrate': ok([['carried', '12']]) });
    expect((await keyhold(['backend', 'use', 'memory'], agent)).code).toBe(0);
    expect((await keyhold(['backend', 'migrate', 'keyring'], agent)).code).toBe(6);
    expect((await keyhold(['backend', 'migrate', 'keyring', '--yes'], agent)).stdout).toContain('Carried 12 tokens');
    expect((await keyhold(['backend', 'use', 'cloud'], agent)).code).toBe(2);
    expect(agent.asked).toEqual([
      { action: 'backend-use', attributes: { name: 'memory' } },
      { action: 'backend-migrate', attributes: { name: 'keyring' } },
    ]);
  });

  test.each([
    [[], 'new EXAMPLE\n', { new_passphrase: 'new EXAMPLE' }],
    [[], 'old EXAMPLE\nnew EXAMPLE\n', { passphrase: 'old EXAMPLE', new_passphrase: 'new EXAMPLE' }],
  ])('passphrase %j takes its lines from standard input', async (options, input, attributes) => {
    await using agent = await startScriptedAgent({ 'backend-passphrase': ok() });
    const { code } = await keyhold(['backend', 'passphrase', '--stdin', ...options], { ...agent, input });
    expect(code).toBe(0);
    expect(agent.asked).toEqual([{ action: 'backend-passphrase', attributes }]);
  });

  test('passphrase --remove and --keyring ask for the one until now only where there is one', async () => {
    const message = 'cannot unlock the vault: it needs a passphrase; run: keyhold unlock';
    await using agent = await startScriptedAgent({
      'backend-passphrase': ({ attributes }) =>
        attributes['key'] === 'keyring' || attributes['passphrase'] === 'old EXAMPLE'
          ? ok()
          : { status: 'interaction-required', message },
    });
    const moved = await keyhold(['backend', 'passphrase', '--keyring', '--no-input'], agent);
    expect(moved).toMatchObject({ code: 0, stdout: "The vault's key rests in your keyring now.\n" });
    const removed = await keyhold(['backend', 'passphrase', '--remove', '--stdin'], {
      ...agent,
      input: 'old EXAMPLE\n',
    });
    expect(removed).toMatchObject({ code: 0, stdout: 'The key lies in a file beside the vault now.\n' });
    expect(agent.asked.map(({ attributes }) => attributes)).toEqual([
      { key: 'keyring' },
      { key: 'file' },
      { key: 'file', passphrase: 'old EXAMPLE' },
    ]);
  });

  test('passphrase says that the one until now is needed, where the agent was not given it', async () => {
    const message = 'cannot unlock the vault: it needs a passphrase; run: keyhold unlock';
    await using agent = await startScriptedAgent({ 'backend-passphrase': { status: 'interaction-required', message } });
    const { code, stderr } = await keyhold(['backend', 'passphrase', '--stdin'], { ...agent, input: 'new EXAMPLE\n' });
    expect(code).toBe(6);
    expect(stderr).toContain('the one until now is needed; give it on a line before the new one');
  });

  test('passphrase refuses a third line, and nobody to ask', async () => {
    await using agent = await startScriptedAgent();
    expect((await keyhold(['backend', 'passphrase', '--stdin'], { ...agent, input: 'a\nb\nc\n' })).code).toBe(2);
    expect((await keyhold(['backend', 'passphrase'], agent)).code).toBe(6);
    expect(agent.asked).toEqual([]);
  });
});

describe('keyhold backup and restore', () => {
  const records = Array.from({ length: 2_000 }, (_, at) => `sealed-record-${at}`);
  const header = '{"keyhold":"backup","count":2000}';
  const backup = ok([['header', header], ...records.map((record) => ['record[]', record] as const)]);

  test('a backup is written whole, for its owner only, and never over a file that is there', async () => {
    await using agent = await startScriptedAgent({ backup });
    const run = (...options: string[]) =>
      keyhold(['backup', 'tokens.keyhold', '--stdin', ...options], { ...agent, input: 'passphrase EXAMPLE\n' });
    const file = join(agent.home, 'tokens.keyhold');
    expect((await run()).stdout).toContain('Wrote 2000 sealed records');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toBe(`${header}\n${records.join('\n')}\n`);
    expect(agent.asked[0]!.attributes).toEqual({ passphrase: 'passphrase EXAMPLE', paged: '1' });

    writeFileSync(file, 'precious');
    expect((await run()).code).toBe(6);
    expect(readFileSync(file, 'utf8')).toBe('precious');
    expect((await run('--yes')).code).toBe(0);
    expect(readdirSync(agent.home).sort()).toEqual(['run', 'tokens.keyhold']);
  });

  test('a folder or file that is not there is said in words', async () => {
    await using agent = await startScriptedAgent({ backup });
    const options = { ...agent, input: 'passphrase EXAMPLE\n' };
    const none = 'there is no such file or folder\n';
    const written = await keyhold(['backup', 'no/tokens.keyhold', '--stdin'], options);
    expect(written).toEqual({ code: 1, stdout: '', stderr: `keyhold: cannot write no/tokens.keyhold: ${none}` });
    const read = await keyhold(['restore', 'no/tokens.keyhold', '--stdin'], options);
    expect(read).toEqual({ code: 1, stdout: '', stderr: `keyhold: cannot read no/tokens.keyhold: ${none}` });
  });

  test('a restore sends everything in batches that the wire can carry', async () => {
    const restore = ({ attributes }: Asked) => ok([['restored', String((attributes['record[]'] as string[]).length)]]);
    await using agent = await startScriptedAgent({ restore });
    writeFileSync(join(agent.home, 'tokens.keyhold'), `${header}\n${records.join('\n')}\n`);
    const { code, stdout } = await keyhold(['restore', 'tokens.keyhold', '--stdin'], { ...agent, input: 'p EXAMPLE' });
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Restored 2000 of 2000 records.\n' });
    expect(agent.asked.map(({ attributes }) => (attributes['record[]'] as string[]).length)).toEqual([900, 900, 200]);
    expect(agent.asked.flatMap(({ attributes }) => attributes['record[]'])).toEqual(records);
    expect(agent.asked[0]!.attributes).toMatchObject({ passphrase: 'p EXAMPLE', header });
  });

  test.each([
    ['whose end is missing', '{"count":1}\nsealed', 'its end is missing'],
    ['that is empty', '', 'its end is missing'],
    ['with an empty line', '{"count":2}\n\nsealed\n', 'it has a line that is none of a backup'],
    ['that lacks records', '{"count":3}\nsealed\n', '2 of its records are missing'],
    ['that is something else', 'a letter\nto somebody\n', 'it has no proper header'],
  ])('a file %s is refused before the passphrase is asked for', async (_, text, rule) => {
    await using agent = await startScriptedAgent();
    writeFileSync(join(agent.home, 'tokens.keyhold'), text);
    const { code, stderr } = await keyhold(['restore', 'tokens.keyhold'], agent);
    expect({ code, stderr }).toEqual({ code: 2, stderr: `keyhold: cannot restore tokens.keyhold: ${rule}\n` });
    expect(agent.asked).toEqual([]);
  });

  test('a restore that fails half way says how far it came', async () => {
    let calls = 0;
    const restore = () =>
      ++calls === 1 ? ok([['restored', '900']]) : ({ status: 'unavailable', message: 'full' } as const);
    await using agent = await startScriptedAgent({ restore });
    writeFileSync(join(agent.home, 'tokens.keyhold'), `${header}\n${records.join('\n')}\n`);
    const { code, stderr } = await keyhold(['restore', 'tokens.keyhold', '--stdin'], { ...agent, input: 'p EXAMPLE' });
    expect({ code, stderr }).toEqual({
      code: 10,
      stderr: 'keyhold: full; 900 were restored, and it may be run again\n',
    });
  });
});

describe('keyhold config', () => {
  test('sets, gets and lists, in a file for its owner only', async () => {
    const home = emptyHome();
    expect((await keyhold(['config', 'get', 'lease.max'], { home })).stdout).toBe('24h\n');
    expect((await keyhold(['config', 'set', 'lease.idle', '90m'], { home })).stdout).toContain('lease.idle is 90m');
    expect((await keyhold(['config', 'set', 'backend', 'vault'], { home })).code).toBe(0);
    const file = join(home, 'config/config.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ lease: { idle: 5400 }, backend: 'vault' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, 'config')).mode & 0o777).toBe(0o700);
    expect((await keyhold(['config', 'get', 'lease.idle', '--json'], { home })).stdout).toBe(
      '{\n  "lease.idle": 5400\n}\n',
    );
    const { stdout } = await keyhold(['config', 'list'], { home });
    expect(stdout).toMatch(/^backend +vault +set +where tokens rest$/m);
    expect(stdout).toMatch(/^log\.level +info +default/m);
  });

  test.each([
    ['lease.idle', 'soon'],
    ['lease.idle', '5s'],
    ['lease.max', '400d'],
    ['lease.max', '1'],
    ['backend', 'cloud'],
    ['log.level', 'loud'],
    ['lease.idle', '48h'],
    ['__proto__', 'x'],
    ['lease', '1h'],
  ])('refuses %s = %s and writes nothing', async (name, value) => {
    const home = emptyHome();
    const { code } = await keyhold(['config', 'set', name, value], { home });
    expect(code).toBe(2);
    expect(existsSync(join(home, 'config/config.json'))).toBe(false);
  });

  test('takes a setting out again, and leaves what it does not know', async () => {
    const home = emptyHome();
    const file = join(home, 'config/config.json');
    mkdirSync(join(home, 'config'), { mode: 0o700 });
    writeFileSync(file, JSON.stringify({ later: 1, lease: { idle: 5400, later: 2 }, log: { level: 'debug' } }));
    const run = await keyhold(['config', 'unset', 'log.level', '--json'], { home });
    expect(JSON.parse(run.stdout)).toEqual({ 'log.level': 'info' });
    expect((await keyhold(['config', 'unset', 'lease.idle'], { home })).stdout).toContain('the default');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ later: 1, lease: { later: 2 } });
  });

  test('a value that cannot be used is named with the command that takes it out, and nothing is cleared', async () => {
    const home = emptyHome();
    const file = join(home, 'config/config.json');
    mkdirSync(join(home, 'config'), { mode: 0o700 });
    const text = JSON.stringify({ lease: { idle: 'soon' }, backend: 'vault' });
    writeFileSync(file, text);
    for (const words of [['list'], ['get', 'backend'], ['set', 'backend', 'keyring']]) {
      const { code, stderr } = await keyhold(['config', ...words], { home });
      expect({ words, code }).toEqual({ words, code: 2 });
      expect(stderr).toContain(
        `it is a time from 1m to 30d, such as 8h or 30m (${file}); run: keyhold config unset lease.idle`,
      );
    }
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect((await keyhold(['config', 'unset', 'lease.idle'], { home })).code).toBe(0);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ backend: 'vault' });
  });

  test('a file that is not JSON is named and left alone', async () => {
    const home = emptyHome();
    mkdirSync(join(home, 'config'), { mode: 0o700 });
    writeFileSync(join(home, 'config/config.json'), '{ broken-EXAMPLE');
    const { code, stderr } = await keyhold(['config', 'set', 'backend', 'vault'], { home });
    expect(code).toBe(1);
    expect(stderr).toContain('it is not JSON; mend or remove it');
    expect(stderr).not.toContain('broken-EXAMPLE');
    expect(readFileSync(join(home, 'config/config.json'), 'utf8')).toBe('{ broken-EXAMPLE');
  });
});

describe('keyhold doctor', () => {
  const facts = [
    ['version', '9.9.9'],
    ['state', 'locked'],
    ['backend', 'vault'],
    ['held', '1'],
  ] as const;
  const degraded = {
    code: 'key-beside-vault',
    what: 'the key lies beside the vault',
    remedy: 'run: keyhold backend passphrase',
  };

  test('finds what needs mending and ends with 1', async () => {
    await using agent = await startScriptedAgent({ status: ok([...facts, ['degraded[]', degraded]]) });
    chmodSync(agent.socket, 0o666);
    writeFileSync(
      join(agent.home, '.gitconfig'),
      '[credential]\n\thelper = keyhold\n\thelper = "!f() { echo password=hidden-EXAMPLE; }; f"\n',
    );
    const { code, stdout } = await keyhold(['doctor'], agent);
    expect(code).toBe(1);
    expect(stdout).toContain('chmod 600');
    expect(stdout).toContain('run: keyhold unlock');
    expect(stdout).toContain('key-beside-vault: the key lies beside the vault');
    expect(stdout).toContain('the agent is 9.9.9');
    expect(stdout).toContain('git also gives your tokens to a shell command');
    expect(stdout).not.toContain('hidden-EXAMPLE');
    const { findings, healthy } = JSON.parse((await keyhold(['doctor', '--json'], agent)).stdout);
    expect(healthy).toBe(false);
    expect(findings).toContainEqual({
      check: degraded.code,
      state: 'mend',
      what: degraded.what,
      remedy: degraded.remedy,
    });
  });

  test('takes helpers for one URL for cleared where git does', async () => {
    await using agent = await startScriptedAgent({ status: ok([...facts]) });
    const scoped = '[credential "https://git.example"]\n\thelper = other\n';
    const ours = '[credential]\n\thelper =\n\thelper = keyhold\n';
    writeFileSync(join(agent.home, '.gitconfig'), `${scoped}${ours}`);
    expect((await keyhold(['doctor'], agent)).stdout).toContain('git asks keyhold and nobody else');
    writeFileSync(join(agent.home, '.gitconfig'), `${ours}${scoped}`);
    expect((await keyhold(['doctor'], agent)).stdout).toContain('gives your tokens to other for https://git.example');
  });

  test('starts no agent, and says that none is running', async () => {
    const { code, stdout } = await keyhold(['doctor'], { home: emptyHome() });
    expect(code).toBe(1);
    expect(stdout).toContain('agent: cannot reach the agent: none is running\n      run: keyhold start');
  });

  test('names a folder that others may enter', async () => {
    await using agent = await startScriptedAgent({ status: ok(facts) });
    chmodSync(join(agent.home, 'run'), 0o755);
    const { stdout } = await keyhold(['doctor'], agent);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(`run: chmod 700 ${agent.home}/run`);
  });
});

describe('keyhold help', () => {
  test.each(['start', 'git', 'login', 'backends', 'locking', 'scripts', 'wire', 'exit-codes'])(
    'has the topic %s',
    async (topic) => {
      const { code, stdout } = await keyhold(['help', topic], { home: emptyHome() });
      expect(code).toBe(0);
      expect(stdout.length).toBeGreaterThan(200);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    },
  );

  test('lists commands and topics, and shows the help of a command', async () => {
    const home = emptyHome();
    const all = await keyhold(['help'], { home });
    expect(all.stdout).toContain('Topics (keyhold help TOPIC):');
    expect(all.stdout).toContain('token');
    expect((await keyhold(['help', 'token', 'set'], { home })).stdout).toContain('--for <url>');
    expect((await keyhold(['help', 'nonsense'], { home })).code).toBe(2);
  });

  test.each([[[]], [['token']], [['nonsense']], [['status', '--nonsense=value-EXAMPLE']]])(
    '%j is a usage error, which repeats no value',
    async (args) => {
      const { code, stderr } = await keyhold(args, { home: emptyHome() });
      expect(code).toBe(2);
      expect(stderr).not.toContain('EXAMPLE');
    },
  );
});

describe('keyhold get', () => {
  test('speaks the line protocol of keyhold-helper', async () => {
    await using agent = await startScriptedAgent({
      get: { status: 'not-found', message: 'cannot get: nothing is held' },
    });
    const { code, stdout } = await keyhold(['get'], { ...agent, input: 'protocol=https\nhost=git.example\n\n' });
    expect({ code, stdout }).toEqual({ code: 4, stdout: 'status=not-found\nmessage=cannot get: nothing is held\n' });
  });
});

describe('a mistake', () => {
  test.each([
    [['statsu'], "unknown command 'statsu'; did you mean status?\n(more: keyhold help)"],
    [['frob'], "unknown command 'frob'\n(more: keyhold help)"],
    [['token', 'frob'], "unknown command 'frob'\n(more: keyhold help token)"],
    [['token', 'explain'], "required option '--for <url>' not specified\n(more: keyhold help token explain)"],
    [['backend', 'use', 'cloud'], 'name is one of keyring, vault, memory\n(more: keyhold help backend use)'],
    [
      ['logs', '-n', 'x'],
      "option '-n, --lines <number>' is invalid: It is a number of lines\n(more: keyhold help logs)",
    ],
  ])('%j is answered by what was wrong and where to read more', async (args, text) => {
    expect(await keyhold(args, { home: emptyHome() })).toEqual({ code: 2, stdout: '', stderr: `keyhold: ${text}\n` });
  });

  test.skipIf(!existsSync('/dev/full'))('of the disk is one of the command: what was not written is said', async () => {
    const script = 'exec "$0" "$1" help exit-codes > /dev/full';
    const { code, stderr } = await runProgram('sh', ['-c', script, process.execPath, MAIN], { home: emptyHome() });
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'keyhold: cannot write to standard output: ENOSPC\n' });
  });
});

describe('the socket folder', () => {
  test('is not trusted if others may enter it, or if it is a link', async () => {
    await using agent = await startScriptedAgent({ status: ok() });
    chmodSync(join(agent.home, 'run'), 0o750);
    const open = await keyhold(['status'], agent);
    expect(open.code).toBe(5);
    expect(open.stderr).toContain('others may enter it; run: chmod 700');
    chmodSync(join(agent.home, 'run'), 0o700);

    const other = emptyHome();
    symlinkSync(join(agent.home, 'run'), join(other, 'link'));
    const linked = await keyhold(['status'], {
      home: other,
      environment: { KEYHOLD_SOCKET: join(other, 'link/agent.sock') },
    });
    expect(linked.code).toBe(5);
    expect(linked.stderr).toContain('it is a symbolic link');
    expect(agent.asked).toEqual([]);
  });

  test('is not to be closed if the person has named it, for it may be a folder of everybody', async () => {
    const home = emptyHome();
    mkdirSync(join(home, 'shared'));
    chmodSync(join(home, 'shared'), 0o1777);
    const environment = { KEYHOLD_SOCKET: join(home, 'shared/agent.sock') };
    const { code, stderr } = await keyhold(['status'], { home, environment });
    expect(code).toBe(5);
    expect(stderr).toContain('others may enter it; set KEYHOLD_SOCKET to a socket in a folder that is yours alone');
    expect(stderr).not.toContain('chmod');
  });

  test('may be no longer than a socket address', async () => {
    const home = emptyHome();
    const socket = `${home}/${'long/'.repeat(30)}agent.sock`;
    const { code, stderr } = await keyhold(['status'], { home, environment: { KEYHOLD_SOCKET: socket } });
    expect(code).toBe(2);
    expect(stderr).toContain('its path is longer than 107 bytes');
  });
});
