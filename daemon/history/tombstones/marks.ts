import { createHmac, randomBytes, randomFillSync } from 'node:crypto';
import type { About } from '../../../protocol/about.ts';
import type { Target } from '../../../protocol/credential.ts';
import { type Secret, type SecretKeeper, wipeable } from '../../../protocol/secret.ts';
import { type Manifest, serviceFor, shownOf } from '../../../protocol/services/index.ts';
import type { Held } from '../../backends/backend.ts';
import { withBytes } from '../../backends/secrets.ts';
import type { Clock } from '../../clock.ts';
import type { CredentialStore } from '../../credentials/held/credential-store.ts';
import { ownTarget } from './own-records.ts';

/** Hexadecimal digits of a mark: 128 bits, so that no two values ever share one. */
const MARK_DIGITS = 32;
/** Those that people see, and by which two tokens are told to be one. */
const FINGERPRINT_DIGITS = 16;
/** Hexadecimal digits of a key, 256 bits of chance: text, because some keyrings hold nothing else. */
const KEY_DIGITS = 64;

/** What a value is recognised by: an HMAC, and the name of the key under which it was made. */
export type Mark = { readonly key: string; readonly digits: string };

/** What may be noted of a value, and its mark; no mark where there is no key yet and none may be made. */
export type Noted = { readonly about: About; readonly mark: Mark | undefined };

export type MarksParts = {
  readonly credentials: Pick<CredentialStore, 'own'>;
  readonly keep: SecretKeeper;
  readonly clock: Clock;
  /** The services of the moment. */
  readonly services: () => readonly Manifest[];
};

/**
 * Recognises values without keeping them: by an HMAC of their canonical form, under a random key of ours that rests in the
 * backend. Who has the marks and not the key can tell nothing from them, not even that a guess is right.
 */
export class Marks {
  readonly #credentials: Pick<CredentialStore, 'own'>;
  readonly #keep: SecretKeeper;
  readonly #clock: Clock;
  readonly #services: () => readonly Manifest[];
  #making: Promise<void> | undefined;

  constructor({ credentials, keep, clock, services }: MarksParts) {
    this.#credentials = credentials;
    this.#keep = keep;
    this.#clock = clock;
    this.#services = services;
  }

  /**
   * What the agent itself notes of a value: service, kind and id where its place and form say so, prefix and fingerprint. `about`
   * is what is known already. With `mayMake` a key is made where there is none. The secret is borrowed.
   */
  async note(secret: Secret, target: Target, about: About | undefined, mayMake: boolean): Promise<Noted> {
    const key = (await this.#key()) ?? (mayMake ? await this.#makeKey() : undefined);
    const manifest = this.#manifestOf(target, about);
    return withBytes(secret, (bytes) => {
      const { canonical, kind, prefix, tokenId } = shownOf(bytes, manifest, about?.kind);
      const mark = key && { key: key.name, digits: digitsOf(key.secret, canonical) };
      canonical.fill(0);
      return {
        about: {
          service: about?.service ?? manifest?.id,
          // A kind that the value does not have is none; what the service has no form for is believed.
          kind: kind ?? (manifest?.kinds.some(({ name }) => name === about?.kind) ? undefined : about?.kind),
          tokenId: about?.tokenId ?? tokenId,
          prefix,
          fingerprint: mark?.digits.slice(0, FINGERPRINT_DIGITS),
        },
        mark,
      };
    });
  }

  /** The marks of a value under each of some keys, as far as these are there. The secret is borrowed. */
  async marksOf(secret: Secret, target: Target, about: About | undefined, keys: Iterable<string>): Promise<Mark[]> {
    const manifest = this.#manifestOf(target, about);
    const marks: Mark[] = [];
    for (const name of keys) {
      const key = await this.#keyNamed(name);
      if (!key) continue;
      withBytes(secret, (bytes) => {
        const { canonical } = shownOf(bytes, manifest, about?.kind);
        marks.push({ key: name, digits: digitsOf(key, canonical) });
        canonical.fill(0);
      });
    }
    return marks;
  }

  #manifestOf(target: Target, about: About | undefined): Manifest | undefined {
    const services = this.#services();
    if (about?.service !== undefined) return services.find(({ id }) => id === about.service);
    const found = serviceFor(target, services);
    return found.status === 'found' ? found.manifest : undefined;
  }

  /** The key that new marks are made with: the oldest, so that it stays the same when others are restored beside it. */
  async #key(): Promise<{ readonly name: string; readonly secret: Secret } | undefined> {
    for (const held of this.#credentials.own.of('mark-key')) {
      const secret = await this.#credentials.own.secretOf(held);
      if (secret) return { name: held.path!, secret };
    }
    return undefined;
  }

  async #keyNamed(name: string): Promise<Secret | undefined> {
    const held = this.#credentials.own.of('mark-key').find(({ path }) => path === name);
    return held && (await this.#credentials.own.secretOf(held));
  }

  async #makeKey(): Promise<{ readonly name: string; readonly secret: Secret } | undefined> {
    this.#making ??= this.#makeOne().finally(() => {
      this.#making = undefined;
    });
    await this.#making;
    return this.#key();
  }

  async #makeOne(): Promise<void> {
    const id = randomBytes(10).toString('hex');
    const held: Held = { ...ownTarget('mark-key', id), id, storedAt: this.#clock.now() };
    const digits = randomDigits(KEY_DIGITS);
    const secret = this.#keep(digits);
    digits.fill(0);
    await this.#credentials.own.put(held, secret);
  }
}

function digitsOf(key: Secret, canonical: Uint8Array): string {
  return withBytes(key, (raw) => createHmac('sha256', raw).update(canonical).digest('hex').slice(0, MARK_DIGITS));
}

const DIGITS = new TextEncoder().encode('0123456789abcdef');

function randomDigits(count: number): Uint8Array {
  const digits = randomFillSync(wipeable(count));
  for (const [at, byte] of digits.entries()) digits[at] = DIGITS[byte & 15]!;
  return digits;
}
