import type { Target } from '../credential.ts';
import type { Handler } from '../handler.ts';
import { toWire } from '../text.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { askForHost } from './ask.ts';
import { targetOfUrl } from './url.ts';

/**
 * pnpm's tokenHelper: a program without arguments or input that prints the Authorization header's value. Nothing tells
 * it which registry is meant, so its name does: `keyhold-npm@HOST`, or `keyhold-npm@SCHEME@HOST@PATH@…`, in which `@`
 * stands for `/`. An account stands before the host, `keyhold-npm@SCHEME@ACCOUNT@@HOST@…`. Whatever is wrong is exit 1 with
 * nothing printed.
 */
export const pnpm: Adapter = {
  name: 'pnpm',
  programs: ['keyhold-npm@*'],
  specification: 'https://pnpm.io/npmrc#url-tokenhelper',
  environment: [],
  asks: { authtype: true, wholeHost: true },
  input: { '*': 'none' },
  unavailable: { '*': { stdout: '', explain: true, exitCode: 1 } },
  probe: {
    get: [
      {
        program: 'keyhold-npm@h',
        arguments: [],
        miss: { stdout: '', stderr: 'keyhold: there is none\n', exitCode: 1 },
      },
    ],
  },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const target = targetOfName(invocation.program);
    if (!target) {
      invocation.warn('cannot tell which registry is meant: the name is not keyhold-npm@HOST; run: keyhold setup pnpm');
      return 1;
    }
    const reply = await askForHost(handler, { target, takesAuthtype: true });
    if (reply.status !== 'ok') {
      invocation.warn(reply.message);
      return 1;
    }
    const { authtype = 'Bearer', secret } = reply.credential!;
    if (!secret || !/^[A-Za-z]+$/.test(authtype)) {
      invocation.warn('what is held for the registry is nothing that pnpm can send');
      return 1;
    }
    invocation.output.text(`${authtype} `);
    invocation.output.secret(secret);
    invocation.output.text('\n');
    return 0;
  },
};

function targetOfName(program: string): Target | undefined {
  const [, first = '', ...more] = program.split('@');
  if (more.length === 0 || !/^https?$/.test(first)) return targetOfUrl(`https://${[first, ...more].join('/')}`);
  // No host is followed by an empty part of its path.
  const [account = '', gap, ...place] = more;
  if (gap !== '' || place.length === 0) return targetOfUrl(`${first}://${more.join('/')}`);
  const target = targetOfUrl(`${first}://${place.join('/')}`);
  return target && { ...target, username: decodeAccount(account) };
}

/** An account in a file name: letters, digits, `.`, `_` and `-` stand for themselves, any other byte is `=` and two hex digits. */
export function encodeAccount(account: string): string {
  return toWire(account).replace(
    /[^A-Za-z0-9._-]/g,
    (byte) => `=${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function decodeAccount(name: string): string {
  return name.replace(/=([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
