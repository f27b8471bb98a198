import type { Target } from '../credential.ts';
import { fromWire } from '../text.ts';
import type { Manifest, Variable } from './manifest.ts';

export type EnvironmentPlan = {
  /** Variables that get the token: the first that holds one, and those that are set beside it. */
  readonly token: readonly string[];
  /** Variables that get what is not secret: endpoint, project, account and so on, by what they hold. */
  readonly plain: Readonly<Partial<Record<Variable['holds'], readonly string[]>>>;
  /** Variables with a fixed value. */
  readonly fixed: Readonly<Record<string, string>>;
  /** Variables that must go, because they could win over what was set or hold an old token. */
  readonly remove: readonly string[];
};

/** What a child's environment gets and loses for one token of a kind (the usual kind if none is named). */
export function environmentOf(manifest: Manifest, kindName = manifest.kinds[0]?.name): EnvironmentPlan {
  const all = manifest.env?.variables ?? [];
  const fitting = all.filter(
    ({ kinds }) => kinds === undefined || (kindName !== undefined && kinds.includes(kindName)),
  );
  const chosen = (holds: Variable['holds']) => {
    const ones = fitting.filter((variable) => variable.holds === holds);
    return ones.filter(({ alsoSet }, at) => at === 0 || alsoSet === true).map(({ name }) => name);
  };
  const token = chosen('token');
  const plain: Partial<Record<Variable['holds'], readonly string[]>> = {};
  for (const holds of ['endpoint', 'username', 'account', 'project', 'profile', 'tenant', 'output'] as const) {
    const names = chosen(holds);
    if (names.length > 0) plain[holds] = names;
  }
  const fixed: Record<string, string> = {};
  for (const { name, holds, value } of fitting) if (holds === 'fixed' && value !== undefined) fixed[name] = value;
  const remove = all.filter(({ name, holds }) => holds === 'token' && !token.includes(name)).map(({ name }) => name);
  return { token, plain, fixed, remove };
}

/**
 * A server as a variable of the service's program takes it. `server` is where the token is held or, with `isNamed`, what the
 * person's profile names: then a fixed address of the service's own server does not hold.
 */
export function endpointText(
  { env }: Manifest,
  name: string,
  { protocol, host, path }: Target,
  isNamed: boolean,
): string {
  const { value, form = isNamed ? 'url' : 'origin' } = env?.variables?.find((variable) => variable.name === name) ?? {};
  const texts = { host: fromWire(host), origin: fromWire(`${protocol}://${host}`), path: `/${fromWire(path ?? '')}` };
  if (value !== undefined && (!isNamed || value.includes('{'))) {
    return value.replaceAll('{origin}', texts.origin).replaceAll('{host}', texts.host);
  }
  return form === 'url' ? `${texts.origin}${path === undefined ? '' : texts.path}` : texts[form];
}

/** Every variable of a service that may hold a secret: what `doctor` looks for, and what must never be printed. */
export function secretVariables(manifest: Manifest): string[] {
  return (manifest.env?.variables ?? []).filter(({ holds }) => holds === 'token').map(({ name }) => name);
}

/**
 * Where the service's own program would really take its token from, given where one lies: the first of its precedence.
 * `flag` stands first where nothing is said, then environment, file and keyring, as most programs do.
 */
export function winnerOf<Place extends string>(manifest: Manifest, present: readonly Place[]): Place | undefined {
  const order: readonly string[] = manifest.env?.precedence ?? ['flag', 'environment', 'file', 'keyring', 'helper'];
  return order.map((source) => present.find((place) => place === source)).find((place) => place !== undefined);
}
