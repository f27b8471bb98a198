import type { Target } from '../../../protocol/credential.ts';
import { asFault } from '../../../protocol/errors.ts';
import type { CredentialReply, CredentialRequest, Handler } from '../../../protocol/handler.ts';
import type { Status } from '../../../protocol/status.ts';
import { fromWire } from '../../../protocol/text.ts';
import { rowOf } from '../../../protocol/wire/actions.ts';
import type { Answerer } from '../../actions/action.ts';
import type { Clock } from '../../clock.ts';
import { type Kind, Meter } from '../../metrics/meter.ts';
import type { Caller } from '../../socket/caller.ts';
import type { Audit } from './audit.ts';
import type { AuditEntry } from './entry.ts';
import { DIRECT, projectOf } from './usage.ts';

/** Characters of a reason in the log. */
const REASON_MAX = 256;

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
  readonly answer: Answerer;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly meter?: Meter;
};

/**
 * Stands around the agent's actions and sees what becomes of each request: counts what is served, and records every
 * change, every refusal and the first use of a credential by a program. It never sees a secret's bytes, and it does not
 * change an answer. A change is recorded before it is answered.
 */
export class Witness {
  readonly #answer: Answerer;
  readonly #audit: Audit;
  readonly #clock: Clock;
  readonly #meter: Meter;

  constructor({ answer, audit, clock, meter = new Meter() }: WitnessParts) {
    this.#answer = answer;
    this.#audit = audit;
    this.#clock = clock;
    this.#meter = meter;
  }

  /** The handler for one connection. */
  handlerFor(caller: Caller): Handler {
    return (request) => {
      if (rowOf(request.action)?.records === 'uses') return this.#get(caller, request);
      return this.#counted(
        request,
        isRecorded(request) ? this.#changed(caller, request) : this.#answer(request, caller),
      );
    };
  }

  /** Records a caller that was turned away before it could ask. */
  turnedAway(caller: Caller): void {
    const { uid, pid, program } = caller.who(false);
    this.#meter.turnedAway();
    this.#audit.refused({
      at: this.#clock.now(),
      action: 'connect',
      outcome: 'denied',
      uid,
      pid,
      program: program || undefined,
    });
  }

  async #get(caller: Caller, request: CredentialRequest): Promise<CredentialReply> {
    const began = this.#meter.begin('get');
    let reply: CredentialReply;
    try {
      reply = await this.#answer(request, caller);
    } catch (error) {
      const { status } = asFault(error);
      this.#meter.answered('get', request.tool, status, began);
      this.#refused(caller, request, status);
      throw error;
    }
    this.#meter.answered('get', request.tool, reply.status, began);
    if (reply.status !== 'ok') this.#refused(caller, request, reply.status);
    else if (reply.ids) {
      const { tool, cwd } = request;
      this.#audit.used(reply.ids[0]!, tool ?? DIRECT, cwd ?? '', caller);
    }
    return reply;
  }

  #refused(caller: Caller, request: CredentialRequest, outcome: Status): void {
    if (refusals.has(outcome)) this.#audit.refused(this.#entryOf(caller, request, outcome));
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

  async #changed(caller: Caller, request: CredentialRequest): Promise<CredentialReply> {
    let reply: CredentialReply;
    try {
      reply = await this.#answer(request, caller);
    } catch (error) {
      this.#refused(caller, request, asFault(error).status);
      throw error;
    }
    if (reply.status !== 'ok') this.#refused(caller, request, reply.status);
    // A store of what is held already changes nothing.
    else if (!reply.isUnrecorded) {
      const entry = this.#entryOf(caller, request, 'ok');
      const removed = new Map(reply.removed?.map((one) => [one.id, one]));
      const all = reply.ids?.map((credential) => ({ ...entry, credential, ...placeOf(removed.get(credential)) })) ?? [];
      // What is nobody's here (a stranger's token that was revoked) is recorded without one.
      await this.#audit.record(...(all.length > 0 ? all : [entry]));
    }
    return reply;
  }

  #entryOf(caller: Caller, request: CredentialRequest, outcome: Status): AuditEntry {
    const { action, target, tool, cwd } = request;
    // They still wait for the answer, so their process is still there.
    const { uid, pid, program } = caller.who(tool !== undefined);
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
