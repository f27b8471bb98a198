import type { Attributes, ReadAttributes } from '../attributes.ts';
import type { Credential, Target } from '../credential.ts';
import { decodeRequest } from '../decode.ts';
import { encodeReply } from '../encode.ts';
import { KeyholdError } from '../errors.ts';
import type { CredentialReply, CredentialRequest, Handler } from '../handler.ts';
import { REPOSITORY_VARIABLES } from '../repository.ts';
import { fromWire } from '../text.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { readLines } from './lines.ts';

const actions: ReadonlySet<string> = new Set(['get', 'store', 'erase']);
/** As git-credential-cache(1) has it: what is stored is held in memory only, for so many seconds. */
const TIMEOUT = '--timeout=';
const SECONDS = /^--timeout=[0-9]{1,9}$/;

/** A helper must exit 0 and print nothing for what it does not know, has not, or cannot do (gitcredentials(7)). */
export const git: Adapter = {
  name: 'git',
  programs: ['git-credential-keyhold'],
  specification: 'git-credential(1), gitcredentials(7)',
  environment: [],
  folders: REPOSITORY_VARIABLES,
  input: { '*': 'none', get: 'whole', store: 'whole', erase: 'whole' },
  unavailable: {
    '*': { stdout: '', explain: false, exitCode: 0 },
    get: { stdout: '', explain: true, exitCode: 0 },
    store: { stdout: '', explain: true, exitCode: 0 },
    erase: { stdout: '', explain: true, exitCode: 0 },
  },
  probe: {
    get: [{ arguments: ['get'], input: 'protocol=https\nhost=h\n\n', miss: { stdout: '', exitCode: 0 } }],
    store: { arguments: ['store'], input: 'protocol=https\nhost=h\nusername=ada\npassword=probe-EXAMPLE\n\n' },
    erase: { arguments: ['erase'], input: 'protocol=https\nhost=h\nusername=ada\n\n' },
    besideMiss: {
      statuses: [
        'locked',
        'revoked',
        'interaction-required',
        'limit-reached',
        'unavailable',
        'unsupported',
        'bad-request',
      ],
      because: 'a helper that has nothing prints nothing and exits with 0 (gitcredentials(7))',
    },
    asMiss: { statuses: ['expired'], because: 'git then asks for a new one, as it does after a miss' },
  },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const operation = invocation.arguments.at(-1);
    if (operation === 'capability') {
      invocation.output.text('version 0\ncapability authtype\ncapability state\n');
      return 0;
    }
    const options = invocation.arguments.slice(0, -1);
    if (operation === undefined || !actions.has(operation) || !options.every(isTimeout)) return 0;
    if (!options.every((option) => SECONDS.test(option))) {
      invocation.warn('cannot read timeout: it is not a number of seconds');
      return 0;
    }

    const read = readLines(invocation);
    try {
      const request = decodeGitRequest(operation, read, options.at(-1));
      const heard = await handler(request);
      const reply = operation === 'get' ? inGitForm(heard, request) : heard;
      if (operation === 'get') encodeReply(reply, request.capabilities, invocation.output);
      const remark = remarkOn(reply, request);
      if (remark !== undefined) invocation.warn(remark);
    } catch (error) {
      if (!(error instanceof KeyholdError)) throw error;
      // git cut off in the middle of its request has said why itself: an incomplete request is met with silence.
      if (isAbout(read.attributes)) invocation.warn(error.message);
    } finally {
      read.attributes.dispose();
    }
    return 0;
  },
};

function decodeGitRequest(
  action: string,
  { attributes, fault }: ReadAttributes,
  timeout: string | undefined,
): CredentialRequest {
  if (fault) throw fault;
  if (timeout !== undefined && action === 'store') attributes.add('timeout', timeout.slice(TIMEOUT.length));
  const request = decodeRequest(attributes, action);
  if (!request.capabilities.keyhold) return request;
  // Our own attributes mean nothing in git's mouth.
  return { ...request, capabilities: { ...request.capabilities, keyhold: false } };
}

/**
 * The answer in the form that this server takes: as a Bearer value where the server offers nothing else and git can send it, and
 * with the username that the service wants beside a token that is kept without one.
 */
function inGitForm(reply: CredentialReply, request: CredentialRequest): CredentialReply {
  if (reply.status !== 'ok' || !reply.credential?.secret || reply.credential.authtype !== undefined) return reply;
  const { credential } = reply;
  if (request.capabilities.authtype && wantsBearer(request.attributes.list('wwwauth[]'))) {
    return { ...reply, credential: { ...credential, authtype: 'Bearer' } };
  }
  return { ...reply, credential: { ...credential, username: credential.username ?? reply.gitUsername } };
}

const QUOTED = /"(?:\\.|[^"\\])*"/g;
/** A scheme stands at the start or behind a comma, and before a parameter, a comma or the end (RFC 9110, 11.6.1). */
const SCHEME = /(?:^|,)\s*([A-Za-z][A-Za-z0-9-]*)(?=\s*(?:,|$)|\s+[A-Za-z0-9])/g;

/** Whether every challenge in these WWW-Authenticate headers is for the scheme Bearer, and there is one. */
function wantsBearer(headers: readonly string[]): boolean {
  const schemes = headers.flatMap((header) =>
    [...header.replace(QUOTED, '""').matchAll(SCHEME)].map(([, name]) => name!),
  );
  return schemes.length > 0 && schemes.every((scheme) => scheme.toLowerCase() === 'bearer');
}

function isTimeout(option: string): boolean {
  return option.startsWith(TIMEOUT);
}

/** git shows stderr to the person: it hears what they can mend, and nothing about a plain miss. */
function remarkOn(reply: CredentialReply, { action, target }: CredentialRequest): string | undefined {
  switch (reply.status) {
    case 'ok':
      return isNameless(reply.credential) ? usernameNeeded(target!) : undefined;
    case 'not-found':
      return undefined;
    case 'bad-request':
    case 'locked':
    case 'unavailable':
    case 'denied':
    case 'revoked':
    case 'interaction-required':
    case 'limit-reached':
    case 'unsupported':
      return reply.message;
    case 'expired':
      return action === 'get' ? undefined : reply.message;
  }
}

function isNameless(credential: Credential | undefined): boolean {
  return credential?.secret !== undefined && credential.authtype === undefined && credential.username === undefined;
}

function usernameNeeded({ protocol, host, path }: Target): string {
  const url = `${protocol}://${host}${path === undefined ? '' : `/${path}`}`;
  const command = `keyhold token set --for ${quoted(fromWire(url))} --username NAME`;
  return `git needs a username, and the token for ${fromWire(host)} is kept without one; run: ${command}`;
}

/** A word for a POSIX shell. */
function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function isAbout(attributes: Attributes): boolean {
  return attributes.has('protocol') && attributes.has('host');
}
