import { randomUUID } from 'node:crypto';
import { openSystemClock } from '../../../daemon/clock.ts';
import { alphanumeric, type Claims, readJwt, signJwt } from './minted.ts';
import { openServiceUsers } from './pangolin-service-users.ts';
import {
  generated,
  type Issued,
  infoOf,
  isAdmin,
  leakyInfo,
  NO_TENANT,
  offsetTime,
  type PangolinUser,
  plain,
  type Role,
  type Session,
  unfit,
  withBody,
} from './pangolin-session.ts';
import {
  type Answer,
  bearerOf,
  type Call,
  isoTime,
  openStandIn,
  type Route,
  type StandIn,
  type StandInOptions,
} from './stand-in.ts';

/**
 * Pangolin's management interface (rows G1…G30), by AlexMercedCoder/Pangolin's source: paths, field names (kebab-case
 * in what a login and a user are, snake_case elsewhere), plain-text errors, and what to beware of:
 * the list of tokens holds their values (G30) and no login, `rotate` always gives 24 hours (G28), an administrator's
 * revocation ends when the record of it, kept for 24 hours, is swept away (G29), and every UUID is confirmed as revoked,
 * also one that was mistyped or revoked before, where the documents promise 404 (G16). Only administrators create tokens.
 * The paths that the documents name do not exist. One thing is the documents' and not the source's: that the audit log
 * has what happens to tokens and service users.
 */
export type Pangolin = StandIn & {
  readonly tenant: string;
  readonly users: Readonly<Record<'root' | 'admin' | 'user', PangolinUser>>;
  /** Whether a token with this id would be let in now. */
  readonly isAlive: (id: string) => boolean;
};

export type PangolinOptions = StandInOptions & {
  /** A server of before: it answers `service_user_id` for a service user's key, and the key has one part. */
  readonly isOld?: boolean;
};

const HOUR = 3_600;
const DAY = 24 * HOUR;
/** Hours in a year. */
const LIFE_MAX = 8_760;
/** Seconds for which a verifier of tokens takes one that has expired; the server looks at the date once more. */
const LEEWAY = 60;
/** Events of the audit log in one answer: without `limit`, and at most. */
const AUDIT_PAGE = 100;
const AUDIT_MAX = 1_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export async function openPangolin(options: PangolinOptions = {}): Promise<Pangolin> {
  const { clock = openSystemClock(), isOld = false } = options;
  const tenant = randomUUID();
  const users = {
    root: userFrom('admin', 'root', null),
    admin: userFrom('tess', 'tenant-admin', tenant),
    user: userFrom('ada', 'tenant-user', tenant),
  };
  const key = alphanumeric(48);
  const opened = clock.now();
  const issued = new Map<string, Issued>();
  /** Of those the ones that lists show: a login is never stored. */
  const listed = new Set<string>();
  /** Until when the record of a revocation is kept. */
  const denied = new Map<string, number>();
  const events: { readonly tenant_id: string; readonly [name: string]: string }[] = [];

  const note = (session: Session, action: string, resource: string, result = 'success') =>
    events.push({
      id: randomUUID(),
      tenant_id: session.tenant ?? NO_TENANT,
      user_id: session.userId,
      username: session.username,
      action,
      resource_type: action.includes('service_user') || action.includes('api_key') ? 'service_user' : 'token',
      resource_id: resource,
      resource_name: resource,
      timestamp: isoTime(clock.now()),
      result,
    });
  const issue = (session: Omit<Session, 'tokenId'>, life: number): Issued => {
    const [id, now] = [randomUUID(), clock.now()];
    const claims: Claims = {
      sub: session.userId,
      jti: id,
      username: session.username,
      tenant_id: session.tenant,
      role: session.role,
      exp: now + life,
      iat: now,
    };
    const one = {
      session: { ...session, tokenId: id },
      token: signJwt(claims, key),
      createdAt: now,
      expiresAt: now + life,
    };
    issued.set(id, one);
    note(one.session, 'generate_token', id);
    return one;
  };
  /** Every hour after the start, records whose day has passed are deleted: then the token is let in again. */
  const sweep = (until = opened + Math.floor((clock.now() - opened) / HOUR) * HOUR) => {
    const passed = [...denied].filter(([, kept]) => kept <= until);
    for (const [id] of passed) denied.delete(id);
    return passed.length;
  };
  const isAlive = (id: string) => {
    sweep();
    const one = issued.get(id);
    return one !== undefined && clock.now() < one.expiresAt && !denied.has(id);
  };
  const deny = (id: string, until = clock.now() + DAY) => denied.set(id, until);
  const issueListed = (session: Omit<Session, 'tokenId'>, life: number): Issued => {
    const one = issue(session, life);
    listed.add(one.session.tokenId!);
    return one;
  };

  const services = openServiceUsers(clock, note, issue, isOld);
  const sessionOf = (call: Call): Session | Answer => {
    const apiKey = call.headers['x-api-key'];
    if (apiKey !== undefined) return services.sessionOf(`${apiKey}`) ?? plain(401, 'Invalid or expired API key');
    const token = bearerOf(call);
    if (token === undefined) return plain(401, 'Missing or invalid authorization header');
    const claims = readJwt(token, key);
    const one = claims && issued.get(`${claims['jti']}`);
    if (!one || clock.now() >= one.expiresAt + LEEWAY) return plain(401, 'Invalid token');
    sweep();
    if (denied.has(one.session.tokenId!)) return plain(401, 'Token has been revoked');
    return clock.now() < one.expiresAt ? one.session : plain(401, 'Token expired');
  };
  const signedIn = (answer: (session: Session, call: Call) => Answer) => (call: Call) => {
    const session = sessionOf(call);
    return 'status' in session ? session : answer(session, call);
  };
  const adminOnly = (answer: (session: Session, call: Call) => Answer, text = 'Admin access required') =>
    signedIn((session, call) => {
      if (isAdmin(session)) return answer(session, call);
      note(session, 'permission_denied', call.path, 'failure');
      return plain(403, text);
    });

  const login = ({ json }: Call): Answer => {
    // Either spelling is taken, and what belongs to no tenant is a root user's.
    const wanted = json['tenant-id'] ?? json['tenant_id'] ?? null;
    const user = Object.values(users).find(
      ({ username, tenant: own }) => username === json['username'] && (wanted === null || wanted === own),
    );
    if (user && wanted === null && user.role !== 'root') return plain(401, 'Tenant users must login with tenant_id');
    if (!user || user.password !== json['password']) return plain(401, 'Invalid credentials');
    const { token, expiresAt } = issue(sessionFrom(user), DAY);
    return { status: 200, body: { token, user: infoOf(user), 'expires-at': offsetTime(expiresAt) } };
  };
  const generate = (session: Session, { json }: Call): Answer => {
    const { tenant_id, username = 'api-user', roles, expires_in_hours: hours = 24 } = json;
    if (!UUID.test(`${tenant_id}`)) return plain(400, 'Invalid tenant_id format');
    if (!isAdmin(session)) return plain(403, 'Root or tenant-admin access required to mint tokens');
    if (session.role !== 'root' && session.tenant !== tenant_id) {
      return plain(403, 'Cannot mint a token for another tenant');
    }
    if (!Number.isInteger(hours) || Number(hours) < 0) return unfit('expires_in_hours: expected u64');
    const [first] = Array.isArray(roles) ? roles : [];
    const asked = first === undefined ? undefined : roleFrom(first);
    if (first !== undefined && !asked) return plain(400, `Unknown role: ${first}`);
    const user = Object.values(users).find((one) => one.username === username);
    const role = asked ?? user?.role ?? 'tenant-user';
    if (role === 'root' && session.role !== 'root') {
      return plain(403, 'Cannot mint a token more privileged than the caller');
    }
    const whose = { userId: user?.id ?? randomUUID(), username: `${username}`, tenant: `${tenant_id}`, role };
    // A longer life is cut, and that is not said.
    return { status: 200, body: generated(issueListed(whose, Math.min(Number(hours), LIFE_MAX) * HOUR)) };
  };
  const revokeById = (session: Session, id: string, done: Answer): Answer => {
    if (!UUID.test(id)) return plain(400, 'Invalid URL: Cannot parse `token_id` with value to a `Uuid`');
    // Whether there is such a token is not looked at.
    deny(id);
    note(session, 'revoke_token', id);
    return done;
  };
  /** Those of the caller's own tenant, the longest life first. */
  const tokensOf = ({ tenant: own }: Session, userId: string, { query }: Call): Answer => {
    const isListed = ({ session }: Issued) =>
      listed.has(session.tokenId!) &&
      session.userId === userId &&
      (session.tenant ?? NO_TENANT) === (own ?? NO_TENANT) &&
      isAlive(session.tokenId!);
    const found = [...issued.values()].filter(isListed).sort((one, other) => other.expiresAt - one.expiresAt);
    const from = Number(query.get('offset') ?? 0);
    return { status: 200, body: found.slice(from, from + Number(query.get('limit') ?? found.length)).map(leakyInfo) };
  };

  const routes: readonly Route[] = [
    ['POST', '/api/v1/users/login', withBody(['username', 'password', 'tenant-id', 'tenant_id'], login)],
    [
      'GET',
      '/api/v1/users/me',
      signedIn((session) => {
        const user = Object.values(users).find(({ id }) => id === session.userId);
        const { userId: id, username, tenant: own, role } = session;
        return { status: 200, body: infoOf(user ?? { id, username, tenant: own, role }) };
      }),
    ],
    [
      'POST',
      '/api/v1/auth/revoke',
      withBody(
        ['reason'],
        signedIn((session) => {
          if (session.tokenId === undefined) return plain(400, 'This session is not backed by a revocable token');
          // For as long as it would have lived: this one stays dead.
          deny(session.tokenId, issued.get(session.tokenId)!.expiresAt);
          note(session, 'revoke_token', session.tokenId);
          return said('Token revoked successfully. Please log in again.');
        }),
      ),
    ],
    [
      'POST',
      '/api/v1/auth/revoke/:id',
      withBody(
        ['reason'],
        adminOnly((session, { params: [id = ''] }) =>
          revokeById(session, id, said(`Token ${id} revoked successfully`)),
        ),
      ),
    ],
    [
      'POST',
      '/api/v1/auth/cleanup-tokens',
      adminOnly(() => {
        const count = sweep(clock.now());
        return { status: 200, body: { message: `Cleaned up ${count} expired tokens`, count } };
      }),
    ],
    ['GET', '/api/v1/users/me/tokens', signedIn((session, call) => tokensOf(session, session.userId, call))],
    ['GET', '/api/v1/users/:id/tokens', adminOnly((session, call) => tokensOf(session, call.params[0] ?? '', call))],
    ['POST', '/api/v1/tokens', withBody(['tenant_id', 'username', 'roles', 'expires_in_hours'], signedIn(generate))],
    [
      'POST',
      '/api/v1/tokens/rotate',
      signedIn((session) => {
        if (session.tokenId !== undefined) deny(session.tokenId, issued.get(session.tokenId)!.expiresAt);
        return { status: 200, body: generated(issueListed(session, DAY)) };
      }),
    ],
    [
      'DELETE',
      '/api/v1/tokens/:id',
      adminOnly(
        (session, { params: [id = ''] }) => revokeById(session, id, { status: 204 }),
        'Admin access required to delete arbitrary token',
      ),
    ],
    [
      'GET',
      '/api/v1/audit',
      signedIn(({ role, tenant: own }, { query }) => {
        const seen = events.filter(({ tenant_id }) => role === 'root' || tenant_id === (own ?? NO_TENANT)).toReversed();
        const from = Number(query.get('offset') ?? 0);
        const count = Math.min(Number(query.get('limit') ?? AUDIT_PAGE), AUDIT_MAX);
        return { status: 200, body: seen.slice(from, from + count) };
      }),
    ],
    ...services.routes(signedIn),
  ];

  const standIn = await openStandIn(routes, refuse);
  return { ...standIn, tenant, users, isAlive };
}

function userFrom(username: string, role: Role, tenant: string | null): PangolinUser {
  return { id: randomUUID(), username, password: 'password-EXAMPLE', tenant, role };
}

function sessionFrom({ id, username, tenant, role }: PangolinUser): Omit<Session, 'tokenId'> {
  return { userId: id, username, tenant, role };
}

function roleFrom(name: unknown): Role | undefined {
  if (/^(Root|root)$/.test(`${name}`)) return 'root';
  if (/^(Admin|admin|TenantAdmin|tenant-admin)$/.test(`${name}`)) return 'tenant-admin';
  return /^(TenantUser|tenant-user|user)$/.test(`${name}`) ? 'tenant-user' : undefined;
}

function said(message: string): Answer {
  return { status: 200, body: { message } };
}

function refuse(status: number): Answer {
  const texts: Record<number, string> = {
    401: 'Missing or invalid authorization header',
    403: 'Admin access required',
    404: 'Not found',
    429: 'too many authentication attempts; try again later',
  };
  return plain(status, texts[status] ?? `Failed with status ${status}`);
}
