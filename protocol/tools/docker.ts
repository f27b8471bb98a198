import { Attributes } from '../attributes.ts';
import type { Credential, Target } from '../credential.ts';
import { asFault } from '../errors.ts';
import type { CredentialReply, Handler } from '../handler.ts';
import { fromWire, printable, toWire } from '../text.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { type Asked, ask } from './ask.ts';
import { dockerKeyOf, targetOfDockerKey } from './docker-key.ts';
import { JsonObject, writeJsonSecret, writeJsonText } from './json.ts';

/**
 * Texts that docker's clients compare byte by byte.
 * https://github.com/docker/docker-credential-helpers/blob/master/credentials/error.go
 */
const NOT_FOUND = 'credentials not found in native keychain';
const NO_SERVER = 'no credentials server URL';
const NO_USERNAME = 'no credentials username';
const NO_AGENT = 'keyhold: no agent answers and none could be started; run: keyhold start\n';
const USAGE = 'usage: docker-credential-keyhold get|store|erase|list|version';

/** What is answered instead of data, on standard output, with exit 1. */
class Refusal extends Error {
  /** Whether a person must hear it, too: on standard error. */
  readonly isForPeople: boolean;

  constructor(text: string, isForPeople = false) {
    super(text);
    this.isForPeople = isForPeople;
  }
}

/**
 * docker's credential helper protocol, as docker, podman, buildah, skopeo, oras and helm speak it. Errors are read from
 * standard output; they also go to standard error, because docker, told one, may go on as nobody without a word.
 */
export const docker: Adapter = {
  name: 'docker',
  programs: ['docker-credential-keyhold'],
  specification: 'https://github.com/docker/docker-credential-helpers',
  environment: [],
  asks: { authtype: false, wholeHost: false },
  input: { '*': 'none', get: 'whole', store: 'whole', erase: 'whole' },
  unavailable: {
    '*': { stdout: NO_AGENT, explain: true, exitCode: 1 },
    version: { stdout: 'docker-credential-keyhold (keyhold)\n', explain: false, exitCode: 0 },
  },
  probe: {
    get: [{ arguments: ['get'], input: 'h', miss: { stdout: `${NOT_FOUND}\n`, exitCode: 1 } }],
    store: { arguments: ['store'], input: '{"ServerURL":"h","Username":"ada","Secret":"probe-EXAMPLE"}' },
    erase: { arguments: ['erase'], input: 'h' },
  },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const [name = '', ...more] = invocation.arguments;
    const action = more.length === 0 && Object.hasOwn(actions, name) ? actions[name]! : undefined;
    const { output } = invocation;
    const start = output.length;
    try {
      if (!action) throw new Refusal(USAGE);
      await action(invocation, handler);
      return 0;
    } catch (error) {
      output.truncate(start);
      const { message, isForPeople } = error instanceof Refusal ? error : new Refusal(asFault(error).message, true);
      output.text(`${toWire(printable(isForPeople ? `keyhold: ${message}` : message))}\n`);
      if (isForPeople) invocation.warn(message);
      return 1;
    }
  },
};

const keyhold = { authtype: false, state: false, keyhold: true };

type Action = (invocation: Invocation, handler: Handler) => Promise<void>;

const actions: Readonly<Record<string, Action>> = {
  async get(invocation, handler) {
    const key = keyIn(invocation);
    const reply = await askByKey(handler, key, { action: 'get' });
    if (reply.status === 'not-found') throw new Refusal(NOT_FOUND);
    writeCredential(key, credentialIn(reply), invocation);
  },

  async store(invocation, handler) {
    const object = JsonObject.read(invocation.input.all());
    const key = object.text(nameIn(object, 'ServerURL')) ?? '';
    const username = object.text(nameIn(object, 'Username')) ?? '';
    if (key === '') throw new Refusal(NO_SERVER);
    if (username === '') throw new Refusal(NO_USERNAME);
    const [target] = targetsOf(key);
    const secret = object.secret(nameIn(object, 'Secret'), invocation.keep);
    if (!secret) throw new Refusal('no credentials secret');
    try {
      succeed(await ask(handler, { action: 'store', target: { ...target!, username }, secret }));
    } finally {
      secret.dispose();
    }
  },

  async erase(invocation, handler) {
    const key = keyIn(invocation);
    const reply = await askByKey(handler, key, { action: 'erase' }, (undecided) =>
      warnLeft(invocation, key, undecided),
    );
    // skopeo crashes when it is told that there was nothing to erase.
    if (reply.status !== 'not-found') succeed(reply);
  },

  async list(invocation, handler) {
    const reply = await handler({ action: 'list', capabilities: keyhold, attributes: new Attributes() });
    succeed(reply);
    const { output } = invocation;
    output.text('{');
    for (const [at, [key, username]] of [...(await servable(reply, handler))].entries()) {
      if (at > 0) output.text(',');
      writeJsonText(key, output);
      output.text(':');
      writeJsonText(username, output);
    }
    output.text('}\n');
  },

  async version({ output, version }) {
    output.text(`docker-credential-keyhold (keyhold) ${version}`.trimEnd());
    output.text('\n');
  },
};

/**
 * How a member is written in an object. Go, in which docker's own helpers are written, takes it in any case and the last of
 * several; what is given twice is refused, because two readers would see two different things.
 */
function nameIn(object: JsonObject, name: string): string {
  const [first = name, ...more] = [...object.names()].filter((one) => one.toLowerCase() === name.toLowerCase());
  if (more.length > 0) throw new Refusal(`cannot read the login: ${name} is given twice`, true);
  return first;
}

/** The registry that stands on standard input. Some clients put a line's end behind it. */
function keyIn({ input }: Invocation): string {
  const key = input
    .all()
    .toString('latin1')
    .replace(/^[ \r\n]+|[ \r\n]+$/g, '');
  if (key === '') throw new Refusal(NO_SERVER);
  return key;
}

function targetsOf(key: string): Target[] {
  const targets = targetOfDockerKey(key);
  if (targets.length === 0) throw new Refusal('cannot read the server URL: it names no registry', true);
  return targets;
}

/** Asks for each of the targets that a key can mean until one is there. */
async function askByKey(
  handler: Handler,
  key: string,
  asked: Pick<Asked, 'action'>,
  onUndecided?: (ids: readonly string[]) => void,
): Promise<CredentialReply> {
  let reply: CredentialReply | undefined;
  for (const target of targetsOf(key)) {
    reply = await ask(handler, { ...asked, target });
    const undecided = (reply.details ?? []).flatMap(([name, id]) => (name === 'undecided[]' ? [id] : []));
    if (undecided.length > 0) onUndecided?.(undecided);
    if (reply.status !== 'not-found') return reply;
  }
  return reply!;
}

/** What was kept before docker's logins were told apart from those of other tools stays: the user says whose it is. */
function warnLeft(invocation: Invocation, key: string, ids: readonly string[]): void {
  for (const id of ids) {
    const commands = `keyhold token share ${id} --front docker, or to remove it: keyhold token remove ${id}`;
    invocation.warn(`${printable(fromWire(key))} stays: it is not known to be docker's; if it is, run: ${commands}`);
  }
}

/** Every other outcome is told with words of its own, never as "not found", which makes a client go on as nobody. */
function succeed(reply: CredentialReply): asserts reply is CredentialReply & { status: 'ok' } {
  if (reply.status !== 'ok') throw new Refusal(reply.message, true);
}

function credentialIn(reply: CredentialReply): Credential {
  succeed(reply);
  const credential = reply.credential!;
  if (credential.username === undefined) {
    throw new Refusal('docker needs a username, and the token is kept without one; run: keyhold token set', true);
  }
  return credential;
}

function writeCredential(key: string, { username, secret }: Credential, { output }: Invocation): void {
  output.text('{"ServerURL":');
  writeJsonText(key, output);
  output.text(',"Username":');
  writeJsonText(username!, output);
  output.text(',"Secret":');
  writeJsonSecret(secret!, output);
  output.text('}\n');
}

/** What a `get` would answer, by key, without reading a secret: a client may get each, and stops at one that fails. */
async function servable(reply: CredentialReply & { status: 'ok' }, handler: Handler): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const item of documents(reply, 'item[]')) {
    const { protocol = '', host = '', path } = item;
    const key = dockerKeyOf({ protocol, host, path: path === undefined ? undefined : toWire(path) });
    if (key === undefined || found.has(key)) continue;
    const username = await usernameFor(key, handler);
    if (username !== undefined) found.set(key, username);
  }
  return found;
}

async function usernameFor(key: string, handler: Handler): Promise<string | undefined> {
  for (const target of targetsOf(key)) {
    const request = { action: 'explain', target, exactPath: true, capabilities: keyhold, attributes: new Attributes() };
    const reply = await handler(request);
    succeed(reply);
    const outcome = reply.details?.find(([name]) => name === 'outcome')?.[1];
    if (outcome === 'not-found') continue;
    const { username } = documents(reply, 'candidate[]').find(({ verdict }) => verdict === 'given') ?? {};
    return outcome === 'ok' && username !== undefined ? toWire(username) : undefined;
  }
  return undefined;
}

/** Objects of human text that an answer to a management action tells. */
function documents({ details = [] }: CredentialReply, name: string): Record<string, string | undefined>[] {
  return details.filter(([key]) => key === name).map(([, value]) => JSON.parse(fromWire(value)));
}
