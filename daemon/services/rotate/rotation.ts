import type { About } from '../../../protocol/about.ts';
import type { EpochSeconds, Target } from '../../../protocol/credential.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import type { Held } from '../../backends/backend.ts';
import { copySecrets } from '../../backends/secrets.ts';
import type { Clock } from '../../clock.ts';
import { type OwnRecords, ownTarget } from '../../history/tombstones/own-records.ts';
import type { Holder } from '../probe.ts';
import { type Step, steps, type Way } from './machine.ts';

/** The journal of one rotation. There is no value in it. */
export type Rotation = {
  /** The id of the credential, which stays. */
  readonly credential: string;
  readonly target: Target;
  readonly service: string;
  readonly kind: string;
  readonly label: string;
  readonly way: Way;
  readonly step: Step;
  readonly beganAt: EpochSeconds;
  /** The service's ids of what it listed under this name before; absent where that is not known. */
  readonly before?: readonly string[] | undefined;
  /** Whose the old token is, as the service said before anything was asked for; absent where it did not say. */
  readonly holder?: Holder | undefined;
};

type RotationRecord = Held & { readonly rotation: Omit<Rotation, 'credential'> };

/** A value beside the credential, and what is known of it. */
export type Aside = { readonly secret: Secret; readonly about: About; readonly expiresAt: EpochSeconds | undefined };
type Which = 'rotation-old' | 'rotation-new';

/**
 * The journals of rotations, and the two values of each while it runs: records of our own in the backend, under its seals. Every
 * write is durable when it settles.
 */
export class RotationBook {
  readonly #own: OwnRecords;
  readonly #clock: Clock;
  readonly #keep: SecretKeeper;

  constructor(own: OwnRecords, clock: Clock, keep: SecretKeeper) {
    this.#own = own;
    this.#clock = clock;
    this.#keep = keep;
  }

  all(): Rotation[] {
    return this.#own.of('rotation').flatMap((record) => rotationIn(record) ?? []);
  }

  of(credential: string): Rotation | undefined {
    return this.all().find((one) => one.credential === credential);
  }

  async write({ credential, ...rotation }: Rotation): Promise<Rotation> {
    const record: RotationRecord = {
      ...ownTarget('rotation', credential),
      id: credential,
      storedAt: this.#clock.now(),
      rotation,
    };
    await this.#own.put(record);
    return { credential, ...rotation };
  }

  /** Keeps a copy of a value; what was kept in its place before is gone. */
  async keep(which: Which, credential: string, { secret, about, expiresAt }: Aside): Promise<void> {
    const held = { ...ownTarget(which, credential), id: credential, storedAt: this.#clock.now(), about, expiresAt };
    await this.#own.put(held, copySecrets({ secret }, this.#keep).secret);
  }

  /** A value that was kept; its secret is borrowed. Undefined if there is none. */
  async value(which: Which, credential: string): Promise<Aside | undefined> {
    const held = this.#own.of(which).find(({ id }) => id === credential);
    const secret = held && (await this.#own.secretOf(held));
    return secret && { secret, about: held.about ?? {}, expiresAt: held.expiresAt };
  }

  /** The rotation is over. The journal goes last: whoever finds it finds what is left of the values too. */
  async close(credential: string): Promise<void> {
    for (const kind of ['rotation-new', 'rotation-old', 'rotation'] as const) {
      const held = this.#own.of(kind).find(({ id }) => id === credential);
      if (held) await this.#own.remove(held);
    }
  }
}

/** Undefined for one that this version cannot read. */
function rotationIn(record: Held): Rotation | undefined {
  const { id, rotation } = record as Partial<RotationRecord> & Held;
  if (typeof rotation?.label !== 'string' || !steps.includes(rotation.step)) return undefined;
  return { credential: id, ...rotation };
}

const said: Readonly<Record<Step, string>> = {
  asked: 'a new token was asked for',
  made: 'the new token is kept beside the old one',
  probed: 'the new token works and is kept beside the old one',
  swapped: 'the new token serves, and the old one lives',
  revoking: 'the new token serves, and the old one is being revoked',
  revoked: 'the old token is revoked',
};

/** Where a rotation stands, for people. */
export function standing({ step }: Rotation): string {
  return said[step];
}

/** A value that lies aside as a token of its credential: what is known of the value, in the place of the credential. */
export function tokenOf(credential: Held, { about, expiresAt }: Pick<Aside, 'about' | 'expiresAt'>): Held {
  const { service, kind, account, tenant } = credential.about ?? {};
  return { ...credential, about: { service, kind, account, tenant, ...about }, expiresAt };
}

/** The same with its value, which makes a call. */
export function bearerOf(credential: Held, value: Aside): { readonly as: Held; readonly token: Secret } {
  return { as: tokenOf(credential, value), token: value.secret };
}

/** What is known of a credential by the journal of its rotation, where it was removed meanwhile. */
export function credentialIn({ credential, target, service, kind, label, beganAt }: Rotation): Held {
  return { ...target, id: credential, storedAt: beganAt, about: { service, kind, label } };
}
