import { readAbout } from './about.ts';
import type { Attributes } from './attributes.ts';
import { type Capabilities, readCapabilities } from './capabilities.ts';
import { type Target, whyNoTarget } from './credential.ts';
import { KeyholdError } from './errors.ts';
import { readFront } from './fronts.ts';
import type { CredentialReply, CredentialRequest, Detail, Standing } from './handler.ts';
import { SECRET_MAX } from './limits.ts';
import { readMade } from './made.ts';
import type { Secret } from './secret.ts';
import { isStatus } from './status.ts';
import { fromWire } from './text.ts';
import { rowOf } from './wire/actions.ts';

/** Seconds and dates on the wire: up to 12 digits, which is the year 33658. */
const DIGITS = /^[0-9]{1,12}$/;

/**
 * The tolerant reader: attributes to a request. Unknown attributes are skipped. Throws `bad_request` for an action whose row
 * requires a target (wire/actions.ts) without a proper one, and for a store whose values are unfit to be kept. PROTOCOL.md §3.
 */
export function decodeRequest(attributes: Attributes, action = attributes.text('action') ?? ''): CredentialRequest {
  const capabilities = readCapabilities(attributes.list('capability[]'));
  if (rowOf(action)?.target !== 'required') {
    if (action === '') throw new KeyholdError('bad_request', 'cannot read the request: it names no action');
    return { action, capabilities, attributes };
  }
  const target = decodeTarget(action, attributes);
  if (action === 'get' || action === 'explain') return decodeGet(action, target, capabilities, attributes);

  const authtype = attributes.text('authtype');
  const secret = attributes.secret(authtype !== undefined && attributes.has('credential') ? 'credential' : 'password');
  const refreshToken = attributes.secret('oauth_refresh_token');
  if (action === 'store') {
    refuseLong(secret, 'password');
    refuseLong(refreshToken, 'oauth_refresh_token');
  }
  return {
    action,
    target,
    capabilities,
    secret,
    authtype: attributes.has('credential') ? authtype : undefined,
    refreshToken,
    expiresAt: action === 'store' ? seconds(attributes, 'password_expiry_utc') : undefined,
    ephemeral: isTrue(attributes.text('ephemeral')),
    timeout: action === 'store' ? seconds(attributes, 'timeout') : undefined,
    about: action === 'store' && capabilities.keyhold ? readAbout(attributes) : undefined,
    front: action === 'store' && capabilities.keyhold ? readFront(attributes.text('front')) : undefined,
    made: action === 'store' && capabilities.keyhold ? readMade(attributes) : undefined,
    id: capabilities.keyhold ? attributes.text('id') : undefined,
    onlyOver: action === 'store' && capabilities.keyhold ? standingIn(attributes) : undefined,
    force: capabilities.keyhold && isTrue(attributes.text('force')),
    state: attributes.list('state[]'),
    attributes,
  };
}

/** The target of a request; throws `bad_request` unless it names both protocol and host, and properly. */
function decodeTarget(action: string, attributes: Attributes): Target {
  const protocol = attributes.text('protocol');
  const host = attributes.text('host');
  const why = whyNoTarget(protocol, host);
  if (why) throw new KeyholdError('bad_request', `cannot ${action}: ${why}`);
  return { protocol: protocol!, host: host!, path: attributes.text('path'), username: attributes.text('username') };
}

function decodeGet(
  action: string,
  target: Target,
  capabilities: Capabilities,
  attributes: Attributes,
): CredentialRequest {
  if (!capabilities.keyhold) return { action, target, capabilities, attributes };
  return {
    action,
    target,
    capabilities,
    wait: seconds(attributes, 'wait'),
    interactive: !isFalse(attributes.text('interactive')),
    id: attributes.text('id'),
    minTtl: seconds(attributes, 'min_ttl'),
    exactPath: action === 'explain' && isTrue(attributes.text('exact_path')),
    profile: attributes.text('profile'),
    cwd: attributes.text('cwd'),
    front: action === 'explain' ? readFront(attributes.text('front')) : undefined,
    attributes,
  };
}

/** The answer to a request, back from the wire. Throws `bad_reply` if it has no known status. */
export function decodeReply(request: CredentialRequest, attributes: Attributes): CredentialReply {
  const status = attributes.text('status') ?? '';
  if (!isStatus(status)) throw new KeyholdError('bad_reply', 'cannot read the answer: it has no known status');
  const text = attributes.text('message');
  const message = text === undefined ? undefined : fromWire(text);
  const details = detailsOf(attributes);
  if (status !== 'ok') return { status, message: message ?? status, details };
  if (request.action !== 'get' || !request.target) return { status, message, details };
  const authtype = attributes.text('authtype');
  return {
    status,
    message,
    state: attributes.list('state[]'),
    credential: {
      protocol: request.target.protocol,
      host: request.target.host,
      path: request.target.path,
      username: attributes.text('username') ?? request.target.username,
      authtype,
      secret: attributes.secret(authtype === undefined ? 'password' : 'credential'),
      refreshToken: attributes.secret('oauth_refresh_token'),
      expiresAt: seconds(attributes, 'password_expiry_utc'),
    },
  };
}

const notDetails: ReadonlySet<string> = new Set(['status', 'message', 'password', 'credential', 'oauth_refresh_token']);

function detailsOf(attributes: Attributes): Detail[] {
  const details: Detail[] = [];
  for (const key of attributes.keys()) {
    if (notDetails.has(key)) continue;
    const text = attributes.text(key);
    if (text !== undefined) details.push([key, text]);
    for (const value of attributes.list(key)) details.push([key, value]);
  }
  return details;
}

/** A number of seconds or a date in seconds; throws `bad_request` rather than take an unreadable one for "never". */
function seconds(attributes: Attributes, key: string): number | undefined {
  const text = attributes.text(key);
  if (text === undefined) return undefined;
  if (!DIGITS.test(text)) throw new KeyholdError('bad_request', `cannot read ${key}: it is not a number of seconds`);
  return Number(text);
}

/** A date as `list` shows it (`storedAt`), with its fraction of a second; throws `bad_request` for anything else. */
function standingIn(attributes: Attributes): Standing | undefined {
  const text = attributes.text('if_stored_at');
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,12}(\.[0-9]{1,12})?$/.test(text)) {
    throw new KeyholdError('bad_request', 'cannot read if_stored_at: it is no date in seconds');
  }
  return { storedAt: Number(text) };
}

function refuseLong(secret: Secret | undefined, key: string): void {
  if (secret && secret.length > SECRET_MAX) {
    throw new KeyholdError('bad_request', `cannot store: ${key} is longer than ${SECRET_MAX} bytes`);
  }
}

/** git's spellings of a boolean (git-config(1), Values). */
function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(1|true|yes|on)$/i.test(text);
}
function isFalse(text: string | undefined): boolean {
  return text !== undefined && /^(0|false|no|off|never|)$/i.test(text);
}
