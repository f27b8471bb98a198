import type { Attributes, ReadAttributes } from '../attributes.ts';
import { decodeRequest } from '../decode.ts';
import { encodeReply } from '../encode.ts';
import { KeyholdError } from '../errors.ts';
import type { CredentialReply, CredentialRequest, Handler } from '../handler.ts';
import { REPOSITORY_VARIABLES } from '../repository.ts';
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
      const reply = await handler(request);
      if (operation === 'get') encodeReply(reply, request.capabilities, invocation.output);
      const remark = remarkOn(reply, operation);
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

function isTimeout(option: string): boolean {
  return option.startsWith(TIMEOUT);
}

/** git shows stderr to the person: it hears what they can mend, and nothing about a plain miss. */
function remarkOn(reply: CredentialReply, operation: string): string | undefined {
  switch (reply.status) {
    case 'ok':
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
      return operation === 'get' ? undefined : reply.message;
  }
}

function isAbout(attributes: Attributes): boolean {
  return attributes.has('protocol') && attributes.has('host');
}
