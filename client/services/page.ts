import {
  type Call,
  type HostRule,
  type Kind,
  type Manifest,
  operations,
  type Refusal,
} from '../../protocol/services/index.ts';
import { exitCodeOf } from '../../protocol/status.ts';

export type Fact = readonly [label: string, value: string];

/** A place as people write it: `https://` is left out, because nearly all are. */
export function hostText({ protocol = 'https', host, port, path }: HostRule): string {
  if (host === '*') return `every ${protocol}://`;
  const scheme = protocol === 'https' ? '' : `${protocol}://`;
  return `${scheme}${host}${port === undefined ? '' : `:${port}`}${path === undefined ? '' : `/${path.replace(/^\/+/, '')}`}`;
}

/** Every place of a service in one line. */
export function hostsText({ hosts, selfHosted }: Manifest): string {
  return [...hosts.map(hostText), ...(selfHosted ? ['your own servers'] : [])].join(', ');
}

/** What a manifest says, as labels and text, without what it does not say. */
export function factsOf(manifest: Manifest): Fact[] {
  const { urls = {}, env, files, keyring, login, oauth, rest, limits, life, policy } = manifest;
  const calls = operations.filter((name) => rest?.[name] !== undefined && !isRefusal(rest[name]));
  const facts: (readonly [string, string | undefined])[] = [
    ['title', manifest.title],
    ['hosts', hostsText(manifest)],
    ['one token for each', manifest.scope.join(', ')],
    ['kinds', manifest.kinds.map(kindText).join('; ')],
    [
      'sent as',
      manifest.auth.map(({ scheme, name }) => (name === undefined ? scheme : `${scheme} ${name}`)).join(', '),
    ],
    ['environment', env?.variables.map(({ name, holds }) => `${name} (${holds})`).join(', ')],
    ['who wins', env?.precedence?.join(', then ')],
    ['files', [...new Set(files?.map(({ path }) => path))].join(', ')],
    ['its keyring item', keyring && `${keyring.service}, ${keyring.account}`],
    ['login', login?.map(({ way, kind }) => (kind === undefined ? way : `${way} (${kind})`)).join(', ')],
    ['OAuth', oauth?.grants.join(', ')],
    ['calls', calls.join(', ')],
    ['active at once', limits?.active?.toString()],
    ['names', limits?.name && `${limits.name.min ?? 1} to ${limits.name.max ?? 256} characters`],
    ['after a revoke', life?.revoke && `dead ${life.revoke === 'immediate' ? 'at once' : 'after a while'}`],
    ['probed again', life?.recheck?.map((after) => `after ${after}`).join(', ')],
    ['rotate every', policy?.rotateEvery],
    ['warn before', policy?.warnBefore],
    ...(['dashboard', 'create', 'docs', 'status', 'support'] as const).map((name) => [name, urls[name]] as const),
  ];
  return facts.flatMap(([label, value]): Fact[] => (value === undefined || value === '' ? [] : [[label, value]]));
}

/** What people should know before they rely on it: differences between documents and program, and what is not offered. */
export function warningsOf({ env, rest, life }: Manifest): string[] {
  const deviations = (env?.deviations ?? []).map(
    ({ documented, real, fix }) => `documented: ${documented}; really: ${real}${fix === undefined ? '' : `. ${fix}`}`,
  );
  const refusals = operations.flatMap((name) => {
    const call = rest?.[name];
    return isRefusal(call) ? [`no ${name}: ${call.none}`] : [];
  });
  return [...deviations, ...(life?.note === undefined ? [] : [life.note]), ...refusals];
}

/** What its answers mean and what to do then, as lines: `401 "token expired": …. Next: …`. */
export function causesOf({ errors = [] }: Manifest): string[] {
  return errors.map(({ operation, status, code, text, cause, next, outcome }) => {
    const told = [operation, status, code, text && `"${text}"`].filter((part) => part !== undefined);
    const exit = outcome === 'done' ? 0 : exitCodeOf(outcome);
    return `${told.join(' ')}: ${cause}${next === undefined ? '' : `. Next: ${next}`} (exit ${exit})`;
  });
}

function kindText({ name, title, lifetimes, memoryOnly }: Kind): string {
  const lives = lifetimes?.allowed?.join('/') ?? lifetimes?.max;
  const notes = [title, lives && `lives ${lives}`, memoryOnly && 'in memory only'].filter(Boolean);
  return notes.length === 0 ? name : `${name} (${notes.join(', ')})`;
}

function isRefusal(call: Call | Refusal | undefined): call is Refusal {
  return call !== undefined && 'none' in call;
}
