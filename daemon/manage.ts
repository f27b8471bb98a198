import type { Attributes } from '../protocol/attributes.ts';
import { KeyholdError } from '../protocol/errors.ts';
import type { CredentialReply, CredentialRequest, Detail } from '../protocol/handler.ts';
import type { SecretKeeper } from '../protocol/secret.ts';
import { toWire } from '../protocol/text.ts';
import { auditActs } from './audit/acts.ts';
import type { Audit } from './audit/audit.ts';
import { backUp } from './back-up.ts';
import { type Backend, type BackendName, type Degradation, isBackendName } from './backends/backend.ts';
import type { Backends } from './backends/index.ts';
import type { Argon2Params } from './backends/vault/passphrase.ts';
import type { Vault } from './backends/vault/vault.ts';
import type { KeyPlace } from './backends/vault/vault-key.ts';
import type { Clock } from './clock.ts';
import type { Custody } from './custody.ts';
import type { RestoreBin } from './erased/restore-bin.ts';
import { IoDeadline } from './io-deadline.ts';
import type { Log } from './log.ts';
import type { Meter } from './metrics/meter.ts';
import { migrate } from './migrate.ts';
import type { MigrateRecovery } from './migrate-recovery.ts';
import type { ProfileBook } from './profiles.ts';
import { restore } from './restore.ts';
import { tokenActs } from './tokens.ts';
import type { Tombstones } from './tombstones/tombstones.ts';
import { version, WIRE_VERSION } from './version.ts';

/** What management needs beside the custody itself. */
export type Management = {
  readonly custody: Custody;
  readonly tombstones: Tombstones;
  readonly bin: RestoreBin;
  readonly log: Log;
  readonly backends: Backends;
  readonly recovery: MigrateRecovery;
  readonly audit: Audit;
  readonly keep: SecretKeeper;
  readonly clock: Clock;
  readonly profiles: ProfileBook;
  readonly meter: Meter;
  /** Facts of this process that `status` tells: where secrets lie, how callers are told apart, how many there are. */
  readonly facts: () => readonly Detail[];
  /** What is worse than it could be, outside the backend. */
  readonly degradations: () => readonly Degradation[];
  /** What the passphrase of a backup may cost. @default defaultArgon2 */
  readonly backupCost?: Argon2Params | undefined;
  /** Milliseconds that ending may take because a service has not answered yet. */
  readonly outFor: () => number;
  /** Drains and ends the process, once the answer is out. */
  readonly stop: () => void;
  /** Starts the custody that comes after this one, then does as `stop`. Throws where it cannot; this one goes on then. */
  readonly restart: () => Promise<void>;
  /** Takes the session bus of a caller, where the agent has none; empty for a caller without one. */
  readonly adoptBus?: (address: string) => void;
};

export type Act = (management: Management, request: CredentialRequest) => Promise<CredentialReply>;

const done: CredentialReply = { status: 'ok' };

/** Milliseconds that `status` waits for a backend that is being opened. */
const OPENING_MOMENT = 1_000;

/** The management actions of protocol/wire/actions.ts. */
const acts: Readonly<Record<string, Act>> = {
  async capability() {
    return {
      status: 'ok',
      details: [['wire', WIRE_VERSION], ['version', version], ...['authtype', 'state', 'keyhold'].map(capability)],
    };
  },

  async status({ custody, facts, degradations }) {
    await settledSoon(custody);
    const { held, unlocked } = custody.counts;
    const all = [...(custody.backend?.degradations() ?? []), ...degradations(), ...failureOf(custody)];
    return {
      status: 'ok',
      details: [
        ['version', version],
        ['pid', String(process.pid)],
        ['state', custody.state],
        ['backend', custody.backend?.name ?? 'none'],
        ['durable', String(custody.backend?.durable ?? false)],
        ['held', String(held)],
        ['unlocked', String(unlocked)],
        ...progressOf(custody),
        ...facts(),
        ...all.map((degradation): Detail => ['degraded[]', toWire(JSON.stringify(degradation))]),
      ],
    };
  },

  list: tokenActs.list,
  annotate: tokenActs.annotate,
  share: tokenActs.share,
  bury: tokenActs.bury,
  'erased-restore': tokenActs.restoreErased,

  async metrics({ custody, meter, facts }) {
    const { held, unlocked } = custody.counts;
    const counts: Detail[] = [
      ['held', String(held)],
      ['unlocked', String(unlocked)],
    ];
    const of = (key: string) => facts().filter(([name]) => name === key);
    return { status: 'ok', details: [...counts, ...of('connections'), ...of('started_at'), ...meter.details()] };
  },

  async 'profile-reload'({ profiles }) {
    return { status: 'ok', details: [['profiles', String(profiles.reload())]] };
  },

  async lock({ custody }) {
    await custody.lock();
    return done;
  },

  async unlock({ custody, adoptBus }, { attributes }) {
    adoptBus?.(attributes.text('session_bus') ?? '');
    const mayPrompt = attributes.text('interactive') !== '0';
    await custody.unlock({ passphrase: attributes.secret('passphrase'), mayPrompt });
    return done;
  },

  async stop({ stop, outFor }) {
    const answer = ending(outFor());
    stop();
    return answer;
  },

  async restart({ restart, outFor, adoptBus }, { attributes }) {
    adoptBus?.(attributes.text('session_bus') ?? '');
    const answer = ending(outFor());
    await restart();
    return answer;
  },

  async 'backend-list'({ custody, backends }) {
    await custody.settled();
    const known = await backends.survey();
    const items = known.map((one) => ({ ...one, inUse: one.name === custody.backend?.name }));
    return { status: 'ok', details: items.map((item) => ['item[]', toWire(JSON.stringify(item))]) };
  },

  async 'backend-use'(management, { attributes }) {
    const { custody } = management;
    const name = backendNamed(attributes);
    await custody.ready();
    if (name === custody.backend?.name) return done;
    if (custody.counts.held > 0) {
      const mend = `run: keyhold backend migrate ${name}`;
      throw new KeyholdError(
        'bad_request',
        `cannot use ${name}: credentials rest in ${custody.backend?.name}; ${mend}`,
      );
    }
    await carry(management, name);
    return done;
  },

  async 'backend-migrate'(management, { attributes }) {
    const { custody } = management;
    const name = backendNamed(attributes);
    await custody.ready();
    if (name === custody.backend?.name) return { status: 'ok', details: [['carried', '0']] };
    const { carried, left } = await carry(management, name);
    const remark = left > 0 ? `${left} could not be removed where they were` : undefined;
    return { status: 'ok', details: [['carried', String(carried)]], message: remark };
  },

  async repair({ custody, recovery }, { attributes }) {
    await custody.settled();
    const { removed, left, fault } = await recovery.settle(attributes.secret('passphrase'));
    if (fault) return { status: fault.status, message: fault.message };
    return {
      status: 'ok',
      details: [
        ['removed', String(removed)],
        ['left', String(left)],
      ],
    };
  },

  async 'backend-passphrase'({ custody }, { attributes }) {
    await custody.settled();
    const { backend } = custody;
    if (!backend || !isVault(backend)) {
      throw new KeyholdError(
        'unsupported',
        `cannot set a passphrase: ${backend?.name ?? 'no backend'} has none of its own`,
      );
    }
    const place = keyPlaceIn(attributes);
    await backend.setPassphrase(attributes.secret('passphrase'), attributes.secret('new_passphrase'), place);
    custody.rekeyed();
    return done;
  },

  async 'backend-undo'({ custody }, { attributes }) {
    await custody.settled();
    const { backend } = custody;
    const drop = attributes.text('drop') === '1';
    if (!backend || !isVault(backend) || !(await backend.undoPassphrase(drop))) {
      throw new KeyholdError(
        'unsupported',
        'cannot undo: the key of the backend in use was not changed within the last day; see: keyhold audit list',
      );
    }
    custody.rekeyed();
    if (!drop) await custody.unlock({ mayPrompt: false });
    return done;
  },

  backup: (management, { attributes }) => backUp(management, requiredPassphrase(attributes, 'back up')),

  async progress({ custody }) {
    return { status: 'ok', details: [['state', custody.state], ...progressOf(custody)] };
  },

  restore: (management, request) => restore(management, requiredPassphrase(request.attributes, 'restore'), request),

  'audit-list': ({ audit }, { attributes }) => auditActs.list(audit, attributes),
  'audit-verify': ({ audit }, { attributes }) => auditActs.verify(audit, attributes),
  usage: ({ audit }, { attributes }) => auditActs.usage(audit, attributes),
};

/** The answer to who ends the agent, and how many seconds more than usual that may take. */
function ending(outFor: number): CredentialReply {
  return outFor > 0 ? { status: 'ok', details: [['within', String(Math.ceil(outFor / 1_000))]] } : done;
}

/** Answers a management action; undefined if there is none of that name. */
export function manage(management: Management, request: CredentialRequest): Promise<CredentialReply> | undefined {
  const act = Object.hasOwn(acts, request.action) ? acts[request.action] : undefined;
  if (!act) return undefined;
  // git's cache client could send `exit`, `lock` or `stop` by mistake: who manages says that they know this custody.
  if (!request.capabilities.keyhold) {
    return Promise.resolve({
      status: 'unsupported',
      message: 'cannot answer: management needs the capability keyhold',
    });
  }
  return act(management, request);
}

async function carry({ custody, backends, recovery, log }: Management, name: BackendName): ReturnType<typeof migrate> {
  await recovery.settleFirst();
  const { usable, what } = (await backends.survey()).find((one) => one.name === name)!;
  if (!usable) throw new KeyholdError('backend_absent', `cannot use ${name}: ${what}; see: keyhold backend list`);
  const next = await backends.open(name);
  try {
    return await migrate(custody, next, recovery.steps(custody.backend!.name, name), log);
  } catch (error) {
    await next.dispose();
    throw error;
  }
}

/** How far work is that keeps others waiting. */
function progressOf({ progress }: Custody): Detail[] {
  return progress ? [['progress[]', toWire(JSON.stringify(progress))]] : [];
}

/** Waits for an opening that takes no longer than a moment; one of a large vault is told as it stands. */
async function settledSoon(custody: Custody): Promise<void> {
  const late = Promise.withResolvers<void>();
  const deadline = new IoDeadline(OPENING_MOMENT, late.resolve);
  await Promise.race([custody.settled(), late.promise]);
  deadline.clear();
}

/** Told by the name, because the vault's own module is loaded only where a vault is used. */
function isVault(backend: Backend): backend is Vault {
  return backend.name === 'vault';
}

function capability(name: string): Detail {
  return ['capability[]', name];
}

function backendNamed(attributes: Attributes): BackendName {
  const name = attributes.text('name') ?? '';
  if (!isBackendName(name))
    throw new KeyholdError('bad_request', 'cannot use that backend: name is keyring, vault or memory');
  return name;
}

/** Where the vault's key shall rest without a passphrase. */
function keyPlaceIn(attributes: Attributes): KeyPlace | undefined {
  switch (attributes.text('key')) {
    case undefined:
      return undefined;
    case 'file':
      return 'key-file';
    case 'keyring':
      return 'key-source';
    default:
      throw new KeyholdError('bad_request', 'cannot put the key there: key is file or keyring');
  }
}

function requiredPassphrase(attributes: Attributes, verb: string) {
  const passphrase = attributes.secret('passphrase');
  if (!passphrase || passphrase.length === 0)
    throw new KeyholdError('bad_request', `cannot ${verb}: it needs a passphrase`);
  return passphrase;
}

function failureOf({ state, failure }: Custody): Degradation[] {
  return failure && state === 'failed'
    ? [{ code: failure.code.replaceAll('_', '-'), what: failure.message, remedy: 'then run: keyhold restart' }]
    : [];
}
