import type { CredentialReply, CredentialRequest } from '../../protocol/handler.ts';
import type { ServiceAct } from './asking.ts';
import { create } from './create.ts';
import { Desk, type DeskParts } from './desk.ts';
import { Logins } from './login.ts';
import { refresh } from './refresh.ts';
import { remoteList, remoteShow } from './remote.ts';
import { revoke } from './revoke.ts';
import { Rotations } from './rotate.ts';
import { verify } from './verify.ts';

/** The actions that ask a service something (protocol/wire/actions.ts). */
export class Services {
  readonly desk: Desk;
  readonly rotations: Rotations;
  readonly #logins = new Logins();
  readonly #acts: Readonly<Record<string, ServiceAct>>;

  constructor(parts: DeskParts) {
    this.desk = new Desk(parts);
    this.rotations = new Rotations(this.desk);
    this.#acts = {
      'remote-list': remoteList,
      'remote-show': remoteShow,
      create,
      verify,
      revoke,
      refresh,
      rotate: (_, request) => this.rotations.answer(request),
      login: this.#logins.login,
    };
  }

  /** Answers an action of services; undefined if there is none of that name. */
  answer(request: CredentialRequest): Promise<CredentialReply> | undefined {
    const act = Object.hasOwn(this.#acts, request.action) ? this.#acts[request.action] : undefined;
    // git's cache client could ask for none of these by mistake and be understood.
    if (!act || !request.capabilities.keyhold || this.#isOfLogin(request)) return undefined;
    return act(this.desk.actingFor(request), request);
  }

  /** A login by OAuth is refreshed by who began it. */
  #isOfLogin({ action, attributes }: CredentialRequest): boolean {
    if (action !== 'refresh') return false;
    const id = attributes.text('id');
    const entry = [...this.desk.parts.custody.held()].find((one) => one.id === id);
    return entry?.about?.oauth !== undefined;
  }

  dispose(): void {
    this.#logins.dispose();
    this.desk.rechecks.dispose();
  }
}
