import { asFault } from '../../protocol/errors.ts';
import type { CredentialReply, CredentialRequest, Handler } from '../../protocol/handler.ts';
import type { Status } from '../../protocol/status.ts';
import type { Clock } from '../clock.ts';
import type { Caller } from '../socket/caller.ts';
import type { Audit } from './audit.ts';
import type { AuditEntry } from './entry.ts';
import { type Processes, processes, programBehind } from './program.ts';
import { type Asker, projectOf } from './usage.ts';

/** The tool of a request that came through no helper. */
const DIRECT = 'wire';

/** What changes something. Each is recorded, also when it failed. */
const changes: ReadonlySet<string> = new Set([
  'store',
  'erase',
  'lock',
  'unlock',
  'stop',
  'restart',
  'backend-use',
  'backend-migrate',
  'backend-passphrase',
  'backup',
  'restore',
]);

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

  constructor({ handler, audit, clock, processes: own = processes }: WitnessParts) {
    this.#handler = handler;
    this.#audit = audit;
    this.#clock = clock;
    this.#processes = own;
  }

  /** The handler for one connection. */
  handlerFor(caller: Caller): Handler {
    const peer = new Peer(caller, this.#processes);
    return (request) => {
      if (request.action === 'get') return this.#get(peer, request);
      const answered = this.#handler(request);
      return changes.has(request.action) ? this.#changed(peer, request, answered) : answered;
    };
  }

  /** Records a caller that was turned away before it could ask. */
  turnedAway({ uid, pid }: Caller): void {
    const program = programBehind(pid, false, this.#processes) || undefined;
    this.#audit.refused({ at: this.#clock.now(), action: 'connect', outcome: 'denied', uid, pid, program });
  }

  async #get(peer: Peer, request: CredentialRequest): Promise<CredentialReply> {
    let reply: CredentialReply;
    try {
      reply = await this.#handler(request);
    } catch (error) {
      this.#refused(peer, request, asFault(error).status);
      throw error;
    }
    if (reply.status !== 'ok') this.#refused(peer, request, reply.status);
    else if (reply.ids) {
      const { origin } = request;
      peer.isHelper = origin !== undefined;
      this.#audit.used(reply.ids[0]!, origin?.tool ?? DIRECT, origin?.cwd ?? '', peer);
    }
    return reply;
  }

  #refused(peer: Peer, request: CredentialRequest, outcome: Status): void {
    if (refusals.has(outcome)) this.#audit.refused(this.#entryOf(peer, request, outcome));
  }

  async #changed(peer: Peer, request: CredentialRequest, answered: Promise<CredentialReply>): Promise<CredentialReply> {
    let reply: CredentialReply;
    try {
      reply = await answered;
    } catch (error) {
      this.#refused(peer, request, asFault(error).status);
      throw error;
    }
    if (reply.status !== 'ok') this.#refused(peer, request, reply.status);
    // A store of what is held already changes nothing.
    else if (!request.target || reply.ids) {
      const entry = this.#entryOf(peer, request, 'ok');
      await this.#audit.record(...(reply.ids?.map((credential) => ({ ...entry, credential })) ?? [entry]));
    }
    return reply;
  }

  #entryOf(peer: Peer, { action, target, origin }: CredentialRequest, outcome: Status): AuditEntry {
    peer.isHelper = origin !== undefined;
    // They still wait for the answer, so their process is still there.
    const { uid, pid, program } = peer.who();
    return {
      at: this.#clock.now(),
      action,
      outcome,
      tool: origin?.tool ?? DIRECT,
      uid,
      pid,
      program: program || undefined,
      cwd: origin && projectOf(origin.cwd),
      target: outcome === 'ok' || !target ? undefined : `${target.protocol}://${target.host}`,
    };
  }
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
