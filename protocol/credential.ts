import type { Secret } from './secret.ts';

/** Seconds since 1970-01-01T00:00:00Z by the wall clock: when something expires or happened. */
export type EpochSeconds = number & { readonly unit?: 'epoch seconds' };
/** A length of time in seconds. */
export type Seconds = number & { readonly unit?: 'seconds' };

/**
 * What a credential is for. Protocol and host are compared byte by byte and are never absent; the host holds the port
 * (`host:8443`) and is empty only for git's `cert` protocol. All values are latin1 text, one character a byte (text.ts).
 */
export type Target = {
  readonly protocol: string;
  readonly host: string;
  readonly path?: string | undefined;
  readonly username?: string | undefined;
  /** Of what is held: the front that keeps its own value here, beside another one for the same target. Never on the wire. */
  readonly front?: string | undefined;
};

/** What authenticates: a target and the secrets that belong to it. */
export type Credential = Target & {
  /** The password or token; with `authtype` the value that stands behind it in the Authorization header. */
  readonly secret?: Secret | undefined;
  /** Scheme of the Authorization header (`Bearer`); absent for username and password. */
  readonly authtype?: string | undefined;
  readonly refreshToken?: Secret | undefined;
  readonly expiresAt?: EpochSeconds | undefined;
};

/** Why `target` cannot be one, in words that fit behind "cannot …: "; undefined if it can. */
export function whyNoTarget(protocol: string | undefined, host: string | undefined): string | undefined {
  if (protocol === undefined || host === undefined) return 'it needs both protocol and host';
  if (!/^[A-Za-z][A-Za-z0-9+.-]*$/.test(protocol)) return 'protocol is not a scheme such as https';
  if (host === '') return protocol === 'cert' ? undefined : 'host is empty';
  // Visible ASCII without what a URL would read as something else: two programs must never see two different hosts.
  if (!/^[A-Za-z0-9._~:[\]%!$&'()*+,;=-]+$/.test(host)) {
    return 'host holds a byte that a host name cannot hold (write international names in punycode)';
  }
  return undefined;
}

/** One text for one target: absent and empty differ, and no value can run into its neighbour. */
export function identityOf(target: Target): string {
  const { protocol, host, path, username } = target.front === undefined ? target : placeAtRest(target);
  return `${protocol}\0${host}\0${path === undefined ? '' : `=${path}`}\0${username === undefined ? '' : `=${username}`}`;
}

/** No scheme begins with a dot, so that no request can name what rests under this one. */
export const OWN_PROTOCOL = '.keyhold';

/**
 * The target under which a front's own value rests (`front` is set). Version 0.1 takes it for a record of its own: it
 * carries it, backs it up and never serves it. A host holds no slash, so no two targets share one.
 */
export function placeAtRest({ protocol, host, path, username, front }: Target): Target {
  const url = `${protocol}://${host}${path === undefined ? '' : `/${path}`}`;
  return { protocol: OWN_PROTOCOL, host: 'front', path: `${front} ${url}`, username };
}
