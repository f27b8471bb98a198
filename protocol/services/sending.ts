import { addressOf, isLoopback } from './address.ts';
import type { Problem } from './conform.ts';
import { belongsTo } from './find.ts';
import { type Call, type Manifest, type Operations, operations } from './manifest.ts';
import { isPlaceholder, placeholders, placeholdersIn } from './template.ts';

type Path = Problem['path'];

/** Something wrong with a manifest: where, and the rule in words that follow the place. */
export function problem(path: Path, rule: string): Problem {
  return { path, rule };
}

/** Names of kinds that are none of this manifest's. */
export function unknownKinds({ kinds: all }: Manifest, names: readonly string[] | undefined, path: Path): Problem[] {
  return (names ?? []).flatMap((name, at) =>
    all.some((kind) => kind.name === name) ? [] : [problem([...path, at], 'is none of "kinds"')],
  );
}

/** Text that may hold these placeholders and no others. */
export function badTemplate(template: string, path: Path, allowed: readonly string[]): Problem[] {
  const names = placeholdersIn(template);
  if (!names) return [problem(path, 'has a brace without its other one')];
  return names.flatMap((name) => {
    if (!isPlaceholder(name)) return [problem(path, `has an unknown placeholder "{${name}}"`)];
    return allowed.includes(name) ? [] : [problem(path, `must not hold {${name}}`)];
  });
}

function whyNoUrl(url: string): string | undefined {
  const address = addressOf(url.replace(/[?#].*$/s, ''));
  if (!address || /[^!-~]/.test(url)) return 'must be a plain URL without user name, spaces and ".."';
  if (address.protocol !== 'https' && !isLoopback(address.host)) {
    return 'must begin with https:// (http:// is for this machine only)';
  }
  return undefined;
}

/** Pages for people; with `oauth` and `rest` the rules about where a person and a token are sent. */
export function urls({ urls: pages = {} }: Manifest): Problem[] {
  return Object.entries(pages).flatMap(([name, url]) => {
    const why = whyNoUrl(url);
    return why === undefined ? [] : [problem(['urls', name], why)];
  });
}

/** A URL that a token is sent to: a plain one, of a host that is the service's, or `{origin}` and a path. */
function sentTo(manifest: Manifest, url: string, path: Path): Problem[] {
  if (url.startsWith('{origin}')) {
    return addressOf(`https://x${url.slice('{origin}'.length)}`)
      ? []
      : [problem(path, 'must be {origin} and a plain path')];
  }
  const why = whyNoUrl(url) ?? (/[?#]/.test(url) ? 'must have no "?" and no "#"' : undefined);
  if (why !== undefined) return [problem(path, why)];
  const listed = belongsTo(url, { ...manifest, selfHosted: false });
  return listed ? [] : [problem(path, 'is sent tokens, but its host is none of "hosts"')];
}

/** OAuth's endpoints. */
export function oauth(manifest: Manifest): Problem[] {
  const { oauth: given } = manifest;
  if (!given) return [];
  const problems = (['issuer', 'authorize', 'device', 'token', 'revoke', 'introspect'] as const).flatMap((name) =>
    given[name] === undefined ? [] : sentTo(manifest, given[name], ['oauth', name]),
  );
  if (given.issuer === undefined && given.token === undefined) {
    problems.push(problem(['oauth'], 'lacks the field "issuer" or "token"'));
  }
  return problems;
}

/** The calls, of the service and of each kind. */
export function rest(manifest: Manifest): Problem[] {
  const { rest: given, kinds } = manifest;
  const ofKinds = kinds.flatMap((kind, at) => operationProblems(manifest, kind.rest ?? {}, ['kinds', at, 'rest']));
  if (!given) {
    const without = kinds.findIndex((kind) => kind.rest);
    return without < 0 ? [] : [...ofKinds, problem(['kinds', without, 'rest'], 'needs "rest" with its base')];
  }
  return [
    ...sentTo(manifest, given.base, ['rest', 'base']),
    ...ofKinds,
    ...operationProblems(manifest, given, ['rest']),
  ];
}

function operationProblems(manifest: Manifest, given: Operations, path: Path): Problem[] {
  return operations.flatMap((name) => {
    const call = given[name];
    return call === undefined || 'none' in call ? [] : callProblems(manifest, name, call, [...path, name]);
  });
}

const open: readonly string[] = Object.entries(placeholders).flatMap(([name, { secret }]) => (secret ? [] : [name]));
const everything: readonly string[] = Object.keys(placeholders);

/** What an operation is good for only if its answer tells. */
const needed: Readonly<Record<string, readonly string[]>> = {
  create: ['value'],
  rotate: ['value'],
  refresh: ['value'],
  list: ['id'],
  listUser: ['id'],
};

function callProblems(manifest: Manifest, name: string, call: Call, path: Path): Problem[] {
  const problems = [
    ...unknownKinds(manifest, call.kinds, [...path, 'kinds']),
    // A secret in a URL ends in logs and histories.
    ...badTemplate(call.path, [...path, 'path'], open),
    ...Object.entries(call.query ?? {}).flatMap(([key, value]) => badTemplate(value, [...path, 'query', key], open)),
    ...Object.entries(call.body ?? {}).flatMap(([key, value]) =>
      typeof value === 'string' ? badTemplate(value, [...path, 'body', key], everything) : [],
    ),
  ];
  if (!addressOf(`https://x${call.path.replace(/\{[^}]*\}/g, 'x')}`)) {
    problems.push(problem([...path, 'path'], 'must be a plain path; "query" is a field of its own'));
  }
  if (call.method === 'GET' && call.body) problems.push(problem([...path, 'body'], 'must not be there for GET'));
  for (const field of needed[name] ?? []) {
    if (call.fields?.[field as 'id'] === undefined) {
      problems.push(problem(path, `lacks "fields" with "${field}": nothing could be done with its answer`));
    }
  }
  return problems;
}
