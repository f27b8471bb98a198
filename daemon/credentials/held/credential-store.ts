import type { SecretKeeper } from '../../../protocol/secret.ts';
import type { Clock } from '../../clock.ts';
import { OwnRecords } from '../../history/tombstones/own-records.ts';
import { type LeasePolicy, silentPolicy } from '../unlocked/lease.ts';
import { type Entries, UnlockedSet } from '../unlocked/set.ts';
import { Changes } from './changes.ts';
import { Leases } from './leases.ts';
import { Lifecycle, type LifecycleParts } from './lifecycle.ts';
import { TargetQueue } from './queue.ts';
import { Values } from './values.ts';

/** Everything that is held, in its parts. Each user declares the parts that it needs: `Pick<CredentialStore, 'entries'>`. */
export type CredentialStore = {
  /** What is held. */
  readonly entries: Entries;
  /** In which order changes run. */
  readonly queue: Pick<TargetQueue, 'run'>;
  /** Changes of what is held, each run in the queue. */
  readonly changes: Changes;
  /** How long values may be served from memory. */
  readonly leases: Pick<Leases, 'isServable' | 'left' | 'touch' | 'beginKey'>;
  /** The values, which access/release.ts hands out. */
  readonly values: Values;
  /** The backend in use, and whether credentials may be served. */
  readonly lifecycle: Lifecycle;
  /** What we keep ourselves beside the credentials. */
  readonly own: OwnRecords;
};

export type CredentialStoreParts = Pick<LifecycleParts, 'emit' | 'lockMark' | 'onRest' | 'onOpen'> & {
  readonly keep: SecretKeeper;
  readonly clock: Clock;
  /** Leases for backends that are read again silently; a passphrase vault has its own, shorter one at most. */
  readonly lease?: LeasePolicy | undefined;
};

/** An empty store, which waits for its backend: `lifecycle.open`. End it with `lifecycle.dispose`. */
export function openCredentialStore(parts: CredentialStoreParts): CredentialStore {
  const { keep, clock, lease = silentPolicy } = parts;
  const set = new UnlockedSet();
  const queue = new TargetQueue();
  const own = new OwnRecords((verb) => lifecycle.backendFor(verb));
  const leases = new Leases(set, clock, lease, {
    hasPassphrase: () => lifecycle.backend?.needsPassphrase ?? false,
    isOpen: () => lifecycle.state === 'open',
    end: () => lifecycle.forget(),
  });
  const lifecycle: Lifecycle = new Lifecycle({ ...parts, set, own, queue, leases });
  const values = new Values({ set, leases, lifecycle, keep, clock });
  const changes = new Changes({ set, own, leases, lifecycle, keep, clock });
  return { entries: set, queue, changes, leases, values, lifecycle, own };
}
