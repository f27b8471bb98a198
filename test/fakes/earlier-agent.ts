import type { Backend } from '../../daemon/backends/backend.ts';
import type { openBackup, sealBackup } from '../../daemon/backends/backup.ts';
import type { openIndex } from '../../daemon/backends/keyring/held-index.ts';
import type { itemOf } from '../../daemon/backends/keyring/names.ts';
import type { openMemory } from '../../daemon/backends/memory.ts';
import type { openVault } from '../../daemon/backends/vault/vault.ts';
import type { Clock } from '../../daemon/clock.ts';
import type { Agent } from '../../daemon/credentials/agent.ts';
import type { Waiters } from '../../daemon/credentials/waiters.ts';
import type { Marks } from '../../daemon/history/tombstones/marks.ts';
import type { Tombstones } from '../../daemon/history/tombstones/tombstones.ts';
import type { Log } from '../../daemon/log.ts';
import type { Attributes } from '../../protocol/attributes.ts';
import type { noProfiles } from '../../protocol/profiles.ts';
import type { expose, heapSecret, secretFromText } from '../../protocol/secret.ts';

/** What version 0.1 held its credentials in, as far as it is used here. */
type Custody = { open(opening: () => Promise<Backend>): Promise<void>; dispose(): Promise<void> };

/** The modules of version 0.1 that its bundle exports. Their types are today's, which have only grown since. */
export type Earlier = {
  readonly Agent: typeof Agent;
  readonly openBackup: typeof openBackup;
  readonly sealBackup: typeof sealBackup;
  readonly openIndex: typeof openIndex;
  readonly itemOf: typeof itemOf;
  readonly openMemory: typeof openMemory;
  readonly openVault: typeof openVault;
  readonly Custody: new (parts: object) => Custody;
  readonly migrate: (custody: Custody, next: Backend, beforeFarewell: () => void, log: Log) => Promise<unknown>;
  readonly Marks: new (parts: object) => Marks;
  readonly Tombstones: new (custody: Custody, marks: Marks, clock: Clock) => Tombstones;
  readonly Waiters: typeof Waiters;
  readonly Attributes: typeof Attributes;
  readonly noProfiles: typeof noProfiles;
  readonly expose: typeof expose;
  readonly heapSecret: typeof heapSecret;
  readonly secretFromText: typeof secretFromText;
};

/** The code of version 0.1 (test/fixtures/agent-0.1/README.md says how it was made). */
export async function earlierVersion(): Promise<Earlier> {
  const bundle = new URL('../fixtures/agent-0.1/agent.mjs', import.meta.url).href;
  return (await import(bundle)) as Earlier;
}
