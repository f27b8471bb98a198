import type { Config } from '../protocol/config.ts';
import type { Places } from '../protocol/places.ts';
import type { Degradation } from './backends/backend.ts';
import type { Argon2Params } from './backends/vault/passphrase.ts';
import type { Clock } from './clock.ts';
import type { CredentialStore } from './credentials/held/credential-store.ts';
import type { LookAt } from './credentials/working-folder.ts';
import type { Herald } from './events/herald.ts';
import type { Log } from './log.ts';
import type { Native } from './native/native.ts';
import type { Sidecar } from './processes/sidecar.ts';
import type { Reception } from './socket/reception.ts';

/** What the agent is composed of that comes from outside. */
export type Composition = {
  readonly places: Places;
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly native: Native | undefined;
  /** The program of the keyring child. */
  readonly keyringChild: string;
  /** The program of the admin process. */
  readonly adminChild: string;
  /** The program of the upstream child. */
  readonly upstreamChild: string;
  /** The program of the events process. */
  readonly eventsChild: string;
  /** What was found wrong before composing: a configuration that cannot be read, say. */
  readonly degradations: readonly Degradation[];
  /** What the passphrase of a backup may cost. @default defaultArgon2 */
  readonly backupCost?: Argon2Params | undefined;
  /** Says whose a folder is. @default stat(2) */
  readonly lookAt?: LookAt | undefined;
  /** Called by every request as it begins. */
  readonly came?: () => void;
  /** The session that the agent was started in. @default elsewhere */
  readonly startedIn?: StartedIn | undefined;
  /** Called by the action `stop`. */
  readonly stop: () => void;
  /** Called by the action `restart`. */
  readonly restart: () => Promise<void>;
};

/** Where an agent was started, as its environment tells: what it can find of a desktop depends on that. */
export type StartedIn = 'systemd' | 'ssh' | 'desktop' | 'elsewhere';

/** The whole agent, without its listening socket: connections go in at `reception`. */
export type Composed = {
  readonly credentials: CredentialStore;
  /** Opens the backend; requests that come before it is open wait. Call it once the agent listens. */
  readonly open: () => Promise<void>;
  readonly reception: Reception;
  /** The HTTP views, for connections of admin.sock. */
  readonly admin: Sidecar;
  /** What happens, for connections of events.sock. */
  readonly events: Herald;
  /** Milliseconds that ending may take because a service has not answered yet; 0 if none was asked for a change. */
  readonly outFor: () => number;
  /** Answers what has begun, keeps what was acknowledged, wipes what is in memory. */
  readonly dispose: () => Promise<void>;
};
