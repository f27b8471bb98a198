import { addressOf, isHostOf, type Manifest, originOf } from '../../protocol/services/index.ts';
import type { Provider } from './oauth-plan.ts';

/** The addresses of a provider, with the names that people know them by. */
const endpoints = {
  authorizeUrl: 'authorization endpoint',
  deviceUrl: 'device authorization endpoint',
  tokenUrl: 'token endpoint',
  revokeUrl: 'revocation endpoint',
  introspectUrl: 'introspection endpoint',
} as const satisfies Partial<Record<keyof Provider, string>>;

/** An address in a discovery document to which nothing of a login may go. */
export type StrayEndpoint = {
  /** What it is, for people. */
  readonly what: string;
  /** `https://host[:port]`; undefined where it is no address of the web that can be read in one way only. */
  readonly origin: string | undefined;
};

/**
 * The first endpoint of a discovery document that lies neither at the issuer's own origin nor on a host that the manifest lists;
 * undefined where all of them do. A document that names another server would have the client's secret and every refresh token
 * sent there (RFC 8414, 6.2). That people run servers of their own widens nothing here: only the hosts in the list count.
 */
export function strayEndpoint(provider: Provider, manifest: Manifest | undefined): StrayEndpoint | undefined {
  const own = originIn(provider.issuer);
  for (const [name, what] of Object.entries(endpoints) as [keyof typeof endpoints, string][]) {
    const url = provider[name];
    if (url === undefined) continue;
    const origin = originIn(url);
    const isListed = manifest !== undefined && isHostOf(withoutQuery(url), manifest);
    if (origin === undefined || (origin !== own && !isListed)) return { what, origin };
  }
  return undefined;
}

function originIn(url: string): string | undefined {
  const address = addressOf(withoutQuery(url));
  // Another scheme would start a program of this machine.
  const isWeb = address?.protocol === 'https' || address?.protocol === 'http';
  return isWeb ? originOf(address) : undefined;
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '');
}

/** Why nothing is sent to such an endpoint, and what to do, behind "cannot sign in: ". */
export function strayText({ issuer }: Provider, { what, origin }: StrayEndpoint): string {
  const where = origin === undefined ? 'at an address that is none of the web' : `on ${origin}`;
  const rest = origin === undefined ? 'tell its operator' : `if it belongs to the provider, add its host to "hosts"`;
  const how = origin === undefined ? '' : ' of a manifest and give that: keyhold service add FILE --replace';
  return `the document of ${issuer} names a ${what} ${where}, and secrets go to the issuer and to hosts of the manifest only; nothing was sent; ${rest}${how}`;
}
