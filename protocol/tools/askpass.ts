import type { Target } from '../credential.ts';
import type { Handler } from '../handler.ts';
import { REPOSITORY_VARIABLES } from '../repository.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { askForHost } from './ask.ts';
import { targetOfUrl } from './url.ts';

const FAILED = 1;
/** ssh cuts an answer here (OpenSSH, readpass.c), and half a passphrase is another one. */
const SSH_ANSWER_MAX = 1_023;
/** ssh cuts a path in its prompt here, and half a path is another one. */
const PATH_CUT = 100;
/** Names the key that a prompt is about which does not say so itself (ssh-keygen's before OpenSSH 9.8). */
const KEY_VARIABLE = 'KEYHOLD_ASKPASS_KEY';

type Question = { readonly target: Target; readonly wants: 'username' | 'secret'; readonly max?: number };

/**
 * The program behind GIT_ASKPASS and SSH_ASKPASS: one argument, the prompt, is all it is told. It answers the few
 * prompts that it knows by every letter, with what they ask for and nothing else. A question about a host's key, a new
 * passphrase, and one asked again after a wrong answer get no answer: then the tool asks the person.
 */
export const askpass: Adapter = {
  name: 'askpass',
  programs: ['keyhold-askpass'],
  specification: 'gitcredentials(7), REQUESTING CREDENTIALS; ssh(1), SSH_ASKPASS',
  environment: ['SSH_ASKPASS_PROMPT', KEY_VARIABLE],
  folders: REPOSITORY_VARIABLES,
  asks: { authtype: false, wholeHost: true },
  input: { '*': 'none' },
  unavailable: { '*': { stdout: '', explain: true, exitCode: FAILED } },
  probe: { get: [{ arguments: ["Password for 'https://ada@h': "], miss: { stdout: '', exitCode: FAILED } }] },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const [prompt, ...more] = invocation.arguments;
    // `confirm` and `none` ask for a yes, which is not ours to give.
    if (prompt === undefined || more.length > 0 || invocation.environment.get('SSH_ASKPASS_PROMPT')) return FAILED;
    const question = gitQuestion(prompt) ?? sshQuestion(prompt, invocation);
    if (!question) return FAILED;
    const reply = await askForHost(handler, { target: question.target });
    if (reply.status !== 'ok') {
      if (reply.status !== 'not-found') invocation.warn(reply.message);
      return FAILED;
    }
    const { username, secret } = reply.credential!;
    if (question.wants === 'username') {
      if (!username) return FAILED;
      invocation.output.text(`${username}\n`);
      return 0;
    }
    if (!secret || secret.length === 0) return FAILED;
    if (question.max !== undefined && secret.length > question.max) {
      invocation.warn(`cannot answer: ssh takes no more than ${question.max} bytes`);
      return FAILED;
    }
    invocation.output.secret(secret);
    invocation.output.text('\n');
    return 0;
  },
};

/** `Username for 'https://host': ` and `Password for 'https://user@host': `. */
function gitQuestion(prompt: string): Question | undefined {
  const [, what, url] = /^(Username|Password) for '([^']+)': $/.exec(prompt) ?? [];
  const parts = url === undefined ? undefined : targetOfUrl(url);
  if (!parts) return undefined;
  const [path, username] = [decodePercent(parts.path), decodePercent(parts.username)];
  return { target: { ...parts, path, username }, wants: what === 'Username' ? 'username' : 'secret' };
}

/** git from 2.47.2 on writes so what could steer a terminal. */
function decodePercent(text: string | undefined): string | undefined {
  return text?.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

const KEY_PROMPTS = [
  /^Enter passphrase for key '(.+)': $/,
  /^Enter passphrase for "(.+)": $/,
  /^Enter passphrase for ([^'"].*?)(?: \(will confirm each use\))?: $/,
];
const NAMELESS_PROMPT = /^Enter (?:old )?passphrase: $/;
const LOGIN_PROMPT = /^([^@' ]+)@([^@' ]+)'s password: $/;

/** A passphrase of a key, kept for `ssh-key://localhost/PATH`; or a password of a login, kept for `ssh://HOST`. */
function sshQuestion(prompt: string, { environment, cwd }: Invocation): Question | undefined {
  const [, username, host] = LOGIN_PROMPT.exec(prompt) ?? [];
  if (host !== undefined) {
    const target = targetOfUrl(`ssh://${host}`);
    return target && { target: { ...target, username }, wants: 'secret', max: SSH_ANSWER_MAX };
  }
  const named = KEY_PROMPTS.map((pattern) => pattern.exec(prompt)?.[1]).find((path) => path !== undefined);
  const path = NAMELESS_PROMPT.test(prompt) ? environment.get(KEY_VARIABLE) : named;
  if (path === undefined || (path === named && path.length >= PATH_CUT)) return undefined;
  const absolute = path.startsWith('/') ? path : `${cwd}/${path.replace(/^(\.\/)+/, '')}`;
  if (!/^\/[^/]/.test(absolute)) return undefined;
  const target = { protocol: 'ssh-key', host: 'localhost', path: absolute.slice(1) };
  return { target, wants: 'secret', max: SSH_ANSWER_MAX };
}
