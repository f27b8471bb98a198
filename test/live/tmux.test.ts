import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ok, type ScriptedAgent, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { need } from '../need.ts';

const hasTmux = need('tmux', 'apt-get install tmux');
const MAIN = join(import.meta.dirname, '../../client/main.ts');
/** Milliseconds until something must have appeared on the screen. */
const DEADLINE = 20_000;

/** A shell in a terminal of its own, on a tmux server of its own. */
class Terminal {
  readonly #server = `keyhold-${randomBytes(6).toString('hex')}`;
  readonly #home: string;

  constructor({ home }: ScriptedAgent, columns = 100) {
    this.#home = home;
    const keyhold = `keyhold() { '${process.execPath}' '${MAIN}' "$@"; }\nPS1='ready> '\n`;
    writeFileSync(join(home, 'rc'), keyhold);
    this.#tmux(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-x',
      String(columns),
      '-y',
      '40',
      `bash --noprofile --rcfile '${home}/rc'`,
    );
  }

  type(text: string): void {
    this.#tmux('send-keys', '-l', '--', text);
  }

  press(key: string): void {
    this.#tmux('send-keys', key);
  }

  paste(text: string): void {
    this.#tmux('set-buffer', text);
    this.#tmux('paste-buffer');
  }

  /** Everything that was ever on the screen. */
  screen(): string {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-');
  }

  async until(pattern: RegExp): Promise<string> {
    for (const end = Date.now() + DEADLINE; ; ) {
      const screen = this.screen();
      if (pattern.test(screen)) return screen;
      if (Date.now() > end) throw new Error(`no ${pattern} on the screen:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  [Symbol.dispose](): void {
    this.#tmux('kill-server');
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#server, ...args], {
      cwd: this.#home,
      encoding: 'utf8',
      timeout: 10_000,
      env: {
        PATH: process.env['PATH'],
        TERM: 'xterm',
        LC_ALL: 'C.UTF-8',
        HOME: this.#home,
        KEYHOLD_HOME: this.#home,
        KEYHOLD_NO_AUTOSTART: '1',
        TMUX_TMPDIR: this.#home,
      },
    });
  }
}

const REMOVE = 'keyhold token remove --for https://git.example; echo "ended $?"';
const ASKED = /Remove the token ada for https:\/\/git\.example\? \[y\/N\] /;
const REPLACE = /Replace the token ada for https:\/\/git\.example, kept since 2026-01-01\? \[y\/N\] /;
const SET = 'keyhold token set --for https://git.example --username ada; echo "ended $?"';

describe.skipIf(!hasTmux)('keyhold in a terminal', () => {
  const item = { id: '1', protocol: 'https', host: 'git.example', username: 'ada', storedAt: 1767225600 };

  test('takes a token at a prompt that shows nothing of it, and lists it afterwards', async () => {
    let stored = false;
    await using agent = await startScriptedAgent({
      store: ok(),
      list: () => (stored ? ok([['item[]', item]]) : ok()),
    });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type(SET);
    terminal.press('Enter');
    await terminal.until(/The token for https:\/\/git\.example: /);
    terminal.type('tokenx');
    terminal.press('BSpace');
    terminal.type('-ünïcode-EXAMPLE');
    terminal.press('Enter');
    const screen = await terminal.until(/ended 0/);
    expect(screen).toContain('Stored a token for https://git.example, username ada.');
    expect(agent.asked.at(-1)!.attributes['password']).toBe('token-ünïcode-EXAMPLE');
    stored = true;

    terminal.type('keyhold token list; stty -a | tr " " "\\n" | grep -x echo');
    terminal.press('Enter');
    const list = await terminal.until(/https:\/\/git\.example +ada +20/);
    expect(list).not.toMatch(/EXAMPLE|token-|tokenx|\*/);
    // The terminal echoes again.
    await terminal.until(/^echo$/m);
  });

  test('a backup shows how far it is on standard error, and takes the bar back', async () => {
    let asked = 0;
    const more = Promise.withResolvers<void>();
    await using agent = await startScriptedAgent({
      backup: async () => {
        if (asked++ === 0)
          return ok([
            ['header', '{"keyhold":"backup","version":1,"count":4}'],
            ['record[]', 'b25l'],
            ['backup', 'b1'],
            ['left', '3'],
          ]);
        await more.promise;
        return ok([
          ['record[]', 'dHdv'],
          ['record[]', 'dGhyZWU'],
          ['record[]', 'Zm91cg'],
          ['left', '0'],
        ]);
      },
    });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type('echo pass-EXAMPLE | keyhold backup copy --stdin; echo "ended $?"');
    terminal.press('Enter');
    await terminal.until(/backup {2}\[######-{18}\] 25% {2}1 of 4/);
    more.resolve();
    const screen = await terminal.until(/ended 0/);
    expect(screen).not.toContain('[###');
    expect(screen).toContain('Wrote 4 sealed records');
    expect(readFileSync(join(agent.home, 'copy'), 'utf8').split('\n')).toHaveLength(6);
  });

  test('a migrate shows how far the agent is with it', async () => {
    const more = Promise.withResolvers<void>();
    await using agent = await startScriptedAgent({
      'backend-migrate': async () => {
        await more.promise;
        return ok([['carried', '100000']]);
      },
      progress: ok([
        ['state', 'open'],
        ['progress[]', { what: 'migrate', done: 34_000, total: 100_000 }],
      ]),
    });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type('keyhold backend migrate memory --yes; echo "ended $?"');
    terminal.press('Enter');
    await terminal.until(/migrate {2}\[########-{16}\] 34% {2}34,000 of 100,000/);
    more.resolve();
    expect(await terminal.until(/ended 0/)).not.toContain('[###');
  });

  test('--stdin at a terminal asks without showing, too', async () => {
    await using agent = await startScriptedAgent({ list: ok(), store: ok() });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type(SET.replace(';', ' --stdin;'));
    terminal.press('Enter');
    await terminal.until(/The token for https:\/\/git\.example: /);
    terminal.type('token-EXAMPLE');
    terminal.press('Enter');
    expect(await terminal.until(/ended 0/)).not.toContain('EXAMPLE');
    expect(agent.asked.at(-1)!.attributes['password']).toBe('token-EXAMPLE');
  });

  test('ctrl-C at the prompt stores nothing, ends with 130 and leaves the terminal as it was', async () => {
    await using agent = await startScriptedAgent({ list: ok(), store: ok() });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type(SET);
    terminal.press('Enter');
    await terminal.until(/The token for https:\/\/git\.example: /);
    terminal.type('half-a-token-EXAMPLE');
    terminal.press('C-c');
    const screen = await terminal.until(/ended 130/);
    expect(screen).toContain('interrupted; nothing was changed');
    expect(screen).not.toContain('half-a-token');
    terminal.type('echo visible-$((1+1))');
    terminal.press('Enter');
    await terminal.until(/^visible-2$/m);
    expect(terminal.screen()).toContain('echo visible-$((1+1))');
    expect(agent.asked.filter(({ action }) => action === 'store')).toEqual([]);
  });

  test.each([
    ['n Enter', 1, 0],
    ['Enter', 1, 0],
    ['C-c', 130, 0],
    ['y Enter', 0, 1],
  ])('replacing one asks when the new token is there: %s ends with %i and stores %i', async (keys, code, count) => {
    await using agent = await startScriptedAgent({ list: ok([['item[]', item]]), store: ok() });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type(SET);
    terminal.press('Enter');
    await terminal.until(/The token for https:\/\/git\.example: /);
    terminal.type('newer-EXAMPLE');
    terminal.press('Enter');
    await terminal.until(REPLACE);
    for (const key of keys.split(' ')) terminal.press(key);
    const screen = await terminal.until(new RegExp(`ended ${code}`));
    expect(screen).not.toContain('newer-EXAMPLE');
    expect(screen.includes('Updated the token for https://git.example, username ada.')).toBe(count > 0);
    expect(agent.asked.filter(({ action }) => action === 'store')).toHaveLength(count);
  });

  test('a token that is pasted twice out of habit does not answer "Replace?", and nothing of it reaches the shell', async () => {
    await using agent = await startScriptedAgent({ list: ok([['item[]', item]]), store: ok() });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type(SET);
    terminal.press('Enter');
    await terminal.until(/The token for https:\/\/git\.example: /);
    terminal.paste('y-newer-EXAMPLE\n');
    await terminal.until(REPLACE);
    terminal.paste('y-newer-EXAMPLE\necho stray-$((1+1))\n');
    await terminal.until(/nothing was changed\s+ended 1/);
    terminal.press('Enter');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(terminal.screen()).not.toContain('stray');
    expect(agent.asked.filter(({ action }) => action === 'store')).toEqual([]);
  });

  test('finds the server in the folder, refuses a token of another form without showing it, and takes the right one', async () => {
    await using agent = await startScriptedAgent({ list: ok(), store: ok() });
    writeFileSync(join(agent.home, '.pogo.yaml'), 'server: pogo.example:8080\n');
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    for (const [typed, end] of [
      ['wrong!EXAMPLE', /cannot take the token[\s\S]*base64[\s\S]*ended 2/],
      [
        'EXAMPLE/EXAMPLE+EXAMPLE+EXAMPw==',
        /Stored a token for pogo:\/\/pogo\.example:8080, label laptop\.[\s\S]*ended 0/,
      ],
    ] as const) {
      terminal.type('clear; keyhold token set --label laptop; echo "ended $?"');
      terminal.press('Enter');
      // Not of the run before, whose screen may not be cleared yet: what is typed by then is the shell's, which echoes it.
      await terminal.until(/^(?![\s\S]*ended)[\s\S]*The token for pogo:\/\/pogo\.example:8080: /);
      terminal.type(typed);
      terminal.press('Enter');
      expect(await terminal.until(end)).not.toContain('EXAMPLE');
    }
    expect(agent.asked.at(-1)).toMatchObject({ action: 'store', attributes: { label: 'laptop', service: 'pogo' } });
  });

  test('a paste of several lines is refused, and its rest does not reach the shell', async () => {
    await using agent = await startScriptedAgent({ list: ok(), store: ok() });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type(SET);
    terminal.press('Enter');
    await terminal.until(/The token for https:\/\/git\.example: /);
    terminal.paste('first-EXAMPLE\necho stray-$((1+1))\n');
    const screen = await terminal.until(/ended 2/);
    expect(screen).toContain('more than one line was pasted');
    terminal.press('Enter');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(terminal.screen()).not.toContain('stray');
    expect(agent.asked.filter(({ action }) => action === 'store')).toEqual([]);
  });

  test.each([
    ['another EXAMPLE', /the two differ; nothing was changed\s+ended 2/, 0],
    ['passphrase EXAMPLE', /ended 0/, 1],
  ])('a passphrase is asked for twice; then %j is typed', async (again, end, asked) => {
    await using agent = await startScriptedAgent({
      backup: ok([
        ['header', 'h'],
        ['record[]', 'r'],
      ]),
    });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type('keyhold backup out; echo "ended $?"');
    terminal.press('Enter');
    await terminal.until(/The passphrase: /);
    terminal.type('passphrase EXAMPLE');
    terminal.press('Enter');
    await terminal.until(/The passphrase again: /);
    terminal.type(again);
    terminal.press('Enter');
    expect(await terminal.until(end)).not.toContain('EXAMPLE');
    expect(agent.asked).toHaveLength(asked);
  });

  test('prose keeps to a narrow terminal, word by word', async () => {
    await using agent = await startScriptedAgent({
      status: ok([
        ['version', '0.0.1'],
        ['memory', 'hidden'],
      ]),
    });
    using terminal = new Terminal(agent, 44);
    await terminal.until(/ready> /);
    terminal.type('clear; keyhold status; echo "ended $?"');
    terminal.press('Enter');
    const screen = await terminal.until(/ended 0/);
    expect(screen).toContain('memory   hidden from swap, core dumps and\n         passive looks\n');
  });

  test.each([
    ['n Enter', 1, 0],
    ['C-c', 130, 0],
    ['C-d', 130, 0],
    ['y Enter', 0, 1],
    ['Y E S Enter', 0, 1],
    // Taken back, letter by letter, and answered anew.
    ['y BSpace n Enter', 1, 0],
  ])('removing asks first: %s ends with %i and erases %i', async (keys, code, count) => {
    await using agent = await startScriptedAgent({ list: ok([['item[]', item]]), erase: ok([['erased', '1']]) });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type(REMOVE);
    terminal.press('Enter');
    await terminal.until(ASKED);
    for (const key of keys.split(' ')) terminal.press(key);
    await terminal.until(new RegExp(`ended ${code}`));
    expect(agent.asked.filter(({ action }) => action === 'erase')).toHaveLength(count);
  });

  test.each([
    ['Enter', ['older none'], 'Kept the newer one that is here'],
    ['y Enter', ['older none', 'older 1'], 'Replaced here'],
  ])('restore lists what is newer here and asks: %s asks the agent %j', async (keys, asked, said) => {
    await using agent = await startScriptedAgent({
      restore: ({ attributes }) => {
        const outcome = attributes['older'] === '1' ? 'replaced' : 'kept';
        const differs = JSON.stringify({ ...item, storedAt: 1_000_000_000, heldAt: item.storedAt, outcome });
        return ok([
          ['restored', outcome === 'kept' ? '0' : '1'],
          ['own', '0'],
          ['differs[]', differs],
        ]);
      },
    });
    writeFileSync(join(agent.home, 'out'), '{"count":1}\nsealed\n');
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type('keyhold restore out; echo "ended $?"');
    terminal.press('Enter');
    await terminal.until(/The passphrase: /);
    terminal.type('passphrase EXAMPLE');
    terminal.press('Enter');
    const screen = await terminal.until(/Replace the newer token here by the older one of the backup\? \[y\/N\] /);
    expect(screen).toMatch(
      /ada for https:\/\/git\.example: the one here is of 2026-01-01[\s\S]*that of\s+the\s+backup of 2001-09-09/,
    );
    for (const key of keys.split(' ')) terminal.press(key);
    await terminal.until(/ended 0/);
    expect(terminal.screen()).toContain(said);
    expect(agent.asked.map(({ attributes }) => `older ${attributes['older'] ?? 'none'}`)).toEqual(asked);
  });

  test.each([
    ['Enter', 1, /not taken: another one is/, []],
    ['y Enter', 0, /imported/, [String(item.storedAt)]],
  ])('import asks before it replaces another token: %s ends with %i', async (keys, code, said, stores) => {
    let isTaken = false;
    await using agent = await startScriptedAgent({
      list: ok([['item[]', item]]),
      same: () => ok([['same', String(isTaken)]]),
      get: () => ({ status: 'not-found', message: 'none' }),
      store: () => {
        isTaken = true;
        return ok();
      },
    });
    writeFileSync(join(agent.home, '.git-credentials'), 'https://ada:in-the-file-EXAMPLE@git.example\n', {
      mode: 0o600,
    });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type('keyhold import --all; echo "ended $?"');
    terminal.press('Enter');
    const question =
      /Another token is held for ada at https:\/\/git\.example\. Replace it by the one in [^?]*\.git-credentials\? \[y\/N\] /;
    await terminal.until(new RegExp(question.source.replaceAll(' ', '\\s+')));
    for (const key of keys.split(' ')) terminal.press(key);
    expect(await terminal.until(new RegExp(`ended ${code}`))).toMatch(said);
    const asked = agent.asked.filter(({ action }) => action === 'store');
    expect(asked.map(({ attributes }) => attributes['if_stored_at'])).toEqual(stores);
  });

  test('auth switch asks which of three accounts acts, and writes the one that is chosen', async () => {
    const logins = ['ada', 'bob', 'eve'].map((username, at) => {
      const about = { made: 'login', service: 'github', account: username };
      return { ...item, id: `id-${at}`, host: 'github.com', username, storedAt: at + 1, ...about };
    });
    await using agent = await startScriptedAgent({
      list: ok(logins.map((one) => ['item[]', one])),
      'profile-reload': ok(),
    });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type('keyhold auth switch; echo "ended $?"');
    terminal.press('Enter');
    await terminal.until(/Which account shall act\?[\s\S]*ada[\s\S]*bob[\s\S]*eve[\s\S]*acts now/);
    terminal.press('Up');
    terminal.press('Enter');
    expect(await terminal.until(/ended 0/)).toContain('bob acts now.');
    const { profiles } = JSON.parse(readFileSync(join(agent.home, 'config/profiles.json'), 'utf8'));
    expect(profiles).toEqual({ default: { 'account.github.com': 'bob' } });
    expect(agent.asked.some(({ action }) => action === 'profile-reload')).toBe(true);
  });

  test.each(['keyhold status', 'y', 'yes'])('%j without Enter answers nothing', async (pasted) => {
    await using agent = await startScriptedAgent({ list: ok([['item[]', item]]), erase: ok([['erased', '1']]) });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type(REMOVE);
    terminal.press('Enter');
    await terminal.until(ASKED);
    terminal.paste(pasted);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(terminal.screen()).not.toMatch(/ended \d/);
    expect(agent.asked.filter(({ action }) => action === 'erase')).toEqual([]);
    terminal.press('C-u');
    terminal.press('Enter');
    await terminal.until(/nothing was changed\s+ended 1/);
  });

  test('a pasted command with its Enter is no yes', async () => {
    await using agent = await startScriptedAgent({ list: ok([['item[]', item]]), erase: ok([['erased', '1']]) });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    terminal.type(REMOVE);
    terminal.press('Enter');
    await terminal.until(ASKED);
    terminal.paste('keyhold status\n');
    await terminal.until(/nothing was changed\s+ended 1/);
    expect(agent.asked.filter(({ action }) => action === 'erase')).toEqual([]);
  });

  test.each([
    ['a confirmation', REMOVE, ASKED, 'n', /ended 1/],
    ['a hidden prompt', 'keyhold unlock; echo "ended $?"', /The passphrase: /, 'real EXAMPLE', /ended 0/],
  ])('what was typed before %s appears does not answer it', async (_, command, prompt, typed, end) => {
    await using agent = await startScriptedAgent({
      list: ok([['item[]', item]]),
      erase: ok([['erased', '1']]),
      status: ok([['backend', 'vault']]),
      unlock: ({ attributes }) =>
        attributes['passphrase'] === undefined
          ? { status: 'interaction-required', message: 'it needs the passphrase' }
          : ok(),
    });
    using terminal = new Terminal(agent);
    await terminal.until(/ready> /);
    // The shell reads the command's line; what stands behind it waits in the terminal.
    terminal.type(`sleep 1; ${command}`);
    terminal.press('Enter');
    terminal.type('y');
    terminal.press('Enter');
    terminal.type('ye');
    await terminal.until(prompt);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(terminal.screen()).not.toMatch(/ended \d/);
    terminal.type(typed);
    terminal.press('Enter');
    await terminal.until(end);
    expect(agent.asked.filter(({ action }) => action === 'erase')).toEqual([]);
    const passphrases = agent.asked.flatMap(({ attributes }) => attributes['passphrase'] ?? []);
    expect(passphrases).toEqual(typed === 'n' ? [] : [typed]);
  });
});
