import type { Login } from '../../../protocol/services/index.ts';
import type { SecretOptions } from '../secret-input.ts';
import type { ServicePlaceOptions } from '../token/service-place.ts';

/** Which account's token is meant. */
export type AuthOptions = ServicePlaceOptions & { readonly username?: string };

/** The ways of OAuth. The agent speaks to the provider, and keeps what it gives; none of it comes here. */
export const oauthWays = ['browser', 'device', 'client'] as const;
export type OAuthWay = (typeof oauthWays)[number];

/** How a person signs in: the ways of manifests, and a program's own id and secret. */
export type Way = Login['way'] | OAuthWay;
export type LoginOptions = AuthOptions &
  SecretOptions & {
    readonly tenant?: string;
    readonly way?: Way;
    readonly withToken?: boolean;
    readonly label?: string;
    /** False by `--no-verify`. */
    readonly verify?: boolean;
    readonly yes?: boolean;
    readonly issuer?: string;
    readonly clientId?: string;
    readonly scopes?: string;
    readonly redirect?: string;
    /** Seconds. */
    readonly timeout?: number;
  };
