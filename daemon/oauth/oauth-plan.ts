import type { Seconds } from '../../protocol/credential.ts';
import type { Grant } from '../../protocol/grant.ts';
import type { FailureName, Route } from '../upstream/plan.ts';

/** The facts of a provider and of our client there. No secret is in them. */
export type Provider = {
  readonly issuer: string;
  readonly clientId: string;
  readonly authorizeUrl?: string | undefined;
  readonly deviceUrl?: string | undefined;
  readonly tokenUrl?: string | undefined;
  readonly revokeUrl?: string | undefined;
  readonly introspectUrl?: string | undefined;
  /** It says that the browser's way back always names the issuer (RFC 9207, 3). */
  readonly namesIssuer?: boolean | undefined;
};

/** One step of OAuth. Beside it goes what it needs of: `refreshToken`, `token`, `code`, `challenge`, `password`. */
export type OAuthPlan = Route &
  Provider & {
    readonly act:
      | 'discover'
      | 'refresh'
      | 'device'
      | 'poll'
      | 'redeem'
      | 'client-credentials'
      | 'revoke'
      | 'introspect';
    readonly scopes?: readonly string[] | undefined;
    /** Of a redemption: where the browser was sent back to, and the state that it brought. */
    readonly redirect?: string | undefined;
    readonly state?: string | undefined;
    /** The issuer that the browser's way back names (RFC 9207). */
    readonly backIssuer?: string | undefined;
  };

/** What the child answers to a step. Access token, refresh token and device code come beside it, as `value`, `refreshToken` and `challenge`. */
export type OAuthReply =
  | {
      readonly oauth: {
        readonly provider?: Provider;
        /** As the provider wrote it, whatever that is. */
        readonly expiresIn?: unknown;
        readonly scopes?: readonly string[];
        readonly subject?: string;
        readonly tokenType?: string;
        readonly userCode?: string;
        readonly verificationUrl?: string;
        readonly verificationUrlComplete?: string;
        readonly interval?: Seconds;
        readonly active?: boolean;
        readonly expiresAt?: number;
        readonly username?: string;
      };
    }
  /** What the provider said against it: a code of RFC 6749, or none it knows. */
  | { readonly error: string; readonly status: number; readonly retryAfter?: Seconds | undefined }
  | { readonly failure: FailureName; readonly why?: string | undefined };

/** The step that gets a new access token for a grant. */
export function refreshPlanOf(grant: Grant, route: Route): OAuthPlan {
  const { issuer, clientId, tokenUrl } = grant;
  // A refresh without scopes keeps those that were granted (RFC 6749, 6); a client's own token has no others than it asks for.
  const isOfClient = grant.by === 'client-secret';
  const scopes = isOfClient ? grant.scopes : undefined;
  return { ...route, act: isOfClient ? 'client-credentials' : 'refresh', issuer, clientId, tokenUrl, scopes };
}
