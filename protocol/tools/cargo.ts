import type { Credential, Seconds, Target } from '../credential.ts';
import { asFault } from '../errors.ts';
import type { CredentialReply, Handler, Refusal } from '../handler.ts';
import { SECRET_MAX } from '../limits.ts';
import { printable, toWire } from '../text.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { ask } from './ask.ts';
import { keysOfIndex } from './cargo-index.ts';
import { JsonObject, writeJsonSecret } from './json.ts';
import { StreamLines } from './stream-lines.ts';

const HELLO = '{"v":[1]}\n';
const PLUGIN = '--cargo-plugin';
/** Longest request: it holds every header of a server's answer, and no server sends more than a quarter of this. */
const LINE_MAX = 262_144;
/** cargo asks anew for what lives shorter than this. */
const MIN_TTL: Seconds = 60;

const operations: ReadonlySet<string> = new Set(['read', 'publish', 'yank', 'unyank', 'owners']);

/**
 * cargo's credential provider protocol, version 1: a hello, then requests and answers of one line each, until cargo
 * closes. A checked-in `.cargo/config.toml` may choose the provider, its arguments and the registry's name, so none of
 * these means anything here: the key is `index-url` alone.
 */
export const cargo: Adapter = {
  name: 'cargo',
  programs: ['cargo-credential-keyhold'],
  specification: 'https://doc.rust-lang.org/cargo/reference/credential-provider-protocol.html',
  environment: [],
  asks: { authtype: true, wholeHost: false, minTtl: MIN_TTL },
  input: { '*': 'stream' },
  unavailable: {
    '*': {
      stdout: `${HELLO}${errorLine('other', 'no agent answers and none could be started; run: keyhold start')}\n`,
      explain: false,
      exitCode: 0,
    },
  },
  probe: {
    get: [
      {
        arguments: [PLUGIN],
        input: probeLine('"kind":"get","operation":"read"'),
        miss: { stdout: `${HELLO}{"Err":{"kind":"not-found"}}\n`, exitCode: 0 },
      },
    ],
    store: { arguments: [PLUGIN], input: probeLine('"kind":"login","token":"probe-EXAMPLE"') },
    erase: { arguments: [PLUGIN], input: probeLine('"kind":"logout"') },
    besideMiss: {
      statuses: ['expired', 'revoked'],
      because: 'cargo login asks before it stores, and must not end there',
    },
  },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const { output } = invocation;
    if (invocation.arguments.length !== 1 || invocation.arguments[0] !== PLUGIN) {
      invocation.warn('cargo starts this by itself, as a credential provider; run: keyhold setup cargo');
      return 2;
    }
    output.text(HELLO);
    invocation.flush();
    const lines = new StreamLines(invocation.input, LINE_MAX);
    try {
      for (let line = await lines.next(); line; line = await lines.next()) {
        await answer(line, invocation, handler);
        output.text('\n');
        invocation.flush();
      }
    } catch (error) {
      output.text(`${errorLine('other', asFault(error).message)}\n`);
    } finally {
      lines.wipe();
    }
    return 0;
  },
};

/** Answers one request; whatever is wrong with it is told as cargo's `other`, which ends cargo's search. */
async function answer(line: Buffer, invocation: Invocation, handler: Handler): Promise<void> {
  const { output } = invocation;
  const start = output.length;
  try {
    output.text(await respond(JsonObject.read(line), invocation, handler));
  } catch (error) {
    output.truncate(start);
    output.text(errorLine('other', asFault(error).message));
  }
}

/** What is left to write of the answer. */
async function respond(request: JsonObject, invocation: Invocation, handler: Handler): Promise<string> {
  if (request.number('v') !== 1) return errorLine('other', 'cannot answer: keyhold speaks version 1 of the protocol');
  const kind = request.text('kind') ?? '';
  const isKnown = kind === 'login' || kind === 'logout' || (kind === 'get' && isOperation(request));
  if (!isKnown) return errorLine('operation-not-supported');
  if (request.has('args') && !request.isEmptyList('args')) {
    return errorLine('other', 'cannot answer: this provider takes no arguments; take them out of credential-provider');
  }
  const keys = keysOfIndex(request.object('registry')?.text('index-url') ?? '');
  if (!keys) return errorLine('url-not-supported');
  if (kind === 'get') return get([...keys.own, ...keys.others], invocation, handler);
  if (kind === 'login') return login(request, keys.own[0]!, invocation, handler);
  const reply = await first(keys.own, (target) => ask(handler, { action: 'erase', target }));
  return reply.status === 'ok' ? '{"Ok":{"kind":"logout"}}' : refusal(reply, invocation);
}

/** The answer for the first target that there is something for. */
async function first(
  targets: readonly Target[],
  question: (target: Target) => Promise<CredentialReply>,
): Promise<CredentialReply> {
  let reply: CredentialReply | undefined;
  for (const target of targets) {
    reply = await question(target);
    if (reply.status !== 'not-found') break;
  }
  return reply!;
}

function isOperation(request: JsonObject): boolean {
  return operations.has(request.text('operation') ?? '');
}

async function get(targets: readonly Target[], invocation: Invocation, handler: Handler): Promise<string> {
  const { output } = invocation;
  const asked = { action: 'get', takesAuthtype: true, minTtl: MIN_TTL } as const;
  const reply = await first(targets, (target) => ask(handler, { ...asked, target }));
  if (reply.status !== 'ok') return refusal(reply, invocation);
  if (!reply.credential?.secret) return errorLine('not-found');
  output.text('{"Ok":{"kind":"get","token":');
  const { authtype, secret } = reply.credential;
  // cargo sends it as the whole Authorization header.
  writeJsonSecret(secret, output, authtype === undefined ? '' : `${authtype} `);
  return `,${cacheOf(reply.credential)},"operation_independent":true}}`;
}

/** How long cargo may keep it: to its expiry; for one run; or, where it can be renewed at any time, not at all. */
function cacheOf({ expiresAt, refreshToken }: Credential): string {
  if (expiresAt !== undefined) return `"cache":"expires","expiration":${Math.floor(expiresAt)}`;
  return `"cache":"${refreshToken ? 'never' : 'session'}"`;
}

async function login(request: JsonObject, target: Target, { keep }: Invocation, handler: Handler): Promise<string> {
  const secret = request.secret('token', keep);
  if (!secret) {
    return errorLine(
      'other',
      'cannot log in: no token was given; pipe it in: cargo login < FILE, or run: keyhold token set',
    );
  }
  try {
    if (secret.length === 0 || secret.length > SECRET_MAX) {
      return errorLine('other', `cannot log in: a token has 1 to ${SECRET_MAX} bytes`);
    }
    const reply = await ask(handler, { action: 'store', target, secret });
    return reply.status === 'ok' ? '{"Ok":{"kind":"login"}}' : errorLine('other', reply.message);
  } finally {
    secret.dispose();
  }
}

/**
 * What is no credential to cargo. Where a person must do something first it is `other`, or cargo would say that there
 * is no token; but `cargo login` asks before it stores, so what a new token mends is `not-found`, and told beside it.
 */
function refusal(reply: Refusal, invocation: Invocation): string {
  switch (reply.status) {
    case 'not-found':
      return errorLine('not-found');
    case 'expired':
    case 'revoked':
      invocation.warn(reply.message);
      return errorLine('not-found');
    default:
      return errorLine('other', reply.message);
  }
}

function probeLine(members: string): string {
  return `{"v":1,"registry":{"index-url":"sparse+https://h/"},${members}}\n`;
}

type ErrorKind = 'not-found' | 'url-not-supported' | 'operation-not-supported' | 'other';

function errorLine(kind: ErrorKind, message?: string): string {
  const more = message === undefined ? {} : { message: `keyhold: ${printable(message)}`, 'caused-by': [] };
  return toWire(JSON.stringify({ Err: { kind, ...more } }));
}
