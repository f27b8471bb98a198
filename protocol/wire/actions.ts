import type { Status } from '../status.ts';

/** Who may ask for an action, once callers are told apart (DESIGN.md §8). */
export type Permission =
  /** It hands a value to a tool, or tells whether a value is held. */
  | 'use'
  /** It shows and changes nothing, and never a value. */
  | 'view'
  /** It changes what is held. */
  | 'change'
  /** It concerns the agent or everything that is held at once. */
  | 'admin';

/** What the audit log has of an action. */
export type Records =
  /** One entry for each success and each refusal. The default. */
  | 'changes'
  /** Counts of successes, one entry for the first by each program, and one for each refusal. */
  | 'uses'
  /** Nothing, and why. */
  | { readonly nothing: string };

/** One action of the wire. An action without a row cannot exist (daemon/actions/index.ts). */
export type ActionRow = {
  /** What it is for. */
  readonly summary: string;
  /** The attributes that it reads; a daemon/actions/NAME.ts that reads another one does not compile (attribute-names.ts). */
  readonly reads: string;
  /** The attributes of its answer. */
  readonly answers: string;
  readonly statuses: readonly Status[];
  /** A request without a proper protocol and host is refused. */
  readonly target?: 'required';
  readonly permission: Permission;
  /** @default 'changes' */
  readonly records?: Records;
  /** With check=1 it only looks, changes nothing and is not recorded. */
  readonly check?: true;
  /** Also answered without the capability keyhold: git's cache client speaks it. Others it could send by mistake. */
  readonly plain?: true;
  /** The admin process may ask for it. */
  readonly forAdmin?: true;
};

/**
 * Every action of the wire, in one table. PROTOCOL.md §3 shows it and `keyhold help wire` prints it; the audit log, the list of
 * what the admin process may ask for, and permissions follow it. Of attributes, `?` may be absent and `[]` may be repeated;
 * `item[]`, `candidate[]`, `degraded[]` and `record[]` hold one line of JSON each.
 */
export const actions = {
  get: {
    summary: 'the credential for a target',
    reads: 'protocol host path? username? id? wait? interactive? min_ttl? profile? cwd?',
    answers: 'username? password? authtype? credential? oauth_refresh_token? password_expiry_utc? state[]',
    statuses: [
      'ok',
      'not-found',
      'locked',
      'denied',
      'expired',
      'revoked',
      'interaction-required',
      'unavailable',
      'bad-request',
    ],
    target: 'required',
    permission: 'use',
    records: 'uses',
    plain: true,
  },
  store: {
    summary: 'keep a credential; answered when it is durable',
    reads:
      'protocol host path? username? password | authtype credential, oauth_refresh_token? password_expiry_utc? ephemeral? timeout? service? kind? label? token_id? origin? account? tenant? unverified? scopes? created_at? made? front? if_stored_at? force?',
    answers: '',
    statuses: ['ok', 'locked', 'denied', 'revoked', 'unavailable', 'bad-request'],
    target: 'required',
    permission: 'change',
    plain: true,
  },
  erase: {
    summary: 'take away what matches, in memory and at rest, into the restore bin; with purge=1 for good',
    reads: 'protocol host path? username? id? password? credential? reason? purge?',
    answers: 'erased purged?',
    statuses: ['ok', 'not-found', 'locked', 'denied', 'unavailable', 'bad-request'],
    target: 'required',
    permission: 'change',
    plain: true,
  },
  capability: {
    summary: 'what this agent speaks',
    reads: '',
    answers: 'wire version capability[]',
    statuses: ['ok'],
    permission: 'view',
    records: { nothing: 'it says what the agent speaks' },
    plain: true,
  },
  run: {
    summary: 'a helper run: frames both ways until the exit code, then the connection closes',
    reads: 'name argument[] cwd? profile? env[]',
    answers: '(frames)',
    statuses: ['bad-request'],
    permission: 'use',
    records: { nothing: 'each request of the helper run is recorded by its own action' },
  },
  status: {
    summary: 'how the agent is',
    reads: '',
    answers:
      'version pid started_at state backend durable held unlocked connections memory children? identity socket state_folder started_in session_bus admin progress[]? degraded[]',
    statuses: ['ok'],
    permission: 'view',
    records: { nothing: 'it shows facts about the agent' },
    forAdmin: true,
  },
  progress: {
    summary: 'how far the agent is with work that keeps others waiting: opening, backup, restore or migrate',
    reads: '',
    answers: 'state progress[]?',
    statuses: ['ok'],
    permission: 'view',
    records: { nothing: 'it shows facts about the agent' },
  },
  list: {
    summary:
      'what is held, with deleted=1 what was revoked, or with erased=1 what lies in the restore bin, without any value',
    reads: 'deleted? erased? service? compact? name[]',
    answers: 'item[] | columns rows[]',
    statuses: ['ok', 'locked', 'unavailable'],
    permission: 'view',
    records: { nothing: 'it shows what is held and no value' },
    forAdmin: true,
  },
  metrics: {
    summary: 'what the agent counts: requests by tool and outcome, and how long they and the backend took',
    reads: '',
    answers: 'held unlocked connections started_at bounds turned_away item[]',
    statuses: ['ok'],
    permission: 'view',
    records: { nothing: 'it shows counts' },
    forAdmin: true,
  },
  annotate: {
    summary: 'note what is known of a held credential; an empty value takes away, and the secret stays',
    reads: 'id service? kind? label? token_id? origin? account? tenant? unverified? scopes? created_at?',
    answers: '',
    statuses: ['ok', 'not-found', 'locked', 'unavailable', 'bad-request'],
    permission: 'change',
  },
  share: {
    summary: 'give a credential to a front, which lists it then; with undo=1 take it away again',
    reads: 'id front undo?',
    answers: 'item[]',
    statuses: ['ok', 'not-found', 'locked', 'unavailable', 'bad-request'],
    permission: 'change',
  },
  bury: {
    summary: 'keep a tombstone of a credential that is revoked for certain, and then remove it',
    reads: 'id reason? actor?',
    answers: '',
    statuses: ['ok', 'not-found', 'locked', 'unavailable', 'bad-request'],
    permission: 'change',
  },
  'erased-restore': {
    summary: 'bring back what an erase took away; with replace=1 also where another credential has its place',
    reads: 'id replace?',
    answers: 'id',
    statuses: ['ok', 'not-found', 'locked', 'revoked', 'interaction-required', 'unavailable', 'bad-request'],
    permission: 'change',
  },
  explain: {
    summary: 'what a get would be answered with and why; never a value, and nothing is read, touched or asked',
    reads: 'protocol host path? username? min_ttl? exact_path? front? profile? cwd?',
    answers: 'outcome rule? profile? profile_by? profile_folder? account? backend state human candidates candidate[]',
    statuses: ['ok', 'bad-request'],
    target: 'required',
    permission: 'view',
    records: { nothing: 'it shows what a get would do and no value' },
  },
  same: {
    summary: 'whether a value is one that is held for a target; no lease is extended and no use counted',
    reads: 'protocol host path? username? id? password',
    answers: 'same compared',
    statuses: ['ok', 'not-found', 'locked', 'denied', 'unavailable', 'bad-request'],
    target: 'required',
    permission: 'use',
  },
  'profile-reload': {
    summary: 'read the profiles again, which were changed',
    reads: '',
    answers: 'profiles',
    statuses: ['ok', 'bad-request'],
    permission: 'admin',
    records: { nothing: 'the profiles are a file, which is changed by others' },
  },
  authorize: {
    summary: 'begin a login by OAuth: where the person has to go; with way=client it is done at once',
    reads: 'protocol host path? username? way service? issuer? client_id? scopes? redirect? password?',
    answers:
      'login url state expires_in | login user_code url url_complete? interval expires_in | id refreshes | login replaces account',
    statuses: [
      'ok',
      'not-found',
      'locked',
      'denied',
      'interaction-required',
      'unavailable',
      'unsupported',
      'bad-request',
    ],
    target: 'required',
    permission: 'change',
  },
  authorized: {
    summary:
      'end a login that was begun: with what the browser brought back, or by asking whether the device was let in; error: it came to nothing; replaces: it is of another account than the login that is kept there',
    reads: 'login code? state? issuer? error? | login replace | login drop',
    answers: 'id refreshes | pending interval | login replaces account | upstream',
    statuses: ['ok', 'not-found', 'locked', 'denied', 'interaction-required', 'unavailable', 'bad-request'],
    permission: 'change',
  },
  'remote-list': {
    summary: "a service's own list of tokens, beside what is held; never a value",
    reads: 'protocol host path? service? kind? user? as? profile? cwd?',
    answers: 'item[] active limit?',
    statuses: [
      'ok',
      'not-found',
      'locked',
      'denied',
      'expired',
      'revoked',
      'interaction-required',
      'unavailable',
      'unsupported',
      'bad-request',
    ],
    permission: 'view',
    records: { nothing: 'it shows what a service lists and no value' },
  },
  'remote-show': {
    summary: 'what a service says of a held token; what: whoami, show, introspect, usage, audit',
    reads: 'id what? profile? cwd?',
    answers: 'item[] | unread',
    statuses: [
      'ok',
      'not-found',
      'locked',
      'denied',
      'expired',
      'revoked',
      'interaction-required',
      'unavailable',
      'unsupported',
      'bad-request',
    ],
    permission: 'view',
    records: { nothing: 'it shows what a service says and no value' },
  },
  verify: {
    summary: 'whose a token is that is not held yet, as its service says; nothing is kept',
    reads: 'protocol host path? service? kind? password',
    answers: 'item[] | note',
    statuses: [
      'ok',
      'not-found',
      'locked',
      'denied',
      'expired',
      'revoked',
      'interaction-required',
      'unavailable',
      'unsupported',
      'bad-request',
    ],
    permission: 'view',
    records: { nothing: 'it keeps nothing and answers no value of ours' },
  },
  create: {
    summary: 'have a service make a token, and keep it; with check=1 only whether and how that could be',
    reads:
      'protocol host path? service? kind? label expires_in? scopes? limit? account? tenant? as? check? profile? cwd?',
    answers: 'item[] warning[] | way why? page? kind warning[]',
    statuses: [
      'ok',
      'not-found',
      'locked',
      'denied',
      'expired',
      'revoked',
      'limit-reached',
      'interaction-required',
      'unavailable',
      'unsupported',
      'bad-request',
    ],
    permission: 'change',
    check: true,
  },
  revoke: {
    summary: 'have a service end a token; then a tombstone stands here, and a probe tells whether it is dead',
    reads: 'id | protocol host path? token_id service? kind?, as? reason? actor? check? profile? cwd?',
    answers: 'upstream probe? recheck[] note? watched?',
    statuses: [
      'ok',
      'not-found',
      'locked',
      'denied',
      'expired',
      'revoked',
      'interaction-required',
      'unavailable',
      'unsupported',
      'bad-request',
    ],
    permission: 'change',
    check: true,
  },
  rotate: {
    summary:
      'put a new token in the place of one: made, proved, swapped in, the old one revoked and proved dead; again: go on; undo=1: go back; check=1: only tell',
    reads: 'id expires_in? scopes? limit? as? password? shorter? deleted? check? undo? actor? profile? cwd?',
    answers:
      'step upstream? probe? serves? unverified? expires_at? page? why? delete_at? recheck[] note? watched? | way why? page? kind? expires_in? old_life? new_life? shorter? warning[] step? stands? began_at?',
    statuses: [
      'ok',
      'not-found',
      'locked',
      'denied',
      'expired',
      'revoked',
      'limit-reached',
      'interaction-required',
      'unavailable',
      'unsupported',
      'bad-request',
    ],
    permission: 'change',
    check: true,
  },
  refresh: {
    summary:
      'get a new access token at once: for a login, also where a refresh was cut off, or by a call of its service',
    reads: 'id',
    answers: 'expires_at?',
    statuses: [
      'ok',
      'not-found',
      'locked',
      'denied',
      'expired',
      'revoked',
      'interaction-required',
      'unavailable',
      'unsupported',
      'bad-request',
    ],
    permission: 'change',
  },
  login: {
    summary: 'sign in at a service by a password, then by a second factor where it asks for one; the session is kept',
    reads: 'protocol host path? service? account password tenant? | login code | login replace | login drop',
    answers: 'item[] | login factor[] | login replaces account | upstream',
    statuses: [
      'ok',
      'not-found',
      'locked',
      'denied',
      'interaction-required',
      'unavailable',
      'unsupported',
      'bad-request',
    ],
    permission: 'change',
  },
  lock: {
    summary: 'forget everything in memory and serve nothing until unlock',
    reads: '',
    answers: '',
    statuses: ['ok'],
    permission: 'admin',
  },
  unlock: {
    summary: 'serve again; the only action that may raise the desktop prompt',
    reads: 'passphrase? interactive? session_bus?',
    answers: '',
    statuses: ['ok', 'interaction-required', 'denied', 'unavailable'],
    permission: 'admin',
  },
  stop: {
    summary: 'drain and end; within: seconds that it may take longer, because a service has not answered yet',
    reads: '',
    answers: 'within?',
    statuses: ['ok'],
    permission: 'admin',
  },
  restart: {
    summary: 'hand the socket on to a fresh agent, drain and end; what comes meanwhile waits; within: as of stop',
    reads: 'session_bus?',
    answers: 'within?',
    statuses: ['ok', 'unavailable', 'unsupported'],
    permission: 'admin',
  },
  'backend-list': {
    summary: 'the backends and which could serve',
    reads: '',
    answers: 'item[]',
    statuses: ['ok'],
    permission: 'view',
    records: { nothing: 'it shows which backends there are' },
  },
  'backend-use': {
    summary: 'rest credentials elsewhere from now on; refused while something rests where they are now',
    reads: 'name',
    answers: '',
    statuses: ['ok', 'locked', 'unavailable', 'bad-request'],
    permission: 'admin',
  },
  'backend-migrate': {
    summary: 'carry everything to another backend, read it back there, then use that',
    reads: 'name',
    answers: 'carried left[]? left_more?',
    statuses: ['ok', 'locked', 'unavailable', 'bad-request'],
    permission: 'admin',
  },
  repair: {
    summary: 'remove what a migrate that was cut left over; passphrase: of a vault that it left it in',
    reads: 'passphrase?',
    answers: 'removed left item[]',
    statuses: ['ok', 'locked', 'denied', 'interaction-required', 'unavailable'],
    permission: 'admin',
  },
  'backend-passphrase': {
    summary:
      "set, change or (without new_passphrase) remove the vault's passphrase; then its key is in a file or the keyring",
    reads: 'passphrase? new_passphrase? key?',
    answers: '',
    statuses: ['ok', 'locked', 'denied', 'unavailable', 'unsupported', 'bad-request'],
    permission: 'admin',
  },
  'backend-undo': {
    summary:
      "undo a change of the vault's key, or a migrate to the memory, within a day; with drop=1 make it final now",
    reads: 'drop?',
    answers: '',
    statuses: ['ok', 'locked', 'unavailable', 'unsupported'],
    permission: 'admin',
  },
  backup: {
    summary:
      'everything held, sealed by a passphrase; with paged=1 in pages: backup names it to ask for the next, left says how many records are to come, and a header begins the file, also anew',
    reads: 'passphrase paged? | backup',
    answers: 'header? damaged[] damaged_more? record[] backup? left?',
    statuses: ['ok', 'locked', 'unavailable', 'bad-request'],
    permission: 'admin',
  },
  restore: {
    summary:
      'take records of a backup back in; up to 1,000 a request; where another value is held the one stored later stays, unless older=1',
    reads: 'passphrase header record[] older?',
    answers: 'restored own differs[]',
    statuses: ['ok', 'locked', 'denied', 'unavailable', 'bad-request'],
    permission: 'admin',
  },
  'audit-list': {
    summary: 'what happened, newest first from before; oldest first behind after; up to 1,000',
    reads: 'since? until? id? tool? event? before? after? limit?',
    answers: 'item[] number hash',
    statuses: ['ok', 'unavailable', 'bad-request'],
    permission: 'view',
    records: { nothing: 'it shows the log itself' },
    forAdmin: true,
  },
  'audit-verify': {
    summary: 'recompute the chain of the audit log; number and hash: a head that was exported',
    reads: 'number? hash?',
    answers: 'sound entries? first? number hash? why?',
    statuses: ['ok', 'unavailable', 'bad-request'],
    permission: 'view',
    records: { nothing: 'it reads the log itself' },
  },
  usage: {
    summary: 'first use, last use and count of every credential; of one also by tool, program, project and day',
    reads: 'id?',
    answers: 'item[]',
    statuses: ['ok', 'unavailable', 'bad-request'],
    permission: 'view',
    records: { nothing: 'it shows counts' },
    forAdmin: true,
  },
} as const satisfies Record<string, ActionRow>;

export type ActionName = keyof typeof actions;

/** The row of an action by its name as it came; undefined where there is none. */
export function rowOf(action: string): ActionRow | undefined {
  return Object.hasOwn(actions, action) ? actions[action as ActionName] : undefined;
}
