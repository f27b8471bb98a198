import { type Manifest, serviceFor } from '../../../protocol/services/index.ts';
import { readCatalogue } from '../../services/catalogue.ts';
import { targetOf } from '../target.ts';
import { matches, type TokenItem } from '../token/item.ts';
import { type ServicePlace, type ServicePlaceOptions, servicePlace } from '../token/service-place.ts';

/** A login is for a place; a service need not be known of it. */
export type OAuthPlace = Omit<ServicePlace, 'manifest'> & { readonly manifest: Manifest | undefined };

/** The place of a login by OAuth: also one that no service is known for. */
export function oauthPlace(
  options: ServicePlaceOptions,
  held: readonly TokenItem[],
  manifests: readonly Manifest[] = readCatalogue().manifests,
): OAuthPlace {
  if (options.for === undefined || options.service !== undefined) return servicePlace(options, held);
  const { protocol, host, path } = targetOf(options.for);
  const target = { protocol, host, path };
  const found = serviceFor(target, manifests);
  return { target, manifest: found.status === 'found' && found.manifest.oauth ? found.manifest : undefined };
}

/** Whether a login by OAuth stands there already, so that signing in means the same again. */
export function isOAuthHeld({ for: url, service }: ServicePlaceOptions, held: readonly TokenItem[]): boolean {
  if (url === undefined || service !== undefined) return false;
  const target = targetOf(url);
  return held.some((item) => item.refresh !== undefined && matches(item, target));
}
