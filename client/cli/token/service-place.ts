import type { Command } from 'commander';
import type { Target } from '../../../protocol/credential.ts';
import type { Profile } from '../../../protocol/profiles.ts';
import { belongsTo, type Manifest, serviceFor } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { fromWire, toWire } from '../../../protocol/text.ts';
import { endpointOf, hostsOf, placeOf } from '../../exec/plan.ts';
import { loadProfiles } from '../../profiles/file.ts';
import { profileInForce } from '../../profiles/in-force.ts';
import { readCatalogue } from '../../services/catalogue.ts';
import { servicesNamed } from '../../services/named.ts';
import { CommandFailure } from '../failure.ts';
import { remark } from '../page.ts';
import { targetOf, urlOf } from '../target.ts';
import { contextsHere } from './contexts-here.ts';
import type { TokenItem } from './item.ts';

/** Milliseconds that a request may take in which services are asked: each of a few calls has its own deadline there. */
export const SERVICE_DEADLINE = 300_000;

/** Where a command is to ask: `--service`, `--for`, or both. */
export type ServicePlaceOptions = { readonly service?: string; readonly for?: string };

/** A service, and where it is. */
export type ServicePlace = {
  readonly manifest: Manifest;
  readonly target: Target;
  /** What in the working directory names the server, where nothing else did. */
  readonly from?: string;
};

export function addServicePlace(command: Command): Command {
  return command
    .option('--service <id>', 'the service, as keyhold service list shows it')
    .option('--for <url>', 'its server: protocol://host[:port]');
}

/**
 * The service and server that are meant: the URL that was given; else the profile's endpoint; else the service's own host;
 * else the only place for which a token of it is held. Throws a `CommandFailure` with 2 where that is not one.
 */
export function servicePlace({ service, for: url }: ServicePlaceOptions, held: readonly TokenItem[]): ServicePlace {
  if (url !== undefined) {
    const { protocol, host, path } = targetOf(url);
    const target = { protocol, host, path };
    return { manifest: service === undefined ? serviceAt(target) : named(service, target), target };
  }
  if (service === undefined) throw unclear('give --service NAME or --for URL');
  const [manifest] = servicesNamed([service]) as [Manifest];
  const profile: Profile = profileInForce(loadProfiles())?.profile ?? new Map();
  const endpoint = endpointOf(manifest, profile, true);
  if (endpoint !== undefined) return { manifest, target: placeOf(manifest, endpoint) };
  const [here, another] = contextsHere([manifest]).found;
  if (here && !another) {
    const { protocol, host, path } = targetOf(here.url);
    return { manifest, target: { protocol, host, path }, from: here.from };
  }
  const places = placesOf(held.filter((one) => one.service === service));
  const own = hostsOf(manifest);
  const known = own.length === 0 ? places : own;
  if (known.length === 1 || (own.length > 0 && known[0])) return { manifest, target: known[0]! };
  const rule =
    known.length === 0
      ? `${service} has no host of its own; give --for URL, or run: keyhold profile set endpoint.${service} URL`
      : `tokens of ${service} are held for ${known.map(({ host }) => fromWire(host)).join(', ')}; give --for URL`;
  throw unclear(rule);
}

/** Says which server a secret is going to be sent to, where the working directory and not the person named it. */
export function sayWhere({ manifest, target, from }: Partial<ServicePlace> & Pick<ServicePlace, 'target'>): void {
  if (from !== undefined) remark(`keyhold: for ${urlOf(target)} (${manifest?.title}), as ${from} says`);
}

function named(service: string, target: Target): Manifest {
  const [manifest] = servicesNamed([service]) as [Manifest];
  if (belongsTo(target, manifest)) return manifest;
  throw new CommandFailure(exitCodeOf('denied'), `cannot use that place: it is no server of ${service}`);
}

/** The service that a URL belongs to. */
export function serviceAt(target: Target): Manifest {
  const found = serviceFor(target, readCatalogue().manifests);
  if (found.status === 'found') return found.manifest;
  throw unclear(
    found.status === 'none'
      ? 'none is known for that URL; give --service NAME'
      : `${found.ids.join(', ')} are; give --service NAME`,
  );
}

function placesOf(held: readonly TokenItem[]): Target[] {
  const places = new Map<string, Target>();
  for (const { protocol, host } of held) places.set(`${protocol}://${host}`, { protocol, host: toWire(host) });
  return [...places.values()];
}

function unclear(rule: string): CommandFailure {
  return new CommandFailure(exitCodeOf('bad-request'), `cannot tell which service is meant: ${rule}`);
}
