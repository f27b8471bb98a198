import type { Backend } from '../../daemon/backends/backend.ts';
import { openVault } from '../../daemon/backends/vault/vault.ts';
import { type Clock, openSystemClock } from '../../daemon/clock.ts';
import { Accounts } from '../../daemon/credentials/accounts.ts';
import { Agent } from '../../daemon/credentials/agent.ts';
import { openCredentialStore } from '../../daemon/credentials/held/credential-store.ts';
import { Waiters } from '../../daemon/credentials/waiters.ts';
import type { Emit } from '../../daemon/events/agent-event.ts';
import { Emitter } from '../../daemon/events/emitter.ts';
import { RestoreBin } from '../../daemon/history/erased/restore-bin.ts';
import { Marks } from '../../daemon/history/tombstones/marks.ts';
import { Tombstones } from '../../daemon/history/tombstones/tombstones.ts';
import type { SignInParts } from '../../daemon/oauth/login-wanted.ts';
import type { OAuthPlan } from '../../daemon/oauth/oauth-plan.ts';
import { Refresher } from '../../daemon/oauth/refresher.ts';
import { SignIn } from '../../daemon/oauth/sign-in.ts';
import { Services } from '../../daemon/services/index.ts';
import { whoseToken } from '../../daemon/services/whose.ts';
import { agentItself } from '../../daemon/socket/caller.ts';
import { siftSecrets } from '../../daemon/upstream/incoming.ts';
import { oauth } from '../../daemon/upstream/operations/oauth.ts';
import type { SecretName } from '../../daemon/upstream/plan.ts';
import type { UpstreamAnswer } from '../../daemon/upstream/upstream.ts';
import { noProfiles } from '../../protocol/profiles.ts';
import { expose, heapSecret, type Secret } from '../../protocol/secret.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import { fakeAgent } from './agent.ts';
import { answers } from './answers.ts';

/** Milliseconds that a call of a provider may take. */
const DEADLINE = 30_000;

export type LoginAgentOptions = {
  readonly open: () => Promise<Backend>;
  readonly clock: Clock;
  readonly deadline?: number;
  /** What happens goes here. */
  readonly told?: Emit;
  /** The services that it knows. @default none */
  readonly services?: readonly Manifest[];
  /** Whose a token is, as its service says. @default its service is asked */
  readonly whoseToken?: SignInParts['whoseToken'];
};

/**
 * The agent's own parts that keep logins alive, in this process. What calls the provider is the upstream child's operation
 * without a child around it: starting one is nearly all that a refresh costs, and what the child is has tests of its own.
 */
export async function openLoginAgent({
  open,
  clock,
  deadline = DEADLINE,
  told = () => {},
  services: manifests = [],
  whoseToken: asked,
}: LoginAgentOptions) {
  const emitter = new Emitter();
  emitter.subscribe(told);
  const { emit } = emitter;
  const waiters = new Waiters(clock, emitter);
  const lockMark = { isSet: () => false, set() {}, clear() {} };
  const credentials = openCredentialStore({ keep: heapSecret, clock, emit, lockMark, onRest() {} });
  await credentials.lifecycle.open(open);
  const services = () => manifests;
  const marks = new Marks({ credentials, keep: heapSecret, clock, services });
  const tombstones = new Tombstones(credentials, marks, clock);
  const upstream = { run: runHere as never };
  const parts = { credentials, marks, clock, emit, upstream, route: () => ({ deadline }) };
  const refresher = new Refresher({ ...parts, random: () => 0, usedWithin: 86_400 });
  const signIn = new SignIn({
    ...parts,
    refresher,
    services,
    keep: heapSecret,
    whoseToken: asked ?? ((...token) => whoseToken(calls.partsFor({}, agentItself), ...token)),
  });
  const bin = new RestoreBin({ credentials, tombstones, clock, emit, keep: 86_400 });
  const agent = new Agent({
    credentials,
    clock,
    emit,
    profiles: () => noProfiles,
    tombstones,
    waiters,
    bin,
    accounts: new Accounts({ credentials, clock, emit }),
    refresher,
    isSigningIn: (target) => signIn.isUnderWay(target),
  });
  const calls = new Services({
    credentials,
    tombstones,
    agent,
    upstream: { ...upstream, dispose() {} } as never,
    route: parts.route,
    services,
    clock,
    keep: heapSecret,
    emit,
    audit: { record: async () => {} },
    mayRecheck: true,
  });
  return {
    credentials,
    refresher,
    signIn,
    agent,
    calls,
    /** Answers a request as the agent does. */
    handler: answers({ credentials, agent, services: calls, signIn }),
    async [Symbol.asyncDispose]() {
      waiters.dispose();
      refresher.dispose();
      signIn.dispose();
      await credentials.lifecycle.dispose();
    },
  };
}

/** The same over the vault of `home`, on its socket, for processes that get and erase. */
export async function listenWithLogins(home: string): Promise<AsyncDisposable & { readonly socket: string }> {
  const open = () => openVault({ folder: `${home}/state`, keep: heapSecret });
  const { agent, ...rest } = await openLoginAgent({ open, clock: openSystemClock() });
  const socket = `${home}/run/agent.sock`;
  const listener = await fakeAgent({
    socket,
    handler: async (request) => {
      if (request.action === 'get') return agent.get(request, agentItself);
      return request.action === 'erase'
        ? agent.erase(request, agentItself)
        : { status: 'unsupported', message: 'get or erase' };
    },
  });
  return {
    socket,
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await rest[Symbol.asyncDispose]();
    },
  };
}

async function runHere(
  _: string,
  plan: OAuthPlan,
  given: Readonly<Partial<Record<SecretName, Secret>>>,
): Promise<UpstreamAnswer<object>> {
  const secrets = new Map(Object.entries(given).map(([name, secret]) => [name, Buffer.from(expose(secret))]));
  const { reply, secrets: found } = await oauth(plan, secrets);
  return { reply, ...siftSecrets(new Map([...found].map(([name, bytes]) => [name, heapSecret(bytes)]))) };
}
