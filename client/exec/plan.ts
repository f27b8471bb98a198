import type { Target } from '../../protocol/credential.ts';
import { accountFor, type Profile, settingFor } from '../../protocol/profiles.ts';
import { belongsTo, endpointText, environmentOf, type Manifest } from '../../protocol/services/index.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { CommandFailure } from '../cli/failure.ts';
import { targetOf } from '../cli/target.ts';

/** The marker of an environment that `exec` made: the names of the variables in it that hold a token. */
export const MARKER = 'KEYHOLD_EXEC';

/** One token, the variables that get it, and why. */
export type Grant = {
  readonly variables: readonly string[];
  /** Where a token may be held for it: the first that has one is taken. */
  readonly targets: readonly Target[];
  /**
   * Variables that say which server the token is for, with a value for each of `targets`: a token must not meet the endpoint that
   * a file in the working directory names.
   */
  readonly endpoints?: readonly { readonly name: string; readonly values: readonly string[] }[];
  /** `service pogo`, or `--env`. */
  readonly from: string;
};

/** A variable that is no secret. */
export type Plain = { readonly name: string; readonly value: string; readonly from: string };

export type Plan = {
  readonly grants: readonly Grant[];
  readonly plain: readonly Plain[];
  /** Variables that must go: they could win over what is set. */
  readonly remove: readonly { readonly name: string; readonly from: string }[];
};

export type PlanQuestion = {
  readonly services: readonly Manifest[];
  readonly pairs: readonly { readonly name: string; readonly url: string }[];
  readonly profile: Profile | undefined;
};

/** What stands for which variable. Throws a `CommandFailure` with 2 where that is not one clear answer. */
export function planOf({ services, pairs, profile = new Map() }: PlanQuestion): Plan {
  if (services.length === 0 && pairs.length === 0) {
    throw unclear('nothing is asked for; give --service NAME or --env NAME=URL');
  }
  const parts = services.map((manifest) => planOfService(manifest, profile, services.length === 1));
  const grants = [
    ...parts.map(({ grant }) => grant),
    ...pairs.map(({ name, url }) => ({ variables: [checkedName(name)], targets: [targetOf(url)], from: '--env' })),
  ];
  const plain = parts.flatMap((part) => part.plain);
  const endpoints = parts.flatMap(({ grant }) => grant.endpoints ?? []);
  const names = [...grants.flatMap(({ variables }) => variables), ...[...endpoints, ...plain].map(({ name }) => name)];
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw unclear(`two sources are named for ${twice}`);
  return { grants, plain, remove: parts.flatMap(({ remove }) => remove).filter(({ name }) => !names.includes(name)) };
}

function planOfService(manifest: Manifest, profile: Profile, isOnly: boolean): Omit<Plan, 'grants'> & { grant: Grant } {
  const { id } = manifest;
  const { token, plain, fixed, remove } = environmentOf(manifest);
  const from = `service ${id}`;
  if (token.length === 0) throw unclear(`${id} has no variable for a token; give --env NAME=URL`);
  const endpoint = endpointOf(manifest, profile, isOnly);
  const targets = endpoint === undefined ? hostsOf(manifest) : [placeOf(manifest, endpoint)];
  if (targets.length === 0) {
    throw unclear(`${id} has no host of its own; run: keyhold profile set endpoint.${id} URL, or give --env NAME=URL`);
  }
  const account = accountFor(profile, targets[0]!);
  const settings: readonly (readonly [keyof typeof plain, string | undefined])[] = [
    ['project', settingFor(profile, 'project', id)],
    ['tenant', settingFor(profile, 'tenant', id)],
    // Our `text` is no word of theirs.
    ['output', profile.get('output') === 'json' ? 'json' : undefined],
    ['account', account],
    ['username', account],
  ];
  return {
    grant: {
      variables: token,
      targets,
      from,
      // What the profile names is a setting of its own, below.
      ...(endpoint === undefined && {
        endpoints: (plain.endpoint ?? []).map((name) => ({
          name,
          values: targets.map((target) => endpointText(manifest, name, target, false)),
        })),
      }),
    },
    plain: [
      ...settings.flatMap(([holds, value]) =>
        value === undefined ? [] : (plain[holds] ?? []).map((name) => ({ name, value, from: 'the profile' })),
      ),
      ...(endpoint === undefined ? [] : (plain.endpoint ?? [])).map((name) => ({
        name,
        value: endpointText(manifest, name, targetOf(endpoint!), true),
        from: 'the profile',
      })),
      ...Object.entries(fixed).map(([name, value]) => ({ name, value, from })),
    ],
    remove: remove.map((name) => ({ name, from })),
  };
}

/** The server that the profile names for a service. One for all is a guess as soon as several services are meant. */
export function endpointOf(manifest: Manifest, profile: Profile, isOnly: boolean): string | undefined {
  const { id } = manifest;
  const own = profile.get(`endpoint.${id}`);
  const common = profile.get('endpoint');
  if (own === undefined && common !== undefined && !isOnly) {
    throw unclear(`the profile has one endpoint for several services; run: keyhold profile set endpoint.${id} URL`);
  }
  const endpoint = own ?? common;
  if (endpoint !== undefined && !belongsTo(endpoint, manifest)) {
    throw unclear(`the profile's endpoint is no server of ${id}; its token is not sent there`);
  }
  return endpoint;
}

/** The hosts of a service that are one certain host each, in the manifest's order. */
export function hostsOf({ hosts }: Manifest): Target[] {
  return hosts
    .filter(({ host, port }) => !host.startsWith('*') && port !== 'any')
    .map(({ protocol = 'https', host, port, path }) => ({
      protocol,
      host: port === undefined ? host : `${host}:${port}`,
      path: path?.replace(/^\/+|\/+$/g, '') || undefined,
    }));
}

/** Where the token of a server of one's own is held: its path matters only to services that tell tokens apart by it. */
export function placeOf({ scope }: Manifest, endpoint: string): Target {
  const { protocol, host, path } = targetOf(endpoint);
  return { protocol, host, path: scope.includes('path') || scope.includes('registry') ? path : undefined };
}

/** A name that every shell and program reads as a variable's, and that steers neither them nor us. */
export function checkedName(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name))
    throw unclear('--env needs NAME=URL, and NAME of letters, digits and _');
  if (/^(KEYHOLD_|LD_|BASH_ENV$|ENV$|IFS$|PATH$|HOME$|SHELL$)/.test(name)) {
    throw unclear(`${name} steers programs; a token does not belong there`);
  }
  return name;
}

function unclear(rule: string): CommandFailure {
  return new CommandFailure(exitCodeOf('bad-request'), `cannot tell which token goes where: ${rule}`);
}
