import { Attributes } from '../attributes.ts';
import type { EpochSeconds, Seconds, Target } from '../credential.ts';
import { asFault, KeyholdError } from '../errors.ts';
import type { CredentialReply, Handler } from '../handler.ts';
import { SECRET_MAX } from '../limits.ts';
import { expose, type Secret } from '../secret.ts';
import { isControl } from '../writer.ts';

export type Asked = {
  readonly action: 'get' | 'store' | 'erase';
  readonly target: Target;
  /** What a store brings. */
  readonly secret?: Secret | undefined;
  readonly expiresAt?: EpochSeconds | undefined;
  /** The tool can send any Authorization header, not only a username and a password. */
  readonly takesAuthtype?: boolean;
  /** How long the secret must still live, by the tool's own rule. */
  readonly minTtl?: Seconds;
};

/**
 * One request of a helper run, about exactly `target`: where that has no path, a credential with one is not meant.
 * What the handler throws is answered as its status, so that an adapter tells every outcome in one place.
 */
export async function ask(handler: Handler, asked: Asked): Promise<CredentialReply> {
  const { action, target, secret, expiresAt, takesAuthtype = false, minTtl } = asked;
  const capabilities = { authtype: takesAuthtype, state: false, keyhold: true };
  try {
    refuseControls(asked.target, secret);
    if (action === 'store') refuseLong(secret);
    const reply = await handler({
      action,
      target,
      exactPath: true,
      capabilities,
      secret,
      expiresAt,
      minTtl,
      interactive: false,
      attributes: new Attributes(),
    });
    if (reply.status === 'ok' && reply.credential) refuseControls(reply.credential, reply.credential.secret);
    return reply;
  } catch (error) {
    const { status, message } = asFault(error);
    return { status, message };
  }
}

/**
 * Several tools put what they are given into a header without a look at it, and none of them may be told to send
 * another header with it: neither what is stored nor what is given holds a control byte.
 */
function refuseControls(
  { path = '', username = '', ...more }: Target & { authtype?: string | undefined },
  secret?: Secret,
): void {
  const text = Buffer.from(`${path}${username}${more.authtype ?? ''}`, 'latin1');
  const bytes = secret ? expose(secret) : text;
  const isUnfit = text.some(isControl) || bytes.some(isControl);
  bytes.fill(0);
  if (isUnfit) throw new KeyholdError('bad_request', 'cannot pass it on: a value holds a control byte');
}

/** As on the wire, where a longer one could never be given out again. */
function refuseLong(secret: Secret | undefined): void {
  if (secret && secret.length > SECRET_MAX) {
    throw new KeyholdError('bad_request', `cannot store: the secret is longer than ${SECRET_MAX} bytes`);
  }
}

/**
 * A get for a tool that sends what it gets to `target`'s host only: the credential of the very path, and where there is
 * none, the one that is kept for the whole host. The scheme is never another, so nothing kept for https goes out in the
 * clear.
 */
export async function askForHost(handler: Handler, asked: Omit<Asked, 'action'>): Promise<CredentialReply> {
  const exact = await ask(handler, { ...asked, action: 'get' });
  if (exact.status !== 'not-found' || asked.target.path === undefined) return exact;
  return ask(handler, { ...asked, action: 'get', target: { ...asked.target, path: undefined } });
}
