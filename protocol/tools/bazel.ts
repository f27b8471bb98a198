import type { Handler } from '../handler.ts';
import { addressOf, isLoopback } from '../services/address.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { askForHost } from './ask.ts';
import { writeAuthorization } from './authorization.ts';
import { rfc3339 } from './dates.ts';
import { JsonObject } from './json.ts';
import { targetOfUrl } from './url.ts';

const FAILED = 1;
const NOTHING = '{"headers":{}}\n';
/** bazel reads when we have ended, so an answer must fit into the pipe (pipe(7), 64 KiB), or both would wait. */
const ANSWER_MAX = 60_000;

/**
 * bazel's credential helper: `get`, with `{"uri":…}` on standard input, answered with headers. What it prints on
 * standard error is shown when it fails, so everything but a plain miss fails the build with its reason.
 */
export const bazel: Adapter = {
  name: 'bazel',
  programs: ['bazel-credential-keyhold'],
  specification: 'https://github.com/EngFlow/credential-helper-spec',
  environment: [],
  asks: { authtype: true, wholeHost: true },
  input: { '*': 'none', get: 'whole' },
  unavailable: { '*': { stdout: '', explain: true, exitCode: FAILED } },
  probe: { get: [{ arguments: ['get'], input: '{"uri":"https://h"}', miss: { stdout: NOTHING, exitCode: 0 } }] },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const { arguments: args, output } = invocation;
    if (args.length !== 1 || args[0] !== 'get') {
      invocation.warn('usage: bazel-credential-keyhold get, with {"uri":"https://HOST/"} on standard input');
      return FAILED;
    }
    const uri = JsonObject.read(invocation.input.all()).text('uri') ?? '';
    const target = targetOfUrl(uri.split('?', 1)[0]!);
    if (!target || target.username !== undefined)
      return fail(invocation, 'cannot answer: uri is no URL without a user');
    const reply = await askForHost(handler, { target, takesAuthtype: true });
    if (reply.status !== 'ok' && reply.status !== 'not-found') return fail(invocation, reply.message);
    if (reply.status !== 'ok' || !reply.credential?.secret) {
      output.text(NOTHING);
      return 0;
    }
    if (target.protocol === 'http' && !isLoopback(addressOf(`http://${target.host}`)?.host ?? ''))
      return fail(invocation, 'cannot answer: a token goes over https only, or to this machine');
    const { credential } = reply;
    if (reply.credential.secret.length * 2 > ANSWER_MAX)
      return fail(invocation, 'cannot answer: the token is too long');
    output.text('{"headers":{"Authorization":["');
    writeAuthorization(credential, output);
    output.text(`"]}${credential.expiresAt === undefined ? '' : `,"expires":"${rfc3339(credential.expiresAt)}"`}}\n`);
    return 0;
  },
};

function fail(invocation: Invocation, why: string): number {
  invocation.warn(why);
  return FAILED;
}
