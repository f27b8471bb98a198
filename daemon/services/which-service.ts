import type { Target } from '../../protocol/credential.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import { belongsTo, type Manifest, serviceFor } from '../../protocol/services/index.ts';
import type { Subject } from './planning.ts';

/** The services of the moment. */
export type KnownServices = { readonly services: () => readonly Manifest[] };

/** The service that is named, or whose place a target is. Throws `not_found`, and `bad_request` where several are. */
export function serviceAt(known: KnownServices, target: Target, named: string | undefined): Manifest {
  const services = known.services();
  if (named !== undefined) {
    const manifest = services.find(({ id }) => id === named);
    if (!manifest) throw new KeyholdError('not_found', 'cannot find that service; see: keyhold service list');
    if (belongsTo(target, manifest)) return manifest;
    throw new KeyholdError('denied', `cannot use that place: it is no server of ${manifest.title}`);
  }
  const found = serviceFor(target, services);
  if (found.status === 'found') return found.manifest;
  throw new KeyholdError(
    'bad_request',
    found.status === 'none'
      ? 'cannot tell which service is meant: none is known for that place; give --service NAME'
      : `cannot tell which service is meant: ${found.ids.join(', ')} are; give --service NAME`,
  );
}

/** The service of a held credential. */
export function serviceOf(known: KnownServices, entry: Subject): Manifest {
  return serviceAt(known, { protocol: entry.protocol, host: entry.host }, entry.about?.service);
}
