import { type Answer, type Call, isoTime, type Route } from './stand-in.ts';

/** The tenant of what belongs to none. */
export const NO_TENANT = '00000000-0000-0000-0000-000000000000';

export type Role = 'root' | 'tenant-admin' | 'tenant-user';

/** Who asks, once a token or a key was accepted. */
export type Session = {
  readonly userId: string;
  readonly username: string;
  readonly tenant: string | null;
  readonly role: Role;
  /** Of the token; undefined for a service key. */
  readonly tokenId: string | undefined;
};

export type PangolinUser = {
  readonly id: string;
  readonly username: string;
  readonly password: string;
  readonly tenant: string | null;
  readonly role: Role;
};

/** A token that was given out. */
export type Issued = {
  readonly session: Session;
  readonly token: string;
  readonly createdAt: number;
  readonly expiresAt: number;
};

/** Whether somebody may do what only an admin may. */
export function isAdmin({ role }: Session): boolean {
  return role !== 'tenant-user';
}

/** A user as a login and `/users/me` show it. */
export function infoOf({ id, username, tenant, role }: Omit<PangolinUser, 'password'>): object {
  const email = `${username}@pangolin.example`;
  const times = { 'created-at': '2029-01-01T00:00:00Z', 'last-login': null };
  return { id, username, email, 'tenant-id': tenant, role, 'oauth-provider': null, ...times };
}

/** What making and rotating a token answer. */
export function generated({ token, expiresAt, session }: Issued): object {
  return { token, expires_at: offsetTime(expiresAt), tenant_id: session.tenant ?? NO_TENANT };
}

/** A token in the list: with its value, as the source has it (G30). */
export function leakyInfo({ session, token, createdAt, expiresAt }: Issued): object {
  return {
    id: session.tokenId,
    tenant_id: session.tenant ?? NO_TENANT,
    user_id: session.userId,
    username: session.username,
    created_at: isoTime(createdAt),
    expires_at: isoTime(expiresAt),
    is_valid: true,
    token,
  };
}

/**
 * A route that takes a JSON body with these members and no other, as axum's extractor has it: 415 without the content
 * type, 422 for a member that is not known.
 */
export function withBody(members: readonly string[], answer: Route[2]): (call: Call) => Answer {
  return (call) => {
    if (!call.headers['content-type']?.startsWith('application/json')) {
      return plain(415, 'Expected request with `Content-Type: application/json`');
    }
    const unknown = Object.keys(call.json).find((name) => !members.includes(name));
    return unknown === undefined ? answer(call) : unfit(`unknown field \`${unknown}\``);
  };
}

export function unfit(why: string): Answer {
  return plain(422, `Failed to deserialize the JSON body into the target type: ${why}`);
}

export function plain(status: number, body: string): Answer {
  return { status, body };
}

/** As chrono's to_rfc3339 writes. */
export function offsetTime(seconds: number): string {
  return isoTime(seconds).replace('Z', '+00:00');
}
