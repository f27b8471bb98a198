import { setTimeout as sleep } from 'node:timers/promises';
import { asFault } from '../../protocol/errors.ts';
import { frontNames } from '../../protocol/fronts.ts';
import { type Made, madeAfter } from '../../protocol/made.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import { fromWire } from '../../protocol/text.ts';
import type { Held } from '../backends/backend.ts';
import type { Clock } from '../clock.ts';
import type { Emit } from '../events/agent-event.ts';
import type { Audit } from '../history/audit/audit.ts';
import type { AuditEntry } from '../history/audit/entry.ts';
import { filterInSlices, inSlices, Slices, setInSlices } from '../slices.ts';
import type { Amendment } from './held/changes.ts';
import type { CredentialStore } from './held/credential-store.ts';
import type { Entry } from './unlocked/set.ts';

/** Credentials that are decided together: the vault waits for the disk once for all of them. */
const TOGETHER = 32;
/** Milliseconds that a front's list or erase waits for the decision. */
export const DECIDE_DEADLINE = 5_000;
/** Rows of the audit log in one page. */
const PAGE = 1_000;

/** What the audit log says of one credential. */
export type Evidence = {
  /** By the events that say it: a login, a create, the last store. */
  readonly made?: Made | undefined;
  /** The tools that stored it, and those that were given it. */
  readonly stored: ReadonlySet<string>;
  readonly used: ReadonlySet<string>;
};

const none: Evidence = { stored: new Set(), used: new Set() };

/** What version 0.1 did not note of a credential, by what is known of it. Pure. `fronts` absent: it cannot be decided. */
export function decide(
  held: Pick<Held, 'about' | 'username'>,
  { made, stored, used }: Evidence,
  manifest: Manifest | undefined,
  hasSibling: boolean,
): Amendment {
  const { oauth, origin = '', tokenId, label } = held.about ?? {};
  const isLabelled = label !== undefined && held.username !== undefined && label === fromWire(held.username);
  const decided = {
    made:
      madeByOrigin(origin, oauth !== undefined) ??
      made ??
      (tokenId !== undefined && isLabelled && hasSibling ? 'created' : 'set'),
  };
  const fronts = frontNames.filter(
    (front) =>
      stored.has(front) || used.has(front) || (front === 'docker' && (isDockerFile(origin) || isRegistry(manifest))),
  );
  if (fronts.length === 0) return decided;
  const isFrontTool = (tool: string) => frontNames.includes(tool);
  const isImported = decided.made === 'imported' && isDockerFile(origin);
  const isBrought = isImported || (decided.made === 'tool' && stored.size > 0 && [...stored].every(isFrontTool));
  const frontOnly = isBrought && [...used].every(isFrontTool) ? true : undefined;
  return { ...decided, fronts, frontOnly };
}

/** Version 0.1 wrote these words itself; they went with the value that they were about. */
function madeByOrigin(origin: string, isOAuth: boolean): Made | undefined {
  if (isOAuth || origin === 'signed in with keyhold') return 'login';
  if (origin === 'created with keyhold' || origin === 'made on its page') return 'created';
  return origin.startsWith('keyhold import from ') ? 'imported' : undefined;
}

/** The files of docker and of podman, buildah and skopeo: no other tool that is imported from has one of that name. */
function isDockerFile(origin: string): boolean {
  return /^keyhold import from .*\/(config|containers\/auth)\.json$/.test(origin);
}

/** Whether a service is a registry of container images: its own tool keeps its token in docker's file. */
function isRegistry(manifest: Manifest | undefined): boolean {
  return manifest?.files?.some(({ path }) => /\.docker\/config\.json$|containers\/auth\.json$/.test(path)) ?? false;
}

/** Gathers what the log has of these credentials, the oldest entry first. */
export class EvidenceBook {
  readonly #ids: ReadonlySet<string>;
  readonly #found = new Map<string, { made: Made | undefined; stored: Set<string>; used: Set<string> }>();

  constructor(ids: ReadonlySet<string>) {
    this.#ids = ids;
  }

  add({ action, outcome, credential, tool = 'wire' }: AuditEntry): void {
    if (credential === undefined || outcome !== 'ok' || !this.#ids.has(credential)) return;
    const found = this.#found.get(credential) ?? { made: undefined, stored: new Set(), used: new Set() };
    this.#found.set(credential, found);
    const said = madeByAction[action] ?? (action === 'store' ? (tool === 'wire' ? 'set' : 'tool') : undefined);
    if (said) found.made = madeAfter(found.made, said, false);
    if (action === 'store') found.stored.add(tool);
    if (action === 'first-use') found.used.add(tool);
  }

  of(id: string): Evidence {
    return this.#found.get(id) ?? none;
  }
}

const madeByAction: Readonly<Record<string, Made>> = {
  login: 'login',
  authorize: 'login',
  authorized: 'login',
  create: 'created',
};

export type DeciderParts = {
  readonly credentials: Pick<CredentialStore, 'changes' | 'entries' | 'lifecycle' | 'queue'>;
  readonly audit: Pick<Audit, 'list' | 'record'>;
  readonly services: () => readonly Manifest[];
  readonly clock: Pick<Clock, 'now'>;
  readonly emit: Emit;
};

/**
 * Decides once for each credential that version 0.1 kept how it came to be held and which front lists it. `made` is always
 * decided, so that a credential that has it is never looked at again, and a cut run goes on at the next start. The audit log
 * gets an entry `upgrade`.
 */
export class Decider {
  readonly #parts: DeciderParts;
  #running: Promise<boolean> | undefined;
  #disposed = false;

  constructor(parts: DeciderParts) {
    this.#parts = parts;
  }

  /** Begins where something is to be decided; runs on opening. */
  begin(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** False if it is still deciding when the deadline is over. */
  async settled(deadline = DECIDE_DEADLINE): Promise<boolean> {
    await this.#parts.credentials.lifecycle.settled();
    if (!this.#running) return true;
    const timeout = new AbortController();
    const late = sleep(deadline, false, { signal: timeout.signal, ref: false }).catch(() => false);
    return Promise.race([this.#running.then(() => true), late]).finally(() => timeout.abort());
  }

  dispose(): void {
    this.#disposed = true;
  }

  async #run(): Promise<boolean> {
    const { credentials, audit, services, clock, emit } = this.#parts;
    try {
      const all = [...credentials.entries.all()];
      const open = await filterInSlices(all, ({ made }) => made === undefined);
      if (open.length === 0) return true;
      const book = await this.#evidence(await setInSlices(open, ({ id }) => id));
      const manifests = new Map(services().map((manifest) => [manifest.id, manifest]));
      const counts = new Map<string, number>();
      await inSlices(all, ({ about }) => {
        if (about?.service !== undefined) counts.set(about.service, (counts.get(about.service) ?? 0) + 1);
      });
      let undecided = 0;
      const decideOne = (entry: Entry) => {
        const service = entry.about?.service;
        const manifest = service === undefined ? undefined : manifests.get(service);
        const hasSibling = service !== undefined && (counts.get(service) ?? 0) > 1;
        const decided = decide(entry, book.of(entry.id), manifest, hasSibling);
        if (decided.fronts === undefined) undecided++;
        return credentials.queue.run(entry, () => this.#note(entry, decided));
      };
      const slices = new Slices();
      for (let at = 0; at < open.length; at += TOGETHER) {
        if (this.#disposed || !credentials.lifecycle.isServing) return false;
        await Promise.all(open.slice(at, at + TOGETHER).map(decideOne));
        // Requests come first, also where a backend answers at once.
        await slices.next();
      }
      const reason = `${open.length} decided, of which no front is known for ${undecided}`;
      await audit.record({ at: clock.now(), action: 'upgrade', outcome: 'ok', times: open.length, reason });
      emit({ kind: 'upgraded', count: open.length, reason });
    } catch (error) {
      // What has none goes on being held without it; the next opening tries again.
      emit({ kind: 'upgrade-failed', code: asFault(error).code });
    }
    return true;
  }

  async #note(entry: Entry, decided: Amendment): Promise<void> {
    const now = this.#parts.credentials.entries.at(entry);
    if (now?.id === entry.id && now.made === undefined) await this.#parts.credentials.changes.amend(now, decided);
  }

  /** Without a log that can be read nothing is known by it. */
  async #evidence(ids: ReadonlySet<string>): Promise<EvidenceBook> {
    const book = new EvidenceBook(ids);
    try {
      for (let after = 0; ; ) {
        const { found } = await this.#parts.audit.list({}, { after, limit: PAGE });
        for (const { entry } of found) book.add(entry);
        if (found.length < PAGE) return book;
        after = found.at(-1)!.number;
        await new Promise(setImmediate);
      }
    } catch {
      return book;
    }
  }
}
