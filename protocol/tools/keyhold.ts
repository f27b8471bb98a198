import { decodeRequest } from '../decode.ts';
import { encodeReply } from '../encode.ts';
import { asFault } from '../errors.ts';
import type { Handler } from '../handler.ts';
import { exitCodeOf } from '../status.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { readLines } from './lines.ts';

const actions: ReadonlySet<string> = new Set(['get', 'store', 'erase']);
const keyholdCapabilities = { authtype: true, state: false, keyhold: true };
const noAgent = {
  stdout: 'status=unavailable\nmessage=no agent answers and none could be started; run: keyhold start\n',
  explain: false,
  exitCode: 10,
};

/**
 * `keyhold-helper get|store|erase`, for scripts: our own line protocol on standard input and output, with the exit
 * codes of status.ts. Input as git writes it, output with `status=` and, where there is one, `message=` first.
 */
export const keyhold: Adapter = {
  name: 'keyhold',
  programs: ['keyhold-helper'],
  specification: 'protocol/PROTOCOL.md',
  environment: [],
  input: { '*': 'none', get: 'whole', store: 'whole', erase: 'whole' },
  unavailable: { '*': noAgent },
  probe: {
    get: [
      {
        arguments: ['get'],
        input: 'protocol=https\nhost=h\n',
        miss: { stdout: 'status=not-found\nmessage=there is none\n', exitCode: exitCodeOf('not-found') },
      },
    ],
    store: { arguments: ['store'], input: 'protocol=https\nhost=h\nusername=ada\npassword=probe-EXAMPLE\n' },
    erase: { arguments: ['erase'], input: 'protocol=https\nhost=h\n' },
  },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const [action, ...more] = invocation.arguments;
    if (action === undefined || !actions.has(action) || more.length > 0) {
      invocation.warn(
        'usage: keyhold-helper get|store|erase, with protocol=, host= and so on as lines on standard input',
      );
      return exitCodeOf('bad-request');
    }
    const { attributes, fault } = readLines(invocation);
    try {
      if (fault) throw fault;
      attributes.add('capability[]', 'authtype');
      attributes.add('capability[]', 'keyhold');
      const request = decodeRequest(attributes, action);
      const reply = await handler(request);
      encodeReply(reply, request.capabilities, invocation.output);
      return exitCodeOf(reply.status);
    } catch (error) {
      const { status, message } = asFault(error);
      encodeReply({ status, message }, keyholdCapabilities, invocation.output);
      return exitCodeOf(status);
    } finally {
      attributes.dispose();
    }
  },
};
