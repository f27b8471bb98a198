import { createHash } from 'node:crypto';
import type { Seconds, Target } from '../../protocol/credential.ts';
import { asFault } from '../../protocol/errors.ts';
import type { DecodedRequest } from '../../protocol/handler.ts';
import type { Held } from '../backends/backend.ts';
import type { Clock } from '../clock.ts';
import type { Emit } from '../events/agent-event.ts';
import { ownTarget } from '../history/tombstones/own-records.ts';
import type { CredentialStore } from './held/credential-store.ts';

/** Folders and hosts that are remembered; beyond that the ones approved longest ago go. */
export const APPROVED_MAX = 1_000;
/** How long after an erase another account is preferred where it came from. */
export const AVOID_FOR: Seconds = 600;
/** Erases that are remembered at a time. */
const ERASES_MAX = 1_000;

/** Tools that say which repository they work for and whether the account was accepted; undefined: a command or script. */
const tools: ReadonlySet<string | undefined> = new Set(['git', 'askpass', undefined]);

/** Which account a request prefers because of what happened in its folder. Accounts are wire values. */
export type Remembered = {
  /** The one that was approved there last. */
  readonly remembered?: string | undefined;
  /** Those that were erased from there a moment ago: any other one comes before them. */
  readonly avoided?: ReadonlySet<string> | undefined;
};

/** `at`: folder, protocol and host, as `keyFor` joins them. */
type ApprovedRecord = Held & { readonly approved: { readonly at: string; readonly account: string } };
type Erase = { readonly accounts: Set<string>; readonly until: Seconds };

const nothing: Remembered = {};

export type AccountsParts = {
  readonly credentials: Pick<CredentialStore, 'own' | 'queue'>;
  readonly clock: Clock;
  readonly emit: Emit;
};

/**
 * Which account of a host git uses in which repository. git asks a helper once per process and drops the path, so that a host with
 * two accounts cannot be told apart by a request; what git approved there before can. It rests as records of our own, by folder
 * and host, without any secret. What was erased from a folder is remembered in memory for ten minutes.
 */
export class Accounts {
  readonly #parts: AccountsParts;
  readonly #erases = new Map<string, Erase>();
  /** Drawn from the records, and how many changes these had seen then. */
  #drawn = -1;
  #approved = new Map<string, string>();

  constructor(parts: AccountsParts) {
    this.#parts = parts;
  }

  /** What a request prefers. Costs a look into two maps, and nothing where nothing is remembered. */
  of(request: DecodedRequest): Remembered {
    this.#draw();
    if (this.#approved.size === 0 && this.#erases.size === 0) return nothing;
    const key = keyFor(request);
    if (key === undefined) return nothing;
    const avoided = this.#avoidedAt(key);
    const account = this.#approved.get(key);
    return { avoided, remembered: account !== undefined && avoided?.has(account) ? undefined : account };
  }

  /** Notes that git's store has approved an account. Nothing is written where that is known. Never throws. */
  approve(request: DecodedRequest): void {
    const { tool, target } = request;
    const key = tool === 'git' ? keyFor(request, true) : undefined;
    if (key === undefined || target?.username === undefined) return;
    this.#erases.delete(key);
    this.#draw();
    if (this.#approved.get(key) === target.username) return;
    void this.#write(key, target.username);
  }

  /** Notes that accounts were erased from where a request comes from. */
  erased(request: DecodedRequest, removed: readonly Target[]): void {
    const key = request.tool === 'git' ? keyFor(request, true) : undefined;
    const accounts = removed.flatMap(({ username }) => username ?? []);
    if (key === undefined || accounts.length === 0) return;
    const before = this.#avoidedAt(key);
    this.#erases.delete(key);
    this.#erases.set(key, {
      accounts: new Set([...(before ?? []), ...accounts]),
      until: this.#parts.clock.sinceBoot() + AVOID_FOR,
    });
    if (this.#erases.size > ERASES_MAX) this.#erases.delete(this.#erases.keys().next().value!);
  }

  #avoidedAt(key: string): ReadonlySet<string> | undefined {
    const erase = this.#erases.get(key);
    return erase && this.#parts.clock.sinceBoot() < erase.until ? erase.accounts : undefined;
  }

  async #write(key: string, account: string): Promise<void> {
    const { credentials, clock, emit } = this.#parts;
    const target = ownTarget('approved', createHash('sha256').update(key, 'latin1').digest('hex').slice(0, 32));
    const record: ApprovedRecord = {
      ...target,
      id: target.path!,
      storedAt: clock.now(),
      approved: { at: key, account },
    };
    try {
      await credentials.queue.run(target, () => credentials.own.put(record));
      const all = credentials.own.of('approved');
      for (const old of all.slice(0, Math.max(all.length - APPROVED_MAX, 0))) await credentials.own.remove(old);
    } catch (error) {
      // The credential itself is kept; another account may be tried first there once more.
      emit({ kind: 'approved-failed', code: asFault(error).code });
    }
  }

  #draw(): void {
    const { own } = this.#parts.credentials;
    if (own.changes === this.#drawn) return;
    this.#drawn = own.changes;
    this.#approved = new Map();
    for (const record of own.of('approved')) {
      const { approved } = record as Partial<ApprovedRecord>;
      if (typeof approved?.at === 'string' && typeof approved.account === 'string')
        this.#approved.set(approved.at, approved.account);
    }
  }
}

/** Where a request comes from: its repository, else its working directory. A wire value. */
function folderOf({ repository, cwd }: DecodedRequest): string | undefined {
  return repository ?? cwd;
}

/** Folder and host of a request; undefined where it has no folder, names its account itself, or is no tool of repositories. */
function keyFor(request: DecodedRequest, isOfAccount = false): string | undefined {
  const { tool, target } = request;
  const folder = folderOf(request);
  if (folder === undefined || !target || !tools.has(tool)) return undefined;
  if (!isOfAccount && target.username !== undefined) return undefined;
  return `${folder}\0${target.protocol}\0${target.host}`;
}
