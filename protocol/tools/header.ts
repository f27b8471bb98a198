import type { Handler } from '../handler.ts';
import { exitCodeOf } from '../status.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { askForHost } from './ask.ts';
import { writeAuthorization } from './authorization.ts';
import { targetOfUrl } from './url.ts';

/**
 * `keyhold-helper header URL`: the Authorization header for a URL, on a line of its own, for `curl -H @-` and whatever
 * else takes headers from a pipe. It exits with the codes of status.ts.
 */
export const header: Adapter = {
  name: 'header',
  programs: ['keyhold-header'],
  apart: true,
  specification: 'curl(1), --header; RFC 9110, 11.6.2',
  environment: [],
  asks: { authtype: true, wholeHost: true },
  input: { '*': 'none' },
  unavailable: { '*': { stdout: '', explain: true, exitCode: exitCodeOf('unavailable') } },
  probe: {
    get: [
      {
        arguments: ['https://h'],
        miss: { stdout: '', stderr: 'keyhold: there is none\n', exitCode: exitCodeOf('not-found') },
      },
    ],
  },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const [url = '', ...more] = invocation.arguments;
    const target = more.length === 0 ? targetOfUrl(url.split(/[?#]/, 1)[0]!) : undefined;
    if (!target) {
      invocation.warn('usage: keyhold-helper header URL | curl -H @- URL');
      return exitCodeOf('bad-request');
    }
    const reply = await askForHost(handler, { target, takesAuthtype: true });
    if (reply.status !== 'ok') {
      invocation.warn(reply.message);
      return exitCodeOf(reply.status);
    }
    invocation.output.text('Authorization: ');
    writeAuthorization(reply.credential!, invocation.output);
    invocation.output.text('\n');
    return 0;
  },
};
