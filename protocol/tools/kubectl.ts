import type { Credential } from '../credential.ts';
import { asFault, KeyholdError } from '../errors.ts';
import type { Handler } from '../handler.ts';
import { exitCodeOf } from '../status.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { ask } from './ask.ts';
import { isBearer } from './bearer.ts';
import { rfc3339 } from './dates.ts';
import { JsonObject, writeJsonSecret } from './json.ts';
import { isJsonSecret, openJsonSecret, writeJsonSecretWith } from './json-secret.ts';
import { readPemPair } from './pem.ts';
import { targetOfUrl } from './url.ts';

const INFO = 'KUBERNETES_EXEC_INFO';
const GROUP = 'client.authentication.k8s.io';
const versions: readonly string[] = [`${GROUP}/v1`, `${GROUP}/v1beta1`];
const USAGE = 'usage: keyhold-helper kubectl get URL, run by kubectl; or kubectl store URL < PEM (certificate and key)';

/**
 * The exec credential plugin of kubectl and everything built on client-go: `kubectl get URL` answers a token, or a
 * client certificate with its key, in the version that was asked for. It never needs the terminal that
 * `interactiveMode` may offer. `kubectl store URL` takes a certificate and its key as PEM.
 */
export const kubectl: Adapter = {
  name: 'kubectl',
  programs: ['keyhold-kubectl'],
  apart: true,
  specification: 'https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins',
  environment: [INFO],
  asks: { authtype: true, wholeHost: false },
  input: { '*': 'none', store: 'whole' },
  unavailable: { '*': { stdout: '', explain: true, exitCode: exitCodeOf('unavailable') } },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const [operation, url = '', ...more] = invocation.arguments;
    const target = more.length === 0 ? targetOfUrl(url) : undefined;
    if (!target || (operation !== 'get' && operation !== 'store')) {
      invocation.warn(USAGE);
      return exitCodeOf('bad-request');
    }
    if (operation === 'store') {
      const { secret, expiresAt } = readPemPair(invocation.input.all(), invocation.keep);
      try {
        const reply = await ask(handler, { action: 'store', target, secret, expiresAt });
        if (reply.status !== 'ok') invocation.warn(reply.message);
        return exitCodeOf(reply.status);
      } finally {
        secret.dispose();
      }
    }
    const version = versionAsked(invocation);
    if (version === undefined) {
      invocation.warn(`cannot answer: ${INFO} asks for no ExecCredential of version v1 or v1beta1`);
      return 1;
    }
    const reply = await ask(handler, { action: 'get', target, takesAuthtype: true });
    if (reply.status !== 'ok') {
      invocation.warn(reply.message);
      return exitCodeOf(reply.status);
    }
    invocation.output.text(`{"apiVersion":"${version}","kind":"ExecCredential","status":`);
    writeStatus(reply.credential!, invocation);
    invocation.output.text('}\n');
    return 0;
  },
};

/** The version that kubectl wants, which is the only one that it takes. */
function versionAsked({ environment }: Invocation): string | undefined {
  const info = environment.get(INFO);
  if (info === undefined) return undefined;
  try {
    const object = JsonObject.read(Buffer.from(info, 'latin1'));
    const version = object.text('apiVersion');
    return object.text('kind') === 'ExecCredential' && versions.includes(version ?? '') ? version : undefined;
  } catch (error) {
    if (asFault(error).code === 'bad_request') return undefined;
    throw error;
  }
}

/** A token, or a certificate and its key. Throws `unsupported` for what kubectl could not use. */
function writeStatus(credential: Credential, { output }: Invocation): void {
  const { secret, authtype, expiresAt } = credential;
  const date = expiresAt === undefined ? '' : `"expirationTimestamp":"${rfc3339(expiresAt)}"`;
  if (secret && authtype === undefined && isJsonSecret(secret)) {
    openJsonSecret(secret, ['clientCertificateData', 'clientKeyData'], []);
    writeJsonSecretWith(secret, date, output);
    return;
  }
  if (!isBearer(credential)) {
    throw new KeyholdError(
      'unsupported',
      'what is held is neither a token nor a certificate, and kubectl sends no other',
    );
  }
  output.text('{"token":');
  writeJsonSecret(secret!, output);
  output.text(date === '' ? '}' : `,${date}}`);
}
