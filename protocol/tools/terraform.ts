import type { Handler } from '../handler.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { ask } from './ask.ts';
import { isBearer } from './bearer.ts';
import { JsonObject, writeJsonSecret } from './json.ts';

/** A host as terraform writes it: lower case, punycode, with a port that is not 443. */
const HOST = /^(?=.{1,255}$)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?$/;
/** "No credentials", after which terraform goes on without any. */
const NONE = '{}\n';
const noAgent = { stdout: '', explain: true, exitCode: 1 };

/**
 * terraform's credentials helper protocol, as OpenTofu has it, too. Arguments before the operation are those of the
 * configuration, which may come from anywhere: they mean nothing here.
 */
export const terraform: Adapter = {
  name: 'terraform',
  programs: ['terraform-credentials-keyhold'],
  specification: 'https://developer.hashicorp.com/terraform/internals/credentials-helpers',
  environment: [],
  asks: { authtype: true, wholeHost: false },
  input: { '*': 'none', store: 'whole' },
  unavailable: { '*': noAgent },
  unnameable: { get: NONE, forget: '' },
  probe: {
    get: [{ arguments: ['get', 'h'], miss: { stdout: NONE, exitCode: 0 } }],
    store: { arguments: ['store', 'h'], input: '{"token":"probe-EXAMPLE"}' },
    erase: { arguments: ['forget', 'h'] },
  },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const [operation = '', host] = invocation.arguments.slice(-2);
    if (host === undefined || !Object.hasOwn(operations, operation)) {
      invocation.warn('usage: terraform-credentials-keyhold get|store|forget HOST');
      return 1;
    }
    const problem = await operations[operation]!(host, invocation, handler);
    if (problem === undefined) return 0;
    invocation.warn(problem);
    return 1;
  },
};

/** Answers what is to be told as an error; undefined if all is well. */
type Operation = (host: string, invocation: Invocation, handler: Handler) => Promise<string | undefined>;

const operations: Readonly<Record<string, Operation>> = {
  async get(host, { output }, handler) {
    if (!HOST.test(host)) {
      output.text(NONE);
      return undefined;
    }
    const reply = await ask(handler, { action: 'get', target: targetOf(host), takesAuthtype: true });
    if (reply.status === 'ok' && isBearer(reply.credential!)) {
      output.text('{"token":');
      writeJsonSecret(reply.credential!.secret!, output);
      output.text('}\n');
      return undefined;
    }
    if (reply.status !== 'ok' && reply.status !== 'not-found') return reply.message;
    output.text(NONE);
    return undefined;
  },

  async store(host, { input, keep }, handler) {
    if (!HOST.test(host)) return 'cannot store: the host is not one as terraform writes it';
    const object = JsonObject.read(input.all());
    // What else the object may mean one day would be lost.
    const others = [...object.names()].some((name) => name !== 'token');
    const secret = others ? undefined : object.secret('token', keep);
    if (!secret) return 'cannot store: the credentials must be a token and nothing else';
    try {
      if (secret.length === 0) return 'cannot store: the token is empty';
      const reply = await ask(handler, { action: 'store', target: targetOf(host), secret });
      return reply.status === 'ok' ? undefined : reply.message;
    } finally {
      secret.dispose();
    }
  },

  async forget(host, _, handler) {
    if (!HOST.test(host)) return undefined;
    const reply = await ask(handler, { action: 'erase', target: targetOf(host) });
    return reply.status === 'ok' || reply.status === 'not-found' ? undefined : reply.message;
  },
};

function targetOf(host: string) {
  return { protocol: 'https', host };
}
