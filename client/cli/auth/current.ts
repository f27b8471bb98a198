import { compareActing, isOfAccount, mayAct } from '../../../protocol/choice.ts';
import { accountFor } from '../../../protocol/profiles.ts';
import type { Manifest } from '../../../protocol/services/index.ts';
import { serviceFor } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { fromWire } from '../../../protocol/text.ts';
import { loadProfiles } from '../../profiles/file.ts';
import { profileInForce } from '../../profiles/in-force.ts';
import { readCatalogue } from '../../services/catalogue.ts';
import { CommandFailure } from '../failure.ts';
import type { Page } from '../page.ts';
import { localTime } from '../status.ts';
import { nameOf, type TokenItem, targetOfItem, urlOfItem } from '../token/item.ts';
import { servicePlace } from '../token/service-place.ts';
import { isOAuthHeld, type OAuthPlace, oauthPlace } from './oauth-place.ts';
import type { AuthOptions } from './options.ts';

/** The token of an account that is signed in. */
export type Current = {
  readonly item: TokenItem;
  /** Absent: a login for a place that no service is known for. */
  readonly manifest: Manifest | undefined;
};

/**
 * Who is signed in: at each place of a service the token that acts there, by the order of the agent's own calls
 * (protocol/choice.ts). A token that a service created for a purpose is the one only where `--username` names it.
 */
export function currentOf(held: readonly TokenItem[], options: AuthOptions): Current[] {
  const profile = profileInForce(loadProfiles())?.profile;
  return accountsOf(held, options).map((all) => {
    const preferred = profile && accountFor(profile, targetOfItem(all[0]!.item));
    const compare = compareActing(preferred);
    return all.toSorted((one, other) => compare(one.item, other.item))[0]!;
  });
}

/** Every token that could act for the person, by service and place. Each list has one member or more, in no order. */
export function accountsOf(held: readonly TokenItem[], options: AuthOptions): Current[][] {
  const { manifests } = readCatalogue();
  const isNamed = options.service !== undefined || options.for !== undefined;
  const place = isNamed ? currentPlace(options, held, manifests) : undefined;
  const candidates = held.flatMap((item): Current[] => {
    const manifest = manifestOf(item, manifests);
    if (!manifest && item.refresh === undefined) return [];
    if (place && !isAt(item, manifest, place)) return [];
    if (options.username === undefined ? !mayAct(item) : !isOfAccount(item, options.username)) return [];
    return [{ item, manifest }];
  });
  return [
    ...Map.groupBy(candidates, ({ item, manifest }) => `${manifest?.id} ${item.protocol}://${item.host}`).values(),
  ];
}

/** The one that is meant. Throws a `CommandFailure` with 6 where nobody is signed in, and with 2 where several are. */
export function current(held: readonly TokenItem[], options: AuthOptions): Current {
  const found = currentOf(held, options);
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    const which =
      options.service !== undefined
        ? `--service ${options.service}`
        : options.for !== undefined
          ? `--for ${options.for}`
          : '--service NAME';
    throw new CommandFailure(
      exitCodeOf('interaction-required'),
      `nobody is signed in there; run: keyhold auth login ${which}`,
    );
  }
  const names = found.map(spokenAccount).join(', ');
  throw new CommandFailure(2, `cannot tell which account is meant: ${names}; give --service NAME or --for URL`);
}

/** `github (https://github.com)`. */
export function spokenAccount({ item, manifest }: Current): string {
  return manifest ? `${manifest.id} (${urlOfItem(item)})` : urlOfItem(item);
}

/** Where somebody is signed in: also a place that no service is known for, if a login is held for it. */
function currentPlace(options: AuthOptions, held: readonly TokenItem[], manifests: readonly Manifest[]): OAuthPlace {
  if (options.service === undefined && isOAuthHeld(options, held)) return oauthPlace(options, held, manifests);
  return servicePlace(options, held);
}

function manifestOf(item: TokenItem, manifests: readonly Manifest[]): Manifest | undefined {
  if (item.service !== undefined) return manifests.find(({ id }) => id === item.service);
  const found = serviceFor(targetOfItem(item), manifests);
  return found.status === 'found' ? found.manifest : undefined;
}

function isAt({ protocol, host }: TokenItem, manifest: Manifest | undefined, place: OAuthPlace): boolean {
  return (
    (place.manifest === undefined || manifest?.id === place.manifest.id) &&
    protocol === place.target.protocol &&
    host === fromWire(place.target.host)
  );
}

/** Who it is, as far as is known here. */
export function whoOf(item: TokenItem) {
  const { id, account, username, tenant, kind, label, expiresAt } = item;
  return { id, url: urlOfItem(item), account: account ?? username, tenant, kind, label, expiresAt };
}

export function drawWho(page: Page, item: TokenItem, title: string): void {
  const { account, tenant, kind, expiresAt } = item;
  const facts: [string, string | undefined][] = [
    ['service', `${title} (${urlOfItem(item)})`],
    ['account', account ?? nameOf(item)],
    ['tenant', tenant],
    ['kind', kind],
    ['expires', expiresAt === undefined ? 'never, as far as is known' : localTime(expiresAt)],
  ];
  page.facts(facts.filter((fact): fact is [string, string] => fact[1] !== undefined));
}
