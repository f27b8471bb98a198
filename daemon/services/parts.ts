import type { SecretKeeper } from '../../protocol/secret.ts';
import type { Agent } from '../credentials/agent.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Tombstones } from '../history/tombstones/tombstones.ts';
import type { ActorParts } from './actor.ts';
import type { CallParts } from './call.ts';
import type { RecheckParts, Rechecks } from './recheck.ts';
import type { KnownServices } from './which-service.ts';

/** What one request that asks a service is answered with. Each function declares the parts that it needs. */
export type RequestParts = CallParts &
  ActorParts &
  KnownServices & {
    readonly credentials: CredentialStore;
    readonly tombstones: Tombstones;
    /** Keeps what a service gave out, as any other store. */
    readonly agent: Pick<Agent, 'store'>;
    readonly rechecks: Pick<Rechecks, 'keep' | 'of'>;
    readonly keep: SecretKeeper;
  };

/** What all requests that ask a service share. */
export type ServicesParts = Omit<RequestParts, 'caller' | 'acting' | 'verdicts' | 'rechecks'> &
  Pick<RecheckParts, 'audit' | 'mayRecheck'>;
