import type { Backend } from '../../daemon/backends/backend.ts';
import type { LockMark } from '../../daemon/backends/lock-mark.ts';
import { migrate } from '../../daemon/backends/migrate.ts';
import { Accounts } from '../../daemon/credentials/accounts.ts';
import { Agent } from '../../daemon/credentials/agent.ts';
import { type CredentialStore, openCredentialStore } from '../../daemon/credentials/held/credential-store.ts';
import type { LeasePolicy } from '../../daemon/credentials/unlocked/lease.ts';
import { Waiters } from '../../daemon/credentials/waiters.ts';
import { Emitter } from '../../daemon/events/emitter.ts';
import { RestoreBin } from '../../daemon/history/erased/restore-bin.ts';
import { Marks } from '../../daemon/history/tombstones/marks.ts';
import { Tombstones } from '../../daemon/history/tombstones/tombstones.ts';
import { gitUsernames } from '../../daemon/services/git-username.ts';
import { agentItself } from '../../daemon/socket/caller.ts';
import { Attributes } from '../../protocol/attributes.ts';
import { type Capabilities, noCapabilities } from '../../protocol/capabilities.ts';
import type { CredentialReply, CredentialRequest } from '../../protocol/handler.ts';
import { noProfiles, type Profiles } from '../../protocol/profiles.ts';
import { expose, heapSecret, secretFromText } from '../../protocol/secret.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import { answers } from './answers.ts';
import { FakeBackend } from './backend.ts';
import { FakeClock } from './clock.ts';

export const ours: Capabilities = { authtype: true, state: true, keyhold: true };
/** git 2.39 and everything as old. */
export const plain: Capabilities = noCapabilities;

type Fields = Partial<Omit<CredentialRequest, 'secret' | 'refreshToken' | 'target'>> & {
  readonly protocol?: string;
  readonly host?: string;
  readonly path?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string;
  readonly refresh?: string;
};

export function aRequest(action: string, fields: Fields = {}): CredentialRequest {
  const { protocol = 'https', host = 'example.com', path, username, password, refresh, ...rest } = fields;
  return {
    action,
    target: { protocol, host, path, username },
    capabilities: ours,
    secret: password === undefined ? undefined : secretFromText(password),
    refreshToken: refresh === undefined ? undefined : secretFromText(refresh),
    attributes: new Attributes(),
    ...rest,
  };
}

/** An answer as text that assertions can compare: a status, and the value behind `ok`. */
export function shown(reply: CredentialReply): string {
  if (reply.status !== 'ok') return reply.status;
  if (!reply.credential) return 'ok';
  const { username, secret, refreshToken } = reply.credential;
  const words = [username ?? '', secret && textOf(secret), refreshToken && `refresh ${textOf(refreshToken)}`];
  return words.filter((word) => word !== undefined).join(' ');
}

export function textOf(secret: Parameters<typeof expose>[0]): string {
  return new TextDecoder().decode(expose(secret));
}

/** An agent without sockets, with all that it depends on in the test's hand. */
export class Core {
  readonly clock = new FakeClock();
  readonly backend: FakeBackend;
  readonly lockMark: LockMark & { marked: boolean };
  readonly log: string[] = [];
  readonly rested: string[] = [];
  readonly credentials: CredentialStore;
  readonly tombstones: Tombstones;
  readonly bin: RestoreBin;
  readonly agent: Agent;
  readonly migrate: (next: Backend, beforeFarewell: () => void) => ReturnType<typeof migrate>;

  constructor({
    backend = new FakeBackend(),
    marked = false,
    lease,
    profiles = () => noProfiles,
    services = [],
    eraseKeep = 7 * 86_400,
    open = async () => backend,
  }: {
    backend?: FakeBackend;
    marked?: boolean;
    lease?: LeasePolicy;
    profiles?: () => Profiles;
    services?: readonly Manifest[];
    eraseKeep?: number;
    /** How a backend is chosen and opened; `backend` without it. */
    open?: () => Promise<Backend>;
  } = {}) {
    this.backend = backend;
    const mark = {
      marked,
      isSet: () => mark.marked,
      set: () => {
        mark.marked = true;
      },
      clear: () => {
        mark.marked = false;
      },
    };
    this.lockMark = mark;
    const emitter = new Emitter();
    emitter.subscribe(({ kind, ...fields }) => this.log.push(`${kind} ${JSON.stringify(fields)}`));
    const { emit } = emitter;
    const waiters = new Waiters(this.clock, emitter);
    this.credentials = openCredentialStore({
      keep: heapSecret,
      clock: this.clock,
      emit,
      lockMark: mark,
      onRest: (name) => this.rested.push(name),
      lease,
    });
    const { credentials, clock } = this;
    const marks = new Marks({ credentials, keep: heapSecret, clock, services: () => services });
    this.tombstones = new Tombstones(credentials, marks, clock);
    const { tombstones } = this;
    const accounts = new Accounts({ credentials, clock, emit });
    this.bin = new RestoreBin({ credentials, tombstones, clock, emit, keep: eraseKeep });
    const gitUsername = gitUsernames(() => services);
    this.agent = new Agent({
      credentials,
      clock,
      emit,
      profiles,
      tombstones,
      waiters,
      bin: this.bin,
      accounts,
      gitUsername,
    });
    this.migrate = (next, beforeFarewell) =>
      migrate(
        this.credentials,
        next,
        { async begin() {}, commit: async () => beforeFarewell(), async keep() {}, end() {} },
        emit,
        agentItself,
      );
    void this.credentials.lifecycle.open(open);
  }

  async get(fields: Fields = {}): Promise<string> {
    return shown(await this.agent.get(aRequest('get', fields), agentItself));
  }
  async store(fields: Fields = {}): Promise<string> {
    return shown(
      await this.agent.store(aRequest('store', { username: 'ada', password: 'pass-EXAMPLE', ...fields }), agentItself),
    );
  }
  async erase(fields: Fields = {}): Promise<string> {
    return shown(await answers({ agent: this.agent })(aRequest('erase', fields)));
  }
}

/** Whether a promise has settled, a few turns of the event loop from now. */
export async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => {
    settled = true;
  };
  void promise.then(note, note);
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  return settled;
}
