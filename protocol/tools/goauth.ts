import type { Target } from '../credential.ts';
import type { CredentialReply, Handler } from '../handler.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { ask } from './ask.ts';
import { writeAuthorization } from './authorization.ts';
import { targetOfUrl } from './url.ts';

const FAILED = 1;
/** Folders of a URL's path that are looked at: more than a module's path and its version have. */
const FOLDERS_MAX = 24;

/**
 * Go's GOAUTH command (1.24). Its first call names no URL and would take every secret there is, so it gets none; after
 * a refusal it names the URL, and gets the credential that is kept for the longest part of its path, told for exactly
 * that part. What the server said, on standard input, is not read.
 */
export const goauth: Adapter = {
  name: 'goauth',
  programs: ['goauth-keyhold'],
  specification: 'https://pkg.go.dev/cmd/go#hdr-GOAUTH_environment_variable',
  environment: [],
  asks: { authtype: true, wholeHost: true },
  input: { '*': 'none' },
  unavailable: { '*': { stdout: '', explain: true, exitCode: FAILED } },
  unnameable: { '*': '' },
  probe: { get: [{ arguments: ['https://h'], miss: { stdout: '', exitCode: 0 } }] },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const [url, ...more] = invocation.arguments;
    if (url === undefined || more.length > 0) return 0;
    const target = targetOfUrl(url.split('?', 1)[0]!);
    if (target?.protocol !== 'https' || target.username !== undefined) return 0;
    const { reply, prefix } = await narrowest(target, handler);
    if (reply.status === 'not-found') return 0;
    if (reply.status !== 'ok') {
      invocation.warn(reply.message);
      return FAILED;
    }
    if (!reply.credential?.secret) return 0;
    const { output } = invocation;
    output.text(`https://${prefix.host}${prefix.path === undefined ? '' : `/${prefix.path}`}\n\nAuthorization: `);
    writeAuthorization(reply.credential, output);
    output.text('\n\n');
    return 0;
  },
};

/** What is kept for the path, or for the folder above it, and so on up to the whole host. */
async function narrowest(target: Target, handler: Handler): Promise<{ reply: CredentialReply; prefix: Target }> {
  const folders = target.path?.split('/') ?? [];
  for (let length = Math.min(folders.length, FOLDERS_MAX); ; length--) {
    const prefix = { ...target, path: length === 0 ? undefined : folders.slice(0, length).join('/') };
    const reply = await ask(handler, { action: 'get', target: prefix, takesAuthtype: true });
    if (reply.status !== 'not-found' || length === 0) return { reply, prefix };
  }
}
