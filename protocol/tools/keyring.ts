import type { Credential, Target } from '../credential.ts';
import type { CredentialReply, Handler } from '../handler.ts';
import { SECRET_MAX } from '../limits.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { ask, askForHost } from './ask.ts';
import { writeJsonSecret, writeJsonText } from './json.ts';
import { targetOfUrl } from './url.ts';

const LF = 0x0a;
const FAILED = 1;
const USAGE = 2;
/** Whom a token without a username belongs to, where a tool needs one: what Python's indexes take (PyPI, warehouse). */
const TOKEN_USER = '__token__';

type Call = {
  readonly operation: 'get' | 'set' | 'del';
  readonly service: string;
  readonly username: string | undefined;
  readonly mode: 'password' | 'creds';
  readonly output: 'plain' | 'json';
};

/**
 * The command line of Python's keyring, as pip, uv and others run it (`keyring get SERVICE USERNAME`, and from 25.2.1
 * on `keyring --mode=creds --output=json get SERVICE`). Its name is somebody else's, so it stands apart: no folder of
 * ours on PATH holds it unless the person asks for that.
 */
export const keyring: Adapter = {
  name: 'keyring',
  programs: ['keyring'],
  apart: true,
  specification: 'https://keyring.readthedocs.io/en/latest/#command-line-utility',
  environment: [],
  asks: { authtype: false, wholeHost: true },
  input: { '*': 'none', set: 'whole' },
  unavailable: { '*': { stdout: '', explain: true, exitCode: FAILED } },
  probe: {
    get: [
      { arguments: ['get', 'https://h', 'ada'], miss: { stdout: '', exitCode: FAILED } },
      { arguments: ['--mode=creds', '--output=json', 'get', 'https://h'], miss: { stdout: '', exitCode: FAILED } },
    ],
    store: { arguments: ['set', 'https://h', 'ada'], input: 'probe-EXAMPLE' },
    erase: { arguments: ['del', 'https://h', 'ada'] },
  },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const call = readCall(invocation.arguments);
    if (!call) {
      invocation.warn('usage: keyring [--mode password|creds] [--output plain|json] get|set|del SERVICE [USERNAME]');
      return USAGE;
    }
    const target = targetOfService(call);
    if (call.operation === 'get') return target ? get(call, target, invocation, handler) : FAILED;
    if (!target) {
      invocation.warn(
        `cannot ${call.operation}: the service is empty, or a URL with a password or with another username`,
      );
      return FAILED;
    }
    return call.operation === 'set'
      ? set(target, invocation, handler)
      : ending(await ask(handler, { action: 'erase', target }), invocation);
  },
};

/**
 * The command line; options stand before or behind the operation, and end at `--`. Undefined where keyring would show its
 * usage.
 */
function readCall(args: readonly string[]): Call | undefined {
  const words: string[] = [];
  const options = new Map<string, string>([
    ['--mode', 'password'],
    ['--output', 'plain'],
  ]);
  for (let at = 0; at < args.length; at++) {
    const argument = args[at]!;
    if (argument === '--') {
      words.push(...args.slice(at + 1));
      break;
    }
    if (!argument.startsWith('-')) words.push(argument);
    else {
      const [name, value = args[++at]] = argument.split(/=(.*)/s) as [string, string | undefined];
      if (!options.has(name) || value === undefined) return undefined;
      options.set(name, value);
    }
  }
  const [operation, service, username, ...more] = words;
  const mode = options.get('--mode');
  const output = options.get('--output');
  if (mode !== 'password' && mode !== 'creds') return undefined;
  if (output !== 'plain' && output !== 'json') return undefined;
  if (operation !== 'get' && operation !== 'set' && operation !== 'del') return undefined;
  const needsUser = operation !== 'get' || mode === 'password';
  if (service === undefined || (needsUser && username === undefined) || more.length > 0) return undefined;
  return { operation, service, username, mode, output };
}

/**
 * A URL is that target. Any other name is opaque: it has no scheme, and what is kept for https must not go out in the
 * clear, so it is a key of its own, `keyring://NAME`. Undefined for a name that must not become a key: an empty one, a URL
 * with a password in it, and a URL with another username than the one that is asked for.
 */
function targetOfService({ service, username }: Call): Target | undefined {
  if (service === '' || URL_WITH_PASSWORD.test(service)) return undefined;
  const target = targetOfUrl(service) ?? targetOfUrl(`${OPAQUE}://${encodeName(service)}`)!;
  if (target.username !== undefined && username !== undefined && target.username !== username) return undefined;
  return { ...target, username: username ?? target.username };
}

/** The protocol of the names that are no URLs. */
const OPAQUE = 'keyring';
const URL_WITH_PASSWORD = /^[^:/?#]+:\/\/[^/?#]*:[^/?#]*@/;

/** A name as `HOST` or `HOST/PATH` of a target, by percent-encoding (RFC 3986, 2.1): two names never become one. */
function encodeName(name: string): string {
  return name.replace(
    /^\/|\/$|[^A-Za-z0-9._~:[\]!$&'()*+,;=/-]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

async function get(call: Call, target: Target, invocation: Invocation, handler: Handler): Promise<number> {
  const asking = target.protocol === OPAQUE ? ask(handler, { action: 'get', target }) : askForHost(handler, { target });
  const reply = await asking;
  if (reply.status !== 'ok' || !reply.credential?.secret) return ending(reply, invocation);
  write(call, reply.credential, invocation);
  return 0;
}

function write({ mode, output: format }: Call, { username, secret }: Credential, { output }: Invocation): void {
  if (mode === 'creds' && format === 'json') {
    output.text('{"username":');
    writeJsonText(username ?? TOKEN_USER, output);
    output.text(',"password":');
    writeJsonSecret(secret!, output);
    output.text('}\n');
  } else if (format === 'json') {
    output.text('{"password":');
    writeJsonSecret(secret!, output);
    output.text('}\n');
  } else {
    if (mode === 'creds') output.text(`${username ?? TOKEN_USER}\n`);
    output.secret(secret!);
    output.text('\n');
  }
}

/** Keeps what stands on standard input, without the newline at its end. An empty line is an empty password. */
async function set(target: Target, invocation: Invocation, handler: Handler): Promise<number> {
  const input = invocation.input.all();
  const bytes = input.at(-1) === LF ? input.subarray(0, -1) : input;
  if (input.length === 0 || bytes.length > SECRET_MAX) {
    const rule = input.length === 0 ? 'standard input is empty' : `the password is longer than ${SECRET_MAX} bytes`;
    invocation.warn(`cannot set: ${rule}`);
    return FAILED;
  }
  const secret = invocation.keep(bytes);
  try {
    return ending(await ask(handler, { action: 'store', target, secret }), invocation);
  } finally {
    secret.dispose();
  }
}

/** A miss is told by the exit code alone; whatever a person could mend is a line beside it. */
function ending(reply: CredentialReply, invocation: Invocation): number {
  if (reply.status === 'ok') return reply.credential ? FAILED : 0;
  if (reply.status !== 'not-found') invocation.warn(reply.message);
  return FAILED;
}
