import type { Seconds, Target } from '../../protocol/credential.ts';
import type { Secret, SecretKeeper } from '../../protocol/secret.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import type { Clock } from '../clock.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Emit } from '../events/agent-event.ts';
import type { NewToken } from '../services/whose.ts';
import type { Route } from '../upstream/plan.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Provider } from './oauth-plan.ts';
import type { Refresher, RefresherParts } from './refresher.ts';

/** What a login is made with. */
export type SignInParts = {
  readonly credentials: Pick<CredentialStore, 'entries' | 'queue' | 'changes' | 'lifecycle'>;
  readonly marks: RefresherParts['marks'];
  readonly refresher: Refresher;
  readonly upstream: Pick<Upstream, 'run'>;
  readonly route: () => Route;
  readonly services: () => readonly Manifest[];
  readonly clock: Clock;
  readonly keep: SecretKeeper;
  readonly emit: Emit;
  /** Whose a token is, as its service says; undefined where it does not say, or does not answer. The secret is borrowed. */
  readonly whoseToken: (manifest: Manifest, token: NewToken) => Promise<{ readonly name: string | undefined }>;
};

/** What a person asks for who begins a login. Texts are text for people. */
export type LoginWanted = {
  readonly target: Target;
  readonly way: string | undefined;
  /** The service's id, where one is named. */
  readonly service: string | undefined;
  readonly issuer: string | undefined;
  readonly clientId: string | undefined;
  readonly scopes: readonly string[] | undefined;
  /** Where the browser comes back to: on this machine. */
  readonly redirect: string | undefined;
  /** The client's secret, for `way` client. Borrowed. */
  readonly password: Secret | undefined;
};

/** What came of a login that was begun. */
export type WayBack = {
  readonly login: string;
  readonly code: Secret | undefined;
  readonly state: string | undefined;
  readonly issuer: string | undefined;
  readonly error: string | undefined;
  /** Of a login that was withheld: the id of the credential that it may replace, or that it is not wanted. */
  readonly replaces: string | undefined;
  readonly isDropped: boolean;
};

/** What a login is for, and at which provider. */
export type Meant = {
  readonly target: Target;
  readonly manifest: Manifest | undefined;
  readonly provider: Provider;
  readonly scopes: readonly string[] | undefined;
  readonly leeway: Seconds | undefined;
};
