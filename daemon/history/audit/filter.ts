import type { EpochSeconds } from '../../../protocol/credential.ts';
import { type AuditEntry, type ChainedEntry, entryOf } from './entry.ts';

/** What `list` looks for. All that is given must fit. */
export type Filter = {
  readonly since?: EpochSeconds | undefined;
  readonly until?: EpochSeconds | undefined;
  readonly credential?: string | undefined;
  readonly tool?: string | undefined;
  readonly event?: string | undefined;
};

/** An entry that cannot be read is shown as one, for `audit verify` to explain. */
export function readable(row: ChainedEntry): AuditEntry {
  try {
    return entryOf(row.line);
  } catch {
    return { at: 0, action: 'unreadable', outcome: 'unavailable' };
  }
}

/** Whether an entry is one of those that are looked for. */
export function fits(entry: AuditEntry, { since, until, credential, tool, event }: Filter): boolean {
  return (
    (since === undefined || entry.at >= since) &&
    (until === undefined || entry.at < until) &&
    (credential === undefined || entry.credential === credential) &&
    (tool === undefined || entry.tool === tool) &&
    (event === undefined || entry.action === event)
  );
}
