import type { Detail } from '../../protocol/handler.ts';
import type { SecretKeeper } from '../../protocol/secret.ts';
import type { Degradation } from '../backends/backend.ts';
import type { Backends } from '../backends/index.ts';
import type { MigrateRecovery } from '../backends/migrate-recovery.ts';
import type { Argon2Params } from '../backends/vault/passphrase.ts';
import type { Clock } from '../clock.ts';
import type { Agent } from '../credentials/agent.ts';
import type { Decider } from '../credentials/decide.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { ProfileBook } from '../credentials/profiles.ts';
import type { WorkingFolders } from '../credentials/working-folder.ts';
import type { Emit } from '../events/agent-event.ts';
import type { Audit } from '../history/audit/audit.ts';
import type { RestoreBin } from '../history/erased/restore-bin.ts';
import type { Tombstones } from '../history/tombstones/tombstones.ts';
import type { Meter } from '../metrics/meter.ts';
import type { SignIn } from '../oauth/sign-in.ts';
import type { Services } from '../services/index.ts';
import type { UnderWay } from './under-way.ts';

/** The parts of the agent that its actions need. Each action names the ones that it uses. */
export type Parts = {
  readonly agent: Agent;
  readonly credentials: CredentialStore;
  readonly tombstones: Tombstones;
  readonly bin: RestoreBin;
  readonly emit: Emit;
  readonly backends: Backends;
  readonly recovery: MigrateRecovery;
  readonly audit: Audit;
  readonly keep: SecretKeeper;
  readonly clock: Clock;
  readonly profiles: ProfileBook;
  readonly folders: WorkingFolders;
  readonly decider: Pick<Decider, 'settled'>;
  readonly meter: Meter;
  readonly services: Services;
  readonly signIn: SignIn;
  /** The requests that have asked a service for something: what it gives is kept before the agent ends. */
  readonly underWay: UnderWay;
  /** Facts of this process that `status` tells: where secrets lie, how callers are told apart, how many there are. */
  readonly facts: () => readonly Detail[];
  /** What is worse than it could be, outside the backend. */
  readonly degradations: () => readonly Degradation[];
  /** What the passphrase of a backup may cost. @default defaultArgon2 */
  readonly backupCost?: Argon2Params | undefined;
  /** Milliseconds that ending may take because a service has not answered yet. */
  readonly outFor: () => number;
  /** Drains and ends the process, once the answer is out. */
  readonly stop: () => void;
  /** Starts the agent that comes after this one, then does as `stop`. Throws where it cannot; this one goes on then. */
  readonly restart: () => Promise<void>;
  /** Takes the session bus of a caller, where the agent has none; empty for a caller without one. */
  readonly adoptBus?: (address: string) => void;
};
