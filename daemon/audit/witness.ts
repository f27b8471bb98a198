import type { Target } from '../../protocol/credential.ts';
import { asFault } from '../../protocol/errors.ts';
import type { CredentialReply, CredentialRequest, Handler } from '../../protocol/handler.ts';
import type { Status } from '../../protocol/status.ts';
import { fromWire } from '../../protocol/text.ts';
import { rowOf } from '../../protocol/wire/actions.ts';
import type { Clock } from '../clock.ts';
import { type Kind, Meter } from '../metrics/meter.ts';
import type { Caller } from '../socket/caller.ts';
import type { Audit } from './audit.ts';
import type { AuditEntry } from './entry.ts';
import { type Processes, processes, programBehind } from './program.ts';
import { type Asker, projectOf } from './usage.ts';

/** Characters of a reason in the log. */
const REASON_MAX = 256;
/** The tool of a request that came through no helper. */
const DIRECT = 'wire';

/** Whether a request is recorded when it has succeeded, as the row of its action says (protocol/wire/actions.ts). */
function isRecorded({ action, attributes }: CredentialRequest): boolean {
  const row = rowOf(action);
  if (!row || (row.check && attributes.text('check') === '1')) return false;
  return row.records === undefined || row.records === 'changes';
}

/** How a request ends that was understood, and not done. A miss is none of these: tools ask everybody for everything. */
const refusals: ReadonlySet<Status> = new Set<Status>([
  'locked',
  'denied',
  'expired',
  'interaction-required',
  'revoked',
  'limit-reached',
  'unavailable',
]);

export type WitnessParts = {
  readonly handler: Handler;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly processes?: Processes;
  readonly meter?: Meter;
};

/**
 * Stands around the agent's handler and sees what becomes of each request: counts what is served, and records every
 * change, every refusal and the first use of a credential by a program. It never sees a secret's bytes, and it does not
 * change an answer. A change is recorded before it is answered.
 */
export class Witness {
  readonly #handler: Handler;
  readonly #audit: Audit;
  readonly #clock: Clock;
  readonly #processes: Processes;
  readonly #meter: Meter;

  constructor({ handler, audit, clock, processes: own = processes, meter = new Meter() }: WitnessParts) {
    this.#handler = handler;
    this.#audit = audit;
    this.#clock = clock;
    this.#processes = own;
    this.#meter = meter;
  }

  /** The handler for one connection. */
  handlerFor(caller: Caller): Handler {
    const peer = new Peer(caller, this.#processes);
    return (request) => {
      if (rowOf(request.action)?.records === 'uses') return this.#get(peer, request);
      return this.#counted(request, isRecorded(request) ? this.#changed(peer, request) : this.#handler(request));
    };
  }

  /** Records a caller that was turned away before it could ask. */
  turnedAway({ uid, pid }: Caller): void {
    const program = programBehind(pid, false, this.#processes) || undefined;
    this.#meter.turnedAway();
    this.#audit.refused({ at: this.#clock.now(), action: 'connect', outcome: 'denied', uid, pid, program });
  }

  async #get(peer: Peer, request: CredentialRequest): Promise<CredentialReply> {
    const began = this.#meter.begin('get');
    let reply: CredentialReply;
    try {
      reply = await this.#handler(request);
    } catch (error) {
      const { status } = asFault(error);
      this.#meter.answered('get', request.tool, status, began);
      this.#refused(peer, request, status);
      throw error;
    }
    this.#meter.answered('get', request.tool, reply.status, began);
    if (reply.status !== 'ok') this.#refused(peer, request, reply.status);
    else if (reply.ids) {
      const { tool, cwd } = request;
      peer.isHelper = tool !== undefined;
      this.#audit.used(reply.ids[0]!, tool ?? DIRECT, cwd ?? '', peer);
    }
    return reply;
  }

  #refused(peer: Peer, request: CredentialRequest, outcome: Status): void {
    if (refusals.has(outcome)) this.#audit.refused(this.#entryOf(peer, request, outcome));
  }

  /** Counts what is no get, when it is over. */
  async #counted(request: CredentialRequest, answered: Promise<CredentialReply>): Promise<CredentialReply> {
    const kind: Kind = request.action === 'store' || request.action === 'erase' ? request.action : 'manage';
    const began = this.#meter.begin(kind);
    let status: Status = 'unavailable';
    try {
      const reply = await answered;
      status = reply.status;
      return reply;
    } catch (error) {
      status = asFault(error).status;
      throw error;
    } finally {
      this.#meter.answered(kind, request.tool, status, began);
    }
  }

  async #changed(peer: Peer, request: CredentialRequest): Promise<CredentialReply> {
    let reply: CredentialReply;
    try {
      reply = await this.#handler(request);
    } catch (error) {
      this.#refused(peer, request, asFault(error).status);
      throw error;
    }
    if (reply.status !== 'ok') this.#refused(peer, request, reply.status);
    // A store of what is held already changes nothing.
    else if (!reply.isUnrecorded) {
      const entry = this.#entryOf(peer, request, 'ok');
      const removed = new Map(reply.removed?.map((one) => [one.id, one]));
      const all = reply.ids?.map((credential) => ({ ...entry, credential, ...placeOf(removed.get(credential)) })) ?? [];
      // What is nobody's here (a stranger's token that was revoked) is recorded without one.
      await this.#audit.record(...(all.length > 0 ? all : [entry]));
    }
    return reply;
  }

  #entryOf(peer: Peer, request: CredentialRequest, outcome: Status): AuditEntry {
    const { action, target, tool, cwd } = request;
    peer.isHelper = tool !== undefined;
    // They still wait for the answer, so their process is still there.
    const { uid, pid, program } = peer.who();
    return {
      at: this.#clock.now(),
      action,
      outcome,
      tool: tool ?? DIRECT,
      uid,
      pid,
      program: program || undefined,
      cwd: cwd === undefined ? undefined : projectOf(cwd),
      target: outcome === 'ok' || !target ? undefined : `${target.protocol}://${target.host}`,
      reason: reasonOf(request),
    };
  }
}

/** Of what is not held any more. */
function placeOf(removed: Target | undefined): Pick<AuditEntry, 'target' | 'username'> | undefined {
  if (!removed) return undefined;
  const { protocol, host, username } = removed;
  return { target: `${protocol}://${host}`, username: username === undefined ? undefined : fromWire(username) };
}

/** What the caller says it is for, and that a store was forced over a tombstone. */
function reasonOf({ capabilities, attributes, force }: CredentialRequest): string | undefined {
  if (!capabilities.keyhold) return undefined;
  const reason = attributes.text('reason');
  if (reason !== undefined && reason !== '') return fromWire(reason).slice(0, REASON_MAX);
  return force ? 'forced' : undefined;
}

/** Who is on one connection; looked up once, when it is needed. */
class Peer {
  readonly #caller: Caller;
  readonly #processes: Processes;
  #isHelper = false;
  #who: Asker | undefined;

  constructor(caller: Caller, own: Processes) {
    this.#caller = caller;
    this.#processes = own;
  }

  /** Whether it is a helper, which speaks for the program that started it. */
  set isHelper(isHelper: boolean) {
    if (isHelper !== this.#isHelper) this.#who = undefined;
    this.#isHelper = isHelper;
  }

  who(): Asker {
    const { uid, pid } = this.#caller;
    this.#who ??= { uid, pid, program: programBehind(pid, this.#isHelper, this.#processes) };
    return this.#who;
  }
}
