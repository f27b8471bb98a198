import { describe, expect, it } from 'vitest';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { CredentialReply, Handler } from '../../../protocol/handler.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { type Status, statuses } from '../../../protocol/status.ts';
import { readFrames } from '../../transcripts/play.ts';
import { converse } from '../converse.ts';

/** How each helper is asked for what is kept for `https://h`, and what it says when that is missing. */
type Helper = {
  readonly call: string;
  readonly words: readonly string[];
  readonly input?: string;
  readonly environment?: string;
  readonly miss: { readonly stdout: string; readonly exitCode: number; readonly stderr?: string };
};

const request = '{"v":1,"registry":{"index-url":"sparse+https://h/"},"kind":"get","operation":"read"}\n';
const helpers: Readonly<Record<string, Helper>> = {
  cargo: {
    call: 'cargo-credential-keyhold',
    words: ['--cargo-plugin'],
    input: request,
    miss: { stdout: '{"v":[1]}\n{"Err":{"kind":"not-found"}}\n', exitCode: 0 },
  },
  'keyring, plain': { call: 'keyring', words: ['get', 'https://h', 'ada'], miss: { stdout: '', exitCode: 1 } },
  'keyring, creds': {
    call: 'keyring',
    words: ['--mode=creds', '--output=json', 'get', 'https://h'],
    miss: { stdout: '', exitCode: 1 },
  },
  askpass: {
    call: 'keyhold-askpass',
    words: ["Password for 'https://ada@h': "],
    miss: { stdout: '', exitCode: 1 },
  },
  bazel: {
    call: 'bazel-credential-keyhold',
    words: ['get'],
    input: '{"uri":"https://h"}',
    miss: { stdout: '{"headers":{}}\n', exitCode: 0 },
  },
  docker: {
    call: 'docker-credential-keyhold',
    words: ['get'],
    input: 'h',
    miss: { stdout: 'credentials not found in native keychain\n', exitCode: 1 },
  },
  terraform: {
    call: 'terraform-credentials-keyhold',
    words: ['get', 'h'],
    miss: { stdout: '{}\n', exitCode: 0 },
  },
  pnpm: { call: 'keyhold-npm@h', words: [], miss: { stdout: '', exitCode: 1, stderr: 'keyhold: there is none\n' } },
  kubectl: {
    call: 'keyhold-kubectl',
    words: ['get', 'https://h'],
    environment: 'KUBERNETES_EXEC_INFO={"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1"}',
    miss: { stdout: '', exitCode: 4, stderr: 'keyhold: there is none\n' },
  },
  aws: {
    call: 'keyhold-aws',
    words: ['get', 'https://h'],
    miss: { stdout: '', exitCode: 4, stderr: 'keyhold: there is none\n' },
  },
  goauth: { call: 'goauth-keyhold', words: ['https://h'], miss: { stdout: '', exitCode: 0 } },
};

/** What a new token mends: cargo login asks before it stores, and must not end there. */
const misses: Readonly<Record<string, readonly Status[]>> = { cargo: ['expired', 'revoked'] };

async function ask({ call, words, input = '', environment }: Helper, handler: Handler) {
  const lines = ['action=run', `name=${call}`, ...words.map((word) => `argument[]=${word}`)];
  if (environment !== undefined) lines.push(`env[]=${environment}`);
  const pieces = input.match(/.{1,60000}/gs) ?? [];
  const frames = `${pieces.map((piece) => `i${Buffer.byteLength(piece)}\n${piece}`).join('')}i0\n`;
  const answered = await converse([Buffer.from(`${lines.join('\n')}\n\n${frames}`)], handler);
  const { stdout, stderr, exitCode } = readFrames(answered);
  return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode };
}

describe.each(Object.entries(helpers))('%s', (name, helper) => {
  const trouble = (Object.keys(statuses) as Status[]).filter((status) => status !== 'ok' && status !== 'not-found');

  it('tells a plain miss in its own words, and nothing beside', async () => {
    const told = await ask(helper, async () => ({ status: 'not-found', message: 'there is none' }));
    expect(told).toEqual({ stderr: '', ...helper.miss });
  });

  it.each(trouble)('never tells %s as a plain miss', async (status) => {
    const reply = { status, message: `why it is ${status}` } as CredentialReply;
    const told = await ask(helper, async () => reply);
    expect(`${told.stdout}${told.stderr}`).toContain(`why it is ${status}`);
    // Its clients go on as nobody at that text.
    if (name === 'docker') expect(told.stdout).not.toBe(helper.miss.stdout);
    if (misses[name]?.includes(status)) expect(told).toMatchObject(helper.miss);
    else
      expect({ stdout: told.stdout, exitCode: told.exitCode }).not.toEqual(
        helper.miss.exitCode === 0 ? helper.miss : {},
      );
  });

  it('never tells a keyring that hangs as a plain miss', async () => {
    const told = await ask(helper, async () => {
      throw new KeyholdError('backend_hung', 'the keyring did not answer in time; run: keyhold doctor');
    });
    expect(`${told.stdout}${told.stderr}`).toContain('the keyring did not answer in time');
    if (helper.miss.exitCode === 0) expect({ stdout: told.stdout, exitCode: told.exitCode }).not.toEqual(helper.miss);
  });

  it.each(['a\r\nX-Evil: 1', 'a\u0000b', 'a\u007f', 'a\u001b[31m'])('gives no byte of %j', async (text) => {
    const told = await ask(helper, async () => ({
      status: 'ok',
      credential: { protocol: 'https', host: 'h', username: 'ada', secret: secretFromText(text) },
    }));
    expect(told.stdout).not.toContain('X-Evil');
    expect(told.stdout.replaceAll('\n', '')).not.toMatch(/[^\x20-\x7e]/);
    expect(`${told.stdout}${told.stderr}`).toContain('control byte');
    expect(Buffer.from(told.stdout, 'utf8').toString('base64')).not.toContain(Buffer.from(text).toString('base64'));
  });

  it('gives no byte of a username that would begin another line', async () => {
    const told = await ask(helper, async () => ({
      status: 'ok',
      credential: { protocol: 'https', host: 'h', username: 'ada\nX-Evil: 1', secret: secretFromText('s-EXAMPLE') },
    }));
    expect(told.stdout).not.toMatch(/X-Evil|EXAMPLE/);
    expect(`${told.stdout}${told.stderr}`).toContain('control byte');
  });
});

describe('cargo', () => {
  const ok: Handler = async () => ({
    status: 'ok',
    credential: { protocol: 'https', host: 'h', secret: secretFromText('cio-EXAMPLE') },
  });

  it('looks at no header of a server, however many there are', async () => {
    const headers = Array.from({ length: 10_000 }, (_, number) => `X-${number}: \\r\\n"`.replace('"', '\\"'));
    const input = request.replace(
      '"registry":{',
      `"registry":{"headers":[${headers.map((one) => `"${one}"`).join()}],`,
    );
    const { stdout } = await ask({ ...helpers['cargo']!, input: `${input}` }, ok);
    expect(stdout).toContain('"token":"cio-EXAMPLE"');
    expect(stdout).not.toContain('X-1');
  });

  it('refuses a token that JSON cannot hold', async () => {
    const secret = heapSecret(Buffer.from([0x61, 0xff, 0x62]));
    const { stdout } = await ask(helpers['cargo']!, async () => ({
      status: 'ok',
      credential: { protocol: 'https', host: 'h', secret },
    }));
    expect(stdout).toContain('"kind":"other"');
    expect(stdout).not.toContain('token');
  });
});
