import type { EpochSeconds } from './credential.ts';

/**
 * What the order of choice looks at. `label` is what the person calls it; `made` says how it came to be held (`login`,
 * `created`, `set`, `imported`, `tool`), and is undefined where that is not known.
 */
export type Choosable = {
  readonly path?: string | undefined;
  readonly made?: string | undefined;
  readonly label?: string | undefined;
  readonly storedAt: EpochSeconds;
};

/** What put one candidate before another: the nearer scope, what it was made for, or the later store. */
export type OrderRule = 'scope' | 'purpose' | 'last';

/**
 * Whether a token was made for one purpose, such as a CI job: the service created it, or the person set it by hand under a
 * label of its own. A login acts for a person whatever it is called, and so does what a tool stored or a file held.
 */
export function isForPurpose({ made, label }: Pick<Choosable, 'made' | 'label'>): boolean {
  if (made === 'created') return true;
  return label !== undefined && (made === undefined || made === 'set');
}

/**
 * Whether a token may stand for the person at its service when a call names none. A token that the service created for a
 * purpose never does.
 */
export function mayAct({ made }: Pick<Choosable, 'made'>): boolean {
  return made !== 'created';
}

/**
 * The rank of a credential among those that match one request; the higher is chosen first. A credential without a path comes
 * before one with a path: a request that names a path never matches another one, so this decides only for requests without.
 */
export function rankOf(one: Choosable): number {
  return (one.path === undefined ? 2 : 0) + (isForPurpose(one) ? 0 : 1);
}

/**
 * The order of choice among credentials that match one request and account (DESIGN.md §3): the nearest scope, then a login or a
 * token set by hand before one made for a purpose, then the one stored last. For `sort`: the chosen one comes first.
 */
export function compareChoice(one: Choosable, other: Choosable): number {
  return rankOf(other) - rankOf(one) || other.storedAt - one.storedAt;
}

/** Which rule of `compareChoice` puts one before another. */
export function ruleBetween(one: Choosable, other: Choosable): OrderRule {
  if ((one.path === undefined) !== (other.path === undefined)) return 'scope';
  return isForPurpose(one) === isForPurpose(other) ? 'last' : 'purpose';
}

/** What the choice of an acting token looks at besides: whose it is, and of which of the service's kinds. */
export type Actable = Choosable & {
  readonly username?: string | undefined;
  readonly account?: string | undefined;
  readonly kind?: string | undefined;
};

/** Whether a credential is that account's: by its username here, or by what the service calls its account. */
export function isOfAccount({ username, account }: Pick<Actable, 'username' | 'account'>, name: string): boolean {
  return username === name || account === name;
}

/**
 * The order in which tokens of one service and place may act for the person: the account that the profile names, then a login,
 * then a session of any other origin, then as `compareChoice` says. For `sort`: the one that acts comes first. All texts are
 * for people. Leave out before what `mayAct` turns down.
 */
export function compareActing(preferred: string | undefined): (one: Actable, other: Actable) => number {
  const rank = (one: Actable) =>
    (preferred !== undefined && isOfAccount(one, preferred) ? 4 : 0) +
    (one.made === 'login' ? 2 : 0) +
    (one.kind === 'session' ? 1 : 0);
  return (one, other) => rank(other) - rank(one) || compareChoice(one, other);
}

/** The accounts that a request prefers, in the order in which they are looked for: the profile's, then the remembered one. */
export function accountsOf(preference: {
  readonly account?: string | undefined;
  readonly remembered?: string | undefined;
}): readonly string[] {
  return [preference.account, preference.remembered].filter((one) => one !== undefined);
}
