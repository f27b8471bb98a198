import { setTimeout as sleep } from 'node:timers/promises';
import type { Detail } from '../protocol/handler.ts';
import { confined, nothing, views } from './access/views.ts';
import { answerer } from './actions/index.ts';
import { UnderWay } from './actions/under-way.ts';
import { openBackends } from './backends/index.ts';
import { adoptSessionBus, liveSessionBus } from './backends/keyring/session-bus.ts';
import { openLockMark } from './backends/lock-mark.ts';
import { openMigrateJournal } from './backends/migrate-journal.ts';
import { MigrateRecovery } from './backends/migrate-recovery.ts';
import type { Composed, Composition } from './composition.ts';
import { Accounts } from './credentials/accounts.ts';
import { Agent } from './credentials/agent.ts';
import { Decider } from './credentials/decide.ts';
import { openCredentialStore } from './credentials/held/credential-store.ts';
import { openProfiles } from './credentials/profiles.ts';
import { silentPolicy } from './credentials/unlocked/lease.ts';
import { openRegion } from './credentials/unlocked/region.ts';
import { Waiters } from './credentials/waiters.ts';
import { WorkingFolders } from './credentials/working-folder.ts';
import { Emitter } from './events/emitter.ts';
import { Herald } from './events/herald.ts';
import { Audit } from './history/audit/audit.ts';
import { Witness } from './history/audit/witness.ts';
import { RestoreBin } from './history/erased/restore-bin.ts';
import { Marks } from './history/tombstones/marks.ts';
import { Tombstones } from './history/tombstones/tombstones.ts';
import { logging } from './log-lines.ts';
import { Meter } from './metrics/meter.ts';
import { timed } from './metrics/timed.ts';
import { ChildWalls } from './native/child-walls.ts';
import { wallsMissing } from './native/walls-missing.ts';
import { Refresher } from './oauth/refresher.ts';
import { SignIn } from './oauth/sign-in.ts';
import { Sidecar } from './processes/sidecar.ts';
import { openServices } from './services/catalogue.ts';
import { gitUsernames } from './services/git-username.ts';
import { Services } from './services/index.ts';
import { routeOf } from './services/route.ts';
import { whoseToken } from './services/whose.ts';
import { agentItself, type Caller } from './socket/caller.ts';
import { Reception } from './socket/reception.ts';
import { Upstream } from './upstream/upstream.ts';

/** Milliseconds that running conversations get to end when the agent does. */
const DRAIN_DEADLINE = 2_000;
/** Milliseconds that a request gets to keep what a service has answered, when the agent ends. */
const KEEP_DEADLINE = 5_000;
/** Seconds that the events process stays when nobody listens: somebody who comes again finds it warm. */
const EVENTS_IDLE = 5;

/** Builds the agent: who gets which part is decided here and nowhere else. */
export function compose({
  places,
  config,
  clock,
  log,
  native,
  keyringChild,
  adminChild,
  upstreamChild,
  eventsChild,
  degradations,
  backupCost,
  lookAt,
  came,
  startedIn = 'elsewhere',
  stop,
  restart,
}: Composition): Composed {
  const startedAt = clock.now();
  const region = openRegion({ native });
  const meter = new Meter(came);
  const walls = new ChildWalls();
  const backends = timed(
    openBackends({
      state: places.state,
      configured: config.backend,
      keyringChild,
      onChildUp: walls.came,
      keep: region.keep,
      clock,
    }),
    meter,
  );
  const emitter = new Emitter();
  const { emit } = emitter;
  const attending = { native, emit, turnedAway: (caller: Caller) => witness.turnedAway(caller) };
  const events = new Herald({
    attendant: new Sidecar({
      ...attending,
      name: 'events',
      program: eventsChild,
      args: () => [places.eventsSocket],
      idle: EVENTS_IDLE,
    }),
    clock,
    held: () => credentials.entries.all(),
    byId: (id) => credentials.entries.byId(id),
    lead: config.eventsLead,
  });
  emitter.subscribe(logging(log));
  emitter.subscribe(events.heard);
  const waiters = new Waiters(clock, emitter);
  const credentials = openCredentialStore({
    keep: region.keep,
    clock,
    emit,
    lockMark: openLockMark(`${places.state}/locked`),
    onRest: (name) => backends.remember(name),
    // What fell due while it was off or locked.
    onOpen: () => {
      decider.begin();
      calls.rechecks.watch();
      bin.watch();
      void recovery.settle();
    },
    lease: { idle: config.leaseIdle ?? silentPolicy.idle, max: config.leaseMax },
  });
  const recovery = new MigrateRecovery({ journal: openMigrateJournal(`${places.state}/migrate.json`), backends, emit });
  const profiles = openProfiles(`${places.config}/profiles.json`);
  const folders = new WorkingFolders(profiles.current, lookAt);
  const services = openServices(`${places.config}/services`);
  const marks = new Marks({ credentials, keep: region.keep, clock, services });
  const tombstones = new Tombstones(credentials, marks, clock);
  const bin = new RestoreBin({ credentials, tombstones, clock, emit, keep: config.eraseKeep });
  const upstream = new Upstream({ childPath: upstreamChild, keep: region.keep, onUp: walls.came });
  const route = () => routeOf(config);
  const usedWithin = config.refreshUsedWithin;
  const refreshing = { credentials, marks, upstream, route, clock, emit };
  const refresher = new Refresher({ ...refreshing, services, random: Math.random, usedWithin });
  const signIn = new SignIn({
    ...refreshing,
    refresher,
    services,
    keep: region.keep,
    whoseToken: (...token) => whoseToken(calls.partsFor({}, agentItself), ...token),
  });
  const agent = new Agent({
    credentials,
    clock,
    emit,
    profiles: profiles.current,
    tombstones,
    waiters,
    bin,
    accounts: new Accounts({ credentials, clock, emit }),
    refresher,
    isSigningIn: (target) => signIn.isUnderWay(target),
    gitUsername: gitUsernames(services),
  });

  const audit = new Audit({
    file: `${places.state}/audit.db`,
    clock,
    keep: config.auditKeep,
    emit,
    isHeld: (id) => (credentials.lifecycle.state === 'open' ? credentials.entries.byId(id) !== undefined : undefined),
  });

  const admin = new Sidecar({
    ...attending,
    name: 'admin',
    program: adminChild,
    args: () => [places.agentSocket],
    idle: config.adminIdle,
  });

  const calls = new Services({
    credentials,
    tombstones,
    agent,
    upstream,
    route,
    services,
    profiles: profiles.current,
    clock,
    keep: region.keep,
    emit,
    audit,
    mayRecheck: config.revokeRecheck === 'on',
  });

  const decider = new Decider({ credentials, audit, services, clock, emit });

  const facts = (): Detail[] => [
    ['started_at', String(startedAt)],
    ['connections', String(reception.connections)],
    ['memory', region.protection],
    ...(walls.weakest === undefined ? [] : ([['children', walls.weakest]] as Detail[])),
    ['identity', native ? 'kernel' : 'folder'],
    ['socket', places.agentSocket],
    ['state_folder', places.state],
    ['started_in', startedIn],
    ['session_bus', liveSessionBus(process.env) ?? ''],
    ['admin', admin.pid === undefined ? 'waits' : 'up'],
  ];
  const underWay = new UnderWay();
  const answer = answerer({
    agent,
    credentials,
    tombstones,
    bin,
    emit,
    backends,
    recovery,
    audit,
    keep: region.keep,
    clock,
    profiles,
    folders,
    decider,
    meter,
    services: calls,
    signIn,
    underWay,
    facts,
    degradations: () => [
      ...degradations,
      ...profiles.degradations(),
      ...recovery.degradations(),
      ...refresher.degradations(),
      ...calls.rotations.degradations(),
      ...calls.rechecks.degradations(),
      ...wallsMissing(native, region.protection),
      ...walls.degradations(native !== undefined),
      ...audit.degradations(),
    ],
    backupCost,
    stop,
    restart,
    outFor: () => upstream.outFor,
    adoptBus: (address: string) => adoptSessionBus(process.env, address),
  });
  const witness = new Witness({ answer, audit, clock, meter });
  const reception = new Reception({
    handlerFor(caller) {
      const isAdmin = caller.pid === admin.pid;
      if (!isAdmin && caller.pid !== events.pid) return witness.handlerFor(caller);
      const may = isAdmin ? views : nothing;
      return confined(witness.handlerFor(caller), may, () =>
        emit({ kind: 'refused', pid: caller.pid, uid: caller.uid }),
      );
    },
    keep: region.keep,
    native,
    emit,
    turnedAway: (caller) => witness.turnedAway(caller),
  });

  return {
    credentials,
    open: () => credentials.lifecycle.open(() => recovery.open()),
    reception,
    admin,
    events,
    outFor: () => upstream.outFor,
    async dispose() {
      // Who waits for a person is answered, not cut off.
      waiters.dispose();
      await Promise.all(
        [admin, events].map((one) => one.dispose(DRAIN_DEADLINE)).concat(reception.drain(DRAIN_DEADLINE)),
      );
      bin.dispose();
      refresher.dispose();
      // A token that was spent or made meanwhile is lost unless its answer is awaited, also where no request waits for it.
      await upstream.drain();
      await Promise.race([underWay.settled(), sleep(KEEP_DEADLINE, undefined, { ref: false })]);
      signIn.dispose();
      decider.dispose();
      calls.dispose();
      await recovery.dispose();
      await credentials.lifecycle.dispose();
      upstream.dispose();
      audit.dispose();
      region.dispose();
    },
  };
}
