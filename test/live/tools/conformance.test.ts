import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basic, type FakeServer, startServer } from '../../fakes/tools/http.ts';
import { aWiredPerson, type Wired } from './wired.ts';

const LOCKED = 'keyhold: the credentials are locked; run: keyhold unlock';
const EXPIRED = 'the credential is past its expiry';

type Heard = { readonly code: number; readonly stdout: string; readonly stderr: string };
/** A client that neither Debian nor npm has: what it would run by what setup wrote, and the header it would send. */
type Client = {
  /** The file that setup changes, and what is in it before. */
  readonly file: string;
  readonly text: string;
  /** Runs the helper for `url`, as the client's documents say. */
  ask(url: string): Promise<Heard>;
  /** The Authorization header in what it said, where there is one. */
  header(stdout: string, url: string): string | undefined;
  /** How it hears that there is none. */
  readonly miss: Heard;
};

describe('a client that cannot be had here, played by its documents, by what setup wrote', () => {
  let server: FakeServer;
  let person: Wired;

  beforeAll(async () => {
    [server, person] = await Promise.all([
      startServer('Basic realm="lab"', () => ({ status: 200, body: 'seven' })),
      aWiredPerson(),
    ]);
    server.accepted.add(basic('ada', 'lab-EXAMPLE'));
  });
  afterAll(async () => {
    await person[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const written = (file: string, line: RegExp) => {
    const [, value] = line.exec(readFileSync(join(person.home, file), 'utf8')) ?? [];
    expect(value).toBeDefined();
    return value!;
  };
  const run = (program: string, words: readonly string[], input = '') =>
    person.run(program, words, { input, expect: 'any' });

  const clients: Readonly<Record<string, Client>> = {
    bazel: {
      file: '.bazelrc',
      text: 'build --jobs=2',
      ask: (url) =>
        run(written('.bazelrc', /^common --credential_helper=(\S+)$/m), ['get'], JSON.stringify({ uri: url })),
      header: (stdout) => (JSON.parse(stdout) as { headers: { Authorization?: string[] } }).headers.Authorization?.[0],
      miss: { code: 0, stdout: '{"headers":{}}\n', stderr: '' },
    },
    go: {
      file: '.config/go/env',
      text: 'GOPRIVATE=h\n',
      // Its first run names no URL and must not be given everything; the second comes with what the server said.
      async ask(url) {
        const command = written('.config/go/env', /^GOAUTH=(\S+);netrc$/m);
        expect(await run(command, [])).toEqual({ code: 0, stdout: '', stderr: '' });
        return run(command, [url], 'HTTP/1.1 401 Unauthorized\nWww-Authenticate: Basic realm="lab"\n\n');
      },
      header(stdout, url) {
        const [, prefix = '', header] = /^(https:\/\/\S+)\n\nAuthorization: (.*)\n\n$/.exec(stdout) ?? [];
        return header !== undefined && url.startsWith(prefix) ? header : undefined;
      },
      miss: { code: 0, stdout: '', stderr: '' },
    },
    uv: {
      file: '.config/uv/uv.toml',
      text: '# mine\n',
      async ask(url) {
        expect(readFileSync(join(person.home, '.config/uv/uv.toml'), 'utf8')).toContain(
          'keyring-provider = "subprocess"',
        );
        return run(join(person.home, '.local/share/keyhold/path/uv/keyring'), ['get', url, '--mode', 'creds']);
      },
      header(stdout) {
        const [username, password] = stdout.trimEnd().split('\n');
        return password === undefined ? undefined : basic(username!, password);
      },
      miss: { code: 1, stdout: '', stderr: '' },
    },
  };

  it.each(Object.entries(clients))(
    '%s fetches, is told why where it cannot, and is left without a trace',
    async (name, client) => {
      const { file, text, ask, header, miss } = client;
      await person.run('mkdir', ['-p', join(person.home, file, '..')]);
      writeFileSync(join(person.home, file), text);
      const kept = { protocol: 'https', host: `${name}.invalid`, path: 'team', username: 'ada' };
      const [url, old] = [`https://${kept.host}/team`, `https://${kept.host}/old`];
      await person.keepPast({ ...kept, path: 'old', password: 'old-EXAMPLE' });
      await person.setup(name);

      expect(await ask(url)).toEqual(miss);
      await person.keep({ ...kept, password: 'lab-EXAMPLE' });
      const told = await ask(url);
      expect(told).toMatchObject({ code: 0, stderr: '' });
      const Authorization = header(told.stdout, url);
      const fetched = await fetch(server.url, { headers: { Authorization: Authorization ?? '' } });
      expect(await fetched.text()).toBe('seven');

      const locked = await person.whileLocked(() => ask(url));
      expect(locked).toMatchObject({ stdout: '', stderr: `${LOCKED}\n` });
      expect(locked.code).not.toBe(0);
      expect((await ask(old)).stderr).toContain(EXPIRED);

      const { before, after } = await person.undo(name);
      expect(after).toEqual(before);
    },
  );
});
