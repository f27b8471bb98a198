import type { EpochSeconds, Seconds } from './credential.ts';

/**
 * How a token is refreshed that came by a login of ours: its provider, our client there, and how far the last refresh got. It is
 * kept with what is known of the token, and holds no secret. It never comes from the wire, so nobody can say where a
 * refresh token is sent to.
 */
export type Grant = {
  readonly issuer: string;
  readonly clientId: string;
  readonly tokenUrl: string;
  readonly revokeUrl?: string | undefined;
  readonly introspectUrl?: string | undefined;
  /** What stands in the place of the refresh token: that, or a client's own secret. */
  readonly by: 'refresh-token' | 'client-secret';
  readonly scopes?: readonly string[] | undefined;
  /** Who the provider said it is about. */
  readonly subject?: string | undefined;
  /** How long the last access token was given for; absent where the provider does not say. */
  readonly lifetime?: Seconds | undefined;
  /** How long before its end the service wants it replaced. */
  readonly leeway?: Seconds | undefined;
  /** False: a refresh leaves the refresh token as it is, and may be repeated. */
  readonly rotates?: boolean | undefined;
  /** How many times it was refreshed. */
  readonly round: number;
  /** Since when a refresh is under way. Found with none under way: it is not known what the provider did. */
  readonly begunAt?: EpochSeconds | undefined;
  /** Why there can be no further refresh. */
  readonly ended?: 'refused' | 'other-subject' | undefined;
  /** Fingerprints of the values before this one, the newest first: a tool that stores one again brings no news. */
  readonly earlier?: readonly string[] | undefined;
};
