import { aboutAttributes } from './about.ts';
import { isKeyText } from './attributes.ts';
import type { Capabilities } from './capabilities.ts';
import { KeyholdError } from './errors.ts';
import type { CredentialReply, CredentialRequest } from './handler.ts';
import { printable, toWire } from './text.ts';
import type { ByteWriter } from './writer.ts';

/** Characters of details that are written in one go: about a millisecond. */
const PIECE = 262_144;

/** What a client may put into a request besides the request itself. */
export type RequestExtras = readonly (readonly [key: string, value: string])[];

/** Writes a request, ended by an empty line. Throws `bad_request` where a value could not be told on the wire. */
export function encodeRequest(request: CredentialRequest, out: ByteWriter): void {
  const start = out.length;
  try {
    out.attribute('action', request.action);
    const { authtype, state, keyhold } = request.capabilities;
    if (authtype) out.attribute('capability[]', 'authtype');
    if (state) out.attribute('capability[]', 'state');
    if (keyhold) out.attribute('capability[]', 'keyhold');
    const written = new Set(['action', 'capability[]']);
    const write = (key: string, value: Parameters<ByteWriter['attribute']>[1] | undefined) => {
      written.add(key);
      if (value !== undefined) out.attribute(key, value);
    };
    if (request.target) {
      const standing = request.onlyOver;
      write('protocol', request.target.protocol);
      write('host', request.target.host);
      write('path', request.target.path);
      write('username', request.target.username);
      write('authtype', request.authtype);
      write(request.authtype === undefined ? 'password' : 'credential', request.secret);
      written.add('password').add('credential');
      write('oauth_refresh_token', request.refreshToken);
      write('password_expiry_utc', request.expiresAt?.toString());
      write('ephemeral', request.ephemeral ? '1' : undefined);
      write('timeout', request.timeout?.toString());
      for (const [key, value] of aboutAttributes(request.about ?? {})) write(key, value);
      write('made', request.made);
      write('front', request.front);
      write('if_stored_at', standing && 'storedAt' in standing ? String(standing.storedAt) : undefined);
      write('force', request.force ? '1' : undefined);
      write('wait', request.wait?.toString());
      write('interactive', request.interactive === false ? '0' : undefined);
      write('id', request.id);
      write('min_ttl', request.minTtl?.toString());
      write('profile', request.profile);
      write('cwd', request.cwd);
      for (const state of request.state ?? []) write('state[]', state);
    }
    for (const key of request.attributes.keys()) {
      if (written.has(key)) continue;
      refuseKey(key);
      for (const value of request.attributes.list(key)) out.attribute(key, value);
      const value = request.attributes.text(key) ?? request.attributes.secret(key);
      if (value !== undefined) out.attribute(key, value);
    }
    out.end();
  } catch (error) {
    out.truncate(start);
    throw error;
  }
}

/**
 * Writes the lines of an answer, without the empty line that ends it on a connection that stays open. A caller that did
 * not offer `keyhold` gets git's attributes only, and nothing at all unless the answer is a credential that it can use.
 * Throws `bad_request`, and has written nothing, where a value could not be told on the wire. PROTOCOL.md §5.
 */
export function encodeReply(reply: CredentialReply, offered: Capabilities, out: ByteWriter): void {
  const pieces = encodeInPieces(reply, offered, out);
  while (!pieces.next().done);
}

/**
 * The same for an answer of any length: yields between two pieces, so that the agent can serve others meanwhile. Who stops
 * early sees to what is written so far.
 */
export function* encodeInPieces(
  reply: CredentialReply,
  offered: Capabilities,
  out: ByteWriter,
): Generator<void, void, void> {
  const start = out.length;
  try {
    if (offered.keyhold) yield* encodeOutcome(reply, offered, out);
    // A refusal must end git's search, or it would ask the next helper, and then the human, for what policy denied.
    else if (reply.status === 'denied') out.attribute('quit', '1');
    if (reply.status === 'ok' && isUsable(reply, offered)) encodeCredential(reply, offered, out);
  } catch (error) {
    out.truncate(start);
    throw error;
  }
}

/** A credential for the Authorization header is none for a caller that would take it for something else. */
function isUsable(reply: CredentialReply & { status: 'ok' }, offered: Capabilities): boolean {
  return reply.credential !== undefined && (reply.credential.authtype === undefined || offered.authtype);
}

function* encodeOutcome(reply: CredentialReply, offered: Capabilities, out: ByteWriter): Generator<void, void, void> {
  if (reply.status === 'ok' && reply.credential && !isUsable(reply, offered)) {
    out.attribute('status', 'not-found');
    out.attribute('message', 'the credential is of a kind that the caller did not offer to take: authtype');
    return;
  }
  out.attribute('status', reply.status);
  if (reply.message !== undefined) out.attribute('message', toWire(printable(reply.message)));
  if (reply.details === undefined) return;
  // A secret is borrowed until the next await: an answer with one is written in one go.
  const isLent = reply.status === 'ok' && reply.credential !== undefined;
  let pieceStart = out.length;
  for (const [key, value] of reply.details) {
    refuseKey(key);
    out.attribute(key, value);
    if (isLent || out.length - pieceStart < PIECE) continue;
    yield;
    pieceStart = out.length;
  }
}

function encodeCredential(reply: CredentialReply & { status: 'ok' }, offered: Capabilities, out: ByteWriter): void {
  const { username, authtype, secret, refreshToken, expiresAt } = reply.credential!;
  const state = offered.state && reply.state?.length ? reply.state : undefined;
  // First, because what depends on a capability must come behind it (git-credential(1)).
  if (offered.authtype) out.attribute('capability[]', 'authtype');
  if (state) out.attribute('capability[]', 'state');
  if (authtype !== undefined) {
    out.attribute('authtype', authtype);
    if (secret) out.attribute('credential', secret);
  }
  if (username !== undefined) out.attribute('username', username);
  if (authtype === undefined && secret) out.attribute('password', secret);
  if (refreshToken) out.attribute('oauth_refresh_token', refreshToken);
  if (expiresAt !== undefined) out.attribute('password_expiry_utc', String(expiresAt));
  for (const line of state ?? []) out.attribute('state[]', line);
}

function refuseKey(key: string): void {
  if (!isKeyText(key)) throw new KeyholdError('bad_request', 'cannot write an attribute: its name is not one');
}
