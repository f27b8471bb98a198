import { readable, siftSecrets, whyUnfitId } from '../../../daemon/upstream/incoming.ts';
import type { Plan, Reply, SecretName } from '../../../daemon/upstream/plan.ts';
import type { UpstreamAnswer } from '../../../daemon/upstream/upstream.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { secretFromText } from '../../../protocol/secret.ts';
import {
  causeOf,
  gatherManifests,
  type Manifest,
  type Operation,
  type Read,
} from '../../../protocol/services/index.ts';
import { compileServices } from '../../../scripts/build/services.ts';
import { textOf } from '../core.ts';

const root = new URL('../../../', import.meta.url).pathname;

/** The built-in manifests. */
export const builtIn: readonly Manifest[] = gatherManifests(await compileServices(root), []).manifests;

/** A token as the service knows it. */
export type Known = {
  readonly id: string;
  readonly name: string;
  readonly value: string;
  isAlive: boolean;
  /** In its list, where a test says so. */
  createdAt?: number;
};

type Answered = { readonly reply: Reply; readonly secrets?: ReadonlyMap<SecretName, Secret> };

/** What somebody may do around each call: fail in its place (before), lose its answer (after), or never come back. */
export type Around = (when: 'before' | 'after', operation: Operation) => Promise<Reply | undefined>;

const listed = ({ id, name, createdAt }: Known) => ({ id, name, ...(createdAt !== undefined && { createdAt }) });

/**
 * A service in the place of the upstream child: it makes, lists, trades and ends tokens, takes no dead one, and never says a value but
 * where it makes one.
 */
export class ScriptedService {
  readonly tokens: Known[] = [];
  /** The operations that came, in order. */
  readonly asked: Operation[] = [];
  /** Seconds that the tokens live that it makes from now on. */
  life: number | undefined = 90 * 86_400;
  /** What a fresh token is had for, and whether it is spent by that. */
  refreshToken: string | undefined;
  spendsRefreshToken = false;
  /** How the values begin that it makes; undefined: they are JWTs. */
  prefix: string | undefined;
  /** Makes tokens that it does not take. */
  makesDead = false;
  /** What it answers in place of a value that it would make. */
  answersValue: string | undefined;
  /** The id of the next token that it makes. */
  nextId: string | undefined;
  /** Whose a token is, by its value. */
  holderOf: (value: string) => Read = () => ({ user: 'ada' });
  /** The account that each name, such as an e-mail address, signs in to. */
  readonly logins = new Map<string, string>();
  /** Whether the answer to a login says whose session it is. */
  tellsUser = true;
  around: Around = async () => undefined;
  readonly #manifest: Manifest;
  readonly #now: () => number;

  constructor(manifest: Manifest, now: () => number) {
    this.#manifest = manifest;
    this.#now = now;
    this.prefix = manifest.kinds[0]?.format?.decode === 'jwt' ? undefined : 'apkg_';
  }

  add(name: string, value?: string): Known {
    const id = this.nextId ?? `id-${this.tokens.length}`;
    this.nextId = undefined;
    const token = { id, name, value: value ?? this.#valueOf(id, name), isAlive: true };
    this.tokens.push(token);
    return token;
  }

  #valueOf(id: string, name: string): string {
    const count = this.tokens.length;
    if (this.prefix !== undefined) return `${this.prefix}${name}-${count}-EXAMPLE`;
    const part = (document: object) => Buffer.from(JSON.stringify(document)).toString('base64url');
    return `${part({ alg: 'HS256' })}.${part({ jti: id, sub: name, count })}.signature-EXAMPLE`;
  }
  alive(): string[] {
    return this.tokens.filter(({ isAlive }) => isAlive).map(({ value }) => value);
  }

  async run<R = Reply>(
    _: string,
    plan: { readonly deadline: number },
    secrets: Readonly<Partial<Record<SecretName, Secret>>>,
  ): Promise<UpstreamAnswer<R>> {
    const { operation, values } = plan as Plan;
    this.asked.push(operation);
    // Borrowed until it is under way, as with the child.
    const token = secrets.token && textOf(secrets.token);
    const refreshToken = secrets.refreshToken && textOf(secrets.refreshToken);
    const early = await this.around('before', operation);
    if (early) return { reply: early as R, secrets: new Map() };
    if (operation === 'login') {
      const login = this.#login(values);
      return { reply: login.reply as R, ...siftSecrets(login.secrets ?? new Map()) };
    }
    const done = refreshToken === undefined ? this.#answer(operation, values, token) : this.#refreshed(refreshToken);
    const late = await this.around('after', operation);
    if (late) return { reply: late as R, secrets: new Map() };
    return { reply: done.reply as R, ...siftSecrets(done.secrets ?? new Map()) };
  }
  dispose(): void {}

  #login({ username }: Plan['values']): Answered {
    const account = this.logins.get(String(username));
    if (account === undefined) return this.#refuse('login', 401);
    const given = this.#given(this.add(account));
    const read: Read = { ...given.reply.read, ...(this.tellsUser && { user: account }) };
    return { ...given, reply: { ...given.reply, read } };
  }

  #answer(operation: Operation, values: Plan['values'], token: string | undefined): Answered {
    const caller = this.tokens.find(({ value, isAlive }) => isAlive && value === token);
    if (!caller) return this.#refuse(operation, 401);
    const id = values.id ?? caller.id;
    const named = this.tokens.find((one) => one.id === id);
    switch (operation) {
      case 'whoami':
        return { reply: { status: 200, read: this.holderOf(caller.value) } };
      case 'list':
        return {
          reply: {
            status: 200,
            read: {},
            items: this.tokens
              .filter(isAlive)
              .map(listed)
              .map((one) => readable(one)),
          },
        };
      case 'create':
        return this.#given(this.add(String(values.name)));
      case 'refresh':
      case 'rotate':
        if (named) named.isAlive = false;
        return this.#given(this.add(named?.name ?? ''));
      case 'revoke':
      case 'revokeSelf':
        if (!named?.isAlive) return this.#refuse(operation, 404);
        named.isAlive = false;
        return { reply: { status: 204, read: {} } };
      default:
        return this.#refuse(operation, 404);
    }
  }

  /** By its refresh token, which a service may spend. */
  #refreshed(refreshToken: string): Answered {
    if (refreshToken !== this.refreshToken) return this.#refuse('refresh', 401);
    for (const token of this.tokens) token.isAlive = false;
    const given = this.#given(this.add('refreshed'));
    if (this.spendsRefreshToken) {
      this.refreshToken = `${refreshToken}-next`;
      given.secrets.set('refreshToken', secretFromText(this.refreshToken));
    }
    return given;
  }

  #given(token: Known) {
    if (this.makesDead) token.isAlive = false;
    const { id, name, value } = token;
    const now = this.#now();
    const dates = this.life === undefined ? {} : { createdAt: now, expiresAt: now + this.life };
    const secrets = new Map<SecretName, Secret>([['value', secretFromText(this.answersValue ?? value)]]);
    const read: Read = { id, name, ...dates };
    const unfitId = whyUnfitId(read);
    return { reply: { status: 201, read: readable(read), ...(unfitId && { unfitId }) }, secrets };
  }

  #refuse(operation: Operation, status: number): { readonly reply: Reply } {
    const cause = causeOf(this.#manifest, { operation, status, text: '' });
    return { reply: { status, cause, read: {} } };
  }
}

const isAlive = (token: Known) => token.isAlive;
