import type { Seconds } from '../../protocol/credential.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import { toWire } from '../../protocol/text.ts';
import type { Secrets } from '../backends/backend.ts';
import { disposeSecrets, withBytes } from '../backends/secrets.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { HalfFinished } from '../half-finished.ts';
import { type Granted, keepGrant } from './keep-grant.ts';
import type { SignInParts, WayBack } from './login-wanted.ts';
import type { OAuthPlan } from './oauth-plan.ts';
import { refused } from './sign-in-outcome.ts';

/** A login that is not kept yet, with copies of its secrets. */
type Waiting = { readonly login: Granted; readonly secrets: Secrets };

/**
 * What a provider granted is kept, unless the login at its place is of another account: then a person decides which of the two
 * stays, and until then the new one is withheld here.
 */
export class Withheld {
  readonly #parts: SignInParts;
  readonly #waiting: HalfFinished<Waiting>;

  constructor(parts: SignInParts, life: Seconds, max: number) {
    this.#parts = parts;
    const dispose = ({ secrets }: Waiting) => disposeSecrets(secrets);
    this.#waiting = new HalfFinished({ clock: parts.clock, life, max, dispose });
  }

  has(handle: string): boolean {
    return this.#waiting.get(handle) !== undefined;
  }

  dispose(): void {
    this.#waiting.dispose();
  }

  /** Keeps a login, or answers `interaction-required` with what it would replace. The secrets are borrowed. */
  async keepUnlessOther(login: Granted, secrets: Secrets): Promise<CredentialReply> {
    const result = await keepGrant(this.#parts, login, secrets, (before) => !isOther(before, login));
    return 'kept' in result ? this.#kept(result.kept, login, secrets) : this.#withhold(result.stays, login, secrets);
  }

  /** Ends one that was withheld: it replaces the login with the id `replaces`, or it is revoked at its provider. */
  async end(
    handle: string,
    { replaces, isDropped }: Pick<WayBack, 'replaces' | 'isDropped'>,
  ): Promise<CredentialReply> {
    if (!isDropped && replaces === undefined) return refused('bad-request', 'it needs replace=ID, or drop=1');
    const { login, secrets } = this.#waiting.take(handle)!;
    try {
      if (isDropped) return await this.#drop(login, secrets);
      const result = await keepGrant(
        this.#parts,
        login,
        secrets,
        (before) => before.id === replaces || !isOther(before, login),
      );
      if ('kept' in result) return this.#kept(result.kept, login, secrets);
      return refused('denied', 'another login was kept there meanwhile, and that one stays; begin again');
    } finally {
      disposeSecrets(secrets);
    }
  }

  #kept({ id }: Entry, { meant }: Granted, { refreshToken }: Secrets): CredentialReply {
    this.#parts.emit({ kind: 'signed-in', id, service: meant.manifest?.id });
    const refreshes = refreshToken ? '1' : '0';
    return {
      status: 'ok',
      ids: [id],
      details: [
        ['id', id],
        ['refreshes', refreshes],
      ],
    };
  }

  #withhold(before: Entry, login: Granted, { secret, refreshToken }: Secrets): CredentialReply {
    const copy = (one: Secret | undefined) => one && withBytes(one, this.#parts.keep);
    const handle = this.#waiting.add({ login, secrets: { secret: copy(secret), refreshToken: copy(refreshToken) } });
    const account = login.account!;
    const why = `the account is ${account}, and a login of ${before.about?.account} is kept there; nothing was changed`;
    return {
      ...refused('interaction-required', why),
      details: [
        ['login', handle],
        ['replaces', before.id],
        ['account', toWire(account)],
      ],
    };
  }

  /** A login that is not wanted is ended at its provider, where that has a call for it (RFC 7009). */
  async #drop({ meant: { provider }, by }: Granted, { secret, refreshToken }: Secrets): Promise<CredentialReply> {
    // A client's own secret is no token: it proves who asks.
    const isClient = by === 'client-secret';
    const token = !isClient && refreshToken ? { refreshToken } : { token: secret! };
    const ended = { ...token, ...(isClient && refreshToken && { password: refreshToken }) };
    const plan: OAuthPlan = { ...this.#parts.route(), ...provider, act: 'revoke' };
    const answer = provider.revokeUrl === undefined ? undefined : await this.#parts.upstream.run('oauth', plan, ended);
    const isRevoked = answer !== undefined && 'oauth' in answer.reply;
    return { status: 'ok', details: [['upstream', isRevoked ? 'revoked' : 'kept']] };
  }
}

/** Whether a login is of another account than the one that is kept at its place, as far as both are known. */
function isOther({ about }: Entry, { given: { subject }, account }: Granted): boolean {
  const before = about?.oauth?.subject;
  if (before !== undefined && subject !== undefined) return before !== subject;
  return about?.account !== undefined && account !== undefined && about.account !== account;
}
