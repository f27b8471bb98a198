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
import { optionsIn } from './options.ts';
import { readPemPair } from './pem.ts';
import { forAccount, isServerOf, targetOfUrl } from './url.ts';

const INFO = 'KUBERNETES_EXEC_INFO';
const GROUP = 'client.authentication.k8s.io';
const versions: readonly string[] = [`${GROUP}/v1`, `${GROUP}/v1beta1`];
const USAGE =
  'usage: keyhold-helper kubectl get URL [--server URL] [--account NAME], run by kubectl; or kubectl store URL < PEM (certificate and key)';

/** A certificate of the contract's own, which certifies nothing, and what stands in the place of its key. */
const PROBE_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBLjCB4aADAgECAhRnkLsY7283bDKZ0axBy1XGudNJkTAFBgMrZXAwDDEKMAgG
A1UEAwwBaDAgFw0yNjEyMDEwNzMwMzFaGA8yMTI2MTEwNzA3MzAzMVowDDEKMAgG
A1UEAwwBaDAqMAUGAytlcAMhAHzIPEE4fxkwFM2/+E2FI9CXIRtwoU/3Q4TVBLcp
govPo1MwUTAdBgNVHQ4EFgQU1co0R1ajw/mj/F0NAz4pz9mLa+owHwYDVR0jBBgw
FoAU1co0R1ajw/mj/F0NAz4pz9mLa+owDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXAD
QQC1pEJb+EwvwiCIGRYUmGYK3/KAwe+wWGJZvhm/F+PTbL6g6lB11jRCMmmejm8P
GYsNge7J/ovFJOMptQkqnb0E
-----END CERTIFICATE-----`;
const PROBE_KEY = '-----BEGIN PRIVATE KEY-----\nprobe+EXAMPLE\n-----END PRIVATE KEY-----\n';

/**
 * The exec credential plugin of kubectl and everything built on client-go: `kubectl get URL` answers a token, or a
 * client certificate with its key, in the version that was asked for. It never needs the terminal that
 * `interactiveMode` may offer. `kubectl store URL` takes a certificate and its key as PEM.
 *
 * A token goes to no other server than the one that it is kept for, or that `--server` names: with `provideClusterInfo`
 * kubectl says in the exec info which one it will send it to, and a kubeconfig may have been changed since.
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
  probe: {
    get: [
      {
        arguments: ['get', 'https://h'],
        environment: {
          [INFO]: `{"kind":"ExecCredential","apiVersion":"${GROUP}/v1","spec":{"cluster":{"server":"https://h"}}}`,
        },
        miss: { stdout: '', stderr: 'keyhold: there is none\n', exitCode: exitCodeOf('not-found') },
      },
    ],
    store: { arguments: ['store', 'https://h'], input: `${PROBE_CERTIFICATE}\n${PROBE_KEY}` },
  },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const [operation, url = '', ...more] = invocation.arguments;
    const options = optionsIn(more, operation === 'get' ? ['server', 'account'] : []);
    const named = options && targetOfUrl(url);
    const target = named && forAccount(named, options.account);
    const isPinned = options?.server !== undefined;
    const pinned = isPinned ? targetOfUrl(options.server!) : target;
    if (!target || !pinned || (operation !== 'get' && operation !== 'store')) {
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
    const asked = readInfo(invocation);
    if (asked === undefined) {
      invocation.warn(`cannot answer: ${INFO} asks for no ExecCredential of version v1 or v1beta1`);
      return 1;
    }
    const { version, server } = asked;
    const sentTo = server === undefined ? pinned : targetOfUrl(server);
    if (!sentTo || !isServerOf(sentTo, pinned)) {
      const allowed = isPinned ? `, which may go to ${options.server}` : '';
      const as = options.account === undefined ? '' : ` --account ${options.account}`;
      invocation.warn(
        `cannot give kubectl the token kept for ${url}${allowed}: kubectl would send it to ${server}; to allow that, run: keyhold setup kubectl --context CONTEXT --for ${url} --server ${server}${as}`,
      );
      return exitCodeOf('denied');
    }
    const reply = await ask(handler, { action: 'get', target, takesAuthtype: true });
    if (reply.status !== 'ok') {
      invocation.warn(reply.message);
      return exitCodeOf(reply.status);
    }
    if (server === undefined && !isPinned) invocation.warn(UNSAID);
    invocation.output.text(`{"apiVersion":"${version}","kind":"ExecCredential","status":`);
    writeStatus(reply.credential!, invocation);
    invocation.output.text('}\n');
    return 0;
  },
};

const UNSAID =
  'kubectl does not say which server it sends this token to; run once more: keyhold setup kubectl --context CONTEXT';

/** The version that kubectl wants, which is the only one that it takes, and the server that it will send the answer to. */
function readInfo({
  environment,
}: Invocation): { readonly version: string; readonly server: string | undefined } | undefined {
  const info = environment.get(INFO);
  if (info === undefined) return undefined;
  try {
    const object = JsonObject.read(Buffer.from(info, 'latin1'));
    const version = object.text('apiVersion') ?? '';
    if (object.text('kind') !== 'ExecCredential' || !versions.includes(version)) return undefined;
    const cluster = object.object('spec')?.object('cluster');
    // A cluster without a readable server is one that the token is not for.
    return { version, server: cluster && (cluster.text('server') ?? 'no server') };
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
