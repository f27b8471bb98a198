import { addressOf, isLoopback } from '../../protocol/services/index.ts';
import type { Meant } from './login-wanted.ts';

/** Whether a page may be opened for somebody. A provider's metadata could name a program of this machine by its scheme. */
export function isPage(url: string): boolean {
  const address = addressOf(/^https?:\/\/[^/?#]+/.exec(url)?.[0] ?? '');
  return address !== undefined && (address.protocol === 'https' || isLoopback(address.host));
}

/** Where the browser goes (RFC 6749, 4.1.1, and RFC 7636, 4.3). */
export function pageOf(
  { provider, scopes }: Meant,
  { redirect, state, challenge }: { readonly redirect: string; readonly state: string; readonly challenge: string },
): string {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: provider.clientId,
    redirect_uri: redirect,
    state,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...(scopes && { scope: scopes.join(' ') }),
    // Without it OpenID Connect gives no refresh token (Core 1.0, 11).
    ...(scopes?.includes('offline_access') && { prompt: 'consent' }),
  });
  const page = provider.authorizeUrl!;
  return `${page}${page.includes('?') ? '&' : '?'}${query}`;
}
