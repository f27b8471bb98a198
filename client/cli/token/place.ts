import type { Target } from '../../../protocol/credential.ts';
import { belongsTo, type Manifest } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { printable } from '../../../protocol/text.ts';
import { readCatalogue } from '../../services/catalogue.ts';
import { serviceOf, servicesNamed } from '../../services/named.ts';
import { CommandFailure } from '../failure.ts';
import { targetOf, urlOf } from '../target.ts';
import { contextsHere } from './contexts-here.ts';

export type PlaceOptions = {
  readonly for?: string | undefined;
  readonly username?: string | undefined;
  readonly service?: string | undefined;
};

/** Where a token is for: its target, and the service that it belongs to, if one is known. */
export type Place = {
  readonly target: Target;
  readonly manifest: Manifest | undefined;
  /** Where that was found, if nobody named it. */
  readonly from: string | undefined;
};

/**
 * What a token is for: as `--for` says, else what the working directory speaks of, else the one host of the service that is named.
 * Throws a `CommandFailure` with 2 where nothing says so, several things do, or the service does not belong to the host, and
 * with 4 for a service that is not there.
 */
export function placeOf({ for: url, username, service }: PlaceOptions): Place {
  const named = service === undefined ? undefined : servicesNamed([service])[0]!;
  if (url === undefined) return placeHere(named, username);
  const target = targetOf(url, username);
  if (named && !belongsTo(target, named)) {
    throw usage(
      `${urlOf(target)} is no place of ${named.title}; leave out --service, or see: keyhold service show ${named.id}`,
    );
  }
  return { target, manifest: named ?? serviceOf(target), from: undefined };
}

function placeHere(named: Manifest | undefined, username: string | undefined): Place {
  const { found, lookedFor } = contextsHere(named ? [named] : readCatalogue().manifests);
  if (found.length > 1) {
    const places = found.map(({ url, from }) => `${url} (${from})`);
    throw usage(`this folder speaks of several: ${places.join(', ')}; name one by --for URL`);
  }
  const [context] = found;
  if (context) return { target: targetOf(context.url, username), manifest: context.manifest, from: context.from };
  const host = named?.hosts[0];
  if (named && host && !host.host.includes('*')) {
    const url = `${host.protocol ?? 'https'}://${host.host}${typeof host.port === 'number' ? `:${host.port}` : ''}`;
    return { target: targetOf(url, username), manifest: named, from: undefined };
  }
  const looked = lookedFor.length === 0 ? '' : `; looked here and above for ${lookedFor.join(', ')}`;
  throw usage(`name it by --for URL${named ? '' : ' or --service NAME'}${looked}`);
}

function usage(rule: string): CommandFailure {
  return new CommandFailure(exitCodeOf('bad-request'), printable(`cannot tell what the token is for: ${rule}`));
}
