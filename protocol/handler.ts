import type { AboutChange } from './about.ts';
import type { Attributes } from './attributes.ts';
import type { Capabilities } from './capabilities.ts';
import type { Credential, EpochSeconds, Seconds, Target } from './credential.ts';
import type { Made } from './made.ts';
import type { Secret } from './secret.ts';
import type { Status } from './status.ts';

/** What somebody asks for. `get`, `store` and `erase` carry a target; other actions read `attributes`. */
export type CredentialRequest = {
  readonly action: string;
  /** Present when the request named both protocol and host, as they must be for get, store and erase. */
  readonly target?: Target | undefined;
  readonly capabilities: Capabilities;
  /** The target is meant as it stands: where it has no path, a credential with one is another. On the wire
   * of an `explain` only. */
  readonly exactPath?: boolean | undefined;
  /** The credential with this id and no other. */
  readonly id?: string | undefined;

  // What a store brings, and what an erase must match.
  readonly secret?: Secret | undefined;
  readonly authtype?: string | undefined;
  readonly refreshToken?: Secret | undefined;
  readonly expiresAt?: EpochSeconds | undefined;
  /** Not to be kept. */
  readonly ephemeral?: boolean | undefined;
  /** Held in memory only, for so long. */
  readonly timeout?: Seconds | undefined;
  /** What a store says of the token. */
  readonly about?: AboutChange | undefined;
  /** How what a store brings came to be; absent: a tool stores it. */
  readonly made?: Made | undefined;
  /** The id of the credential whose value a store replaces, wherever it stands; never on the wire. */
  readonly replaces?: string | undefined;
  /** What must stand in the place of a store; where something else does, nothing is kept and the answer is `denied`. */
  readonly onlyOver?: Standing | undefined;
  /** Keep it although it is known to be revoked. */
  readonly force?: boolean | undefined;
  /** git's opaque memory between its rounds; only ours, and only if its seal is good, means anything. */
  readonly state?: readonly string[] | undefined;

  // How a get may be answered.
  /** How long the caller is willing to wait for a human; 0 and absent: not at all. */
  readonly wait?: Seconds | undefined;
  /** False: no human is there. */
  readonly interactive?: boolean | undefined;
  /** How long the secret must still live. */
  readonly minTtl?: Seconds | undefined;

  // Where the request comes from. The first two are wire values (text.ts).
  /** The caller's working directory. */
  readonly cwd?: string | undefined;
  /** The folder of the repository that a helper works for, where its tool says so (repository.ts); never on the wire. */
  readonly repository?: string | undefined;
  /** The first folder in or above the one that chooses a profile (`placeOf`) that another user could write, as text: no folder from
   * there upward chooses one. Never on the wire; the agent finds it out. */
  readonly boundary?: string | undefined;
  /** The profile that the caller asks for by name. */
  readonly profile?: string | undefined;
  /** The front that asks: the helper run's, or the one that a store of ours names (fronts.ts). */
  readonly front?: string | undefined;
  /** The adapter of the helper run that the request was made in; never on the wire. */
  readonly tool?: string | undefined;

  /** Everything as it came; management actions read theirs here. */
  readonly attributes: Attributes;
};

/** What a request says once its action has read its attributes. */
export type DecodedRequest = Omit<CredentialRequest, 'action' | 'attributes'>;

/**
 * What a caller has seen in the place of a store. `storedAt`: the credential that was stored then, 0 for none (`if_stored_at` on
 * the wire). `value`: a credential of this value, also at rest; never on the wire. Borrowed.
 */
export type Standing = { readonly storedAt: EpochSeconds } | { readonly value: Secret };

/** One `key=value` of an answer to a management action, as a wire value (text.ts). */
export type Detail = readonly [key: string, value: string];

/**
 * The answer. `ok` to a get carries the credential; its secrets are borrowed and must be used before the next await.
 * Every other status carries a message: what, why, what to do next.
 */
export type CredentialReply =
  | {
      readonly status: 'ok';
      readonly credential?: Credential | undefined;
      readonly state?: readonly string[] | undefined;
      /** To git, of a credential without a username: what its service wants git to send; never on the wire. */
      readonly gitUsername?: string | undefined;
      /** What an erase has removed, for the audit log; never on the wire. */
      readonly removed?: readonly (Target & { readonly id: string })[] | undefined;
      /** The credentials that were served, kept or erased, for the audit log; never on the wire. */
      readonly ids?: readonly string[] | undefined;
      /** Nothing was changed and nothing of what is held was told: the audit log has no entry for it. Never on the wire. */
      readonly isUnrecorded?: boolean | undefined;
      readonly details?: readonly Detail[] | undefined;
      readonly message?: string | undefined;
    }
  | {
      readonly status: Exclude<Status, 'ok'>;
      readonly message: string;
      readonly details?: readonly Detail[] | undefined;
    };

/** Every answer but `ok`. */
export type Refusal = Exclude<CredentialReply, { status: 'ok' }>;

/**
 * The one function type on both sides of the wire. The agent yields one for each caller, `serve` puts one on a wire,
 * `connect` gets it back. It answers every request and throws only `KeyholdError`s; the request's secrets are borrowed
 * until the promise settles.
 */
export type Handler = (request: CredentialRequest) => Promise<CredentialReply>;
