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
  type Role,
  type Session,
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
 * in what a login and a user are, snake_case elsewhere), plain-text errors, and the three things to beware of:
 * the list of tokens holds their values (G30), `rotate` always gives 24 hours (G28), and what was revoked comes back
 * when the record of it, kept for 24 hours, is swept away (G29). The paths that the documents name do not exist.
 * One thing is the documents' and not the source's: the second revocation of a token is 404 "Token not found" (G16).
 * Ours: that only an admin may make tokens for others, and the text for a life that is too long.
 */
export type Pangolin = StandIn & {
  readonly tenant: string;
  readonly users: Readonly<Record<'root' | 'admin' | 'user', PangolinUser>>;
  /** Whether a token with this id would be let in now. */
  readonly isAlive: (id: string) => boolean;
};

const HOUR = 3_600;
const DAY = 24 * HOUR;
/** Hours in a year. */
const LIFE_MAX = 8_760;

export async function openPangolin({ clock = openSystemClock() }: StandInOptions = {}): Promise<Pangolin> {
  const tenant = randomUUID();
  const users = {
    root: userFrom('admin', 'root', null),
    admin: userFrom('tess', 'tenant-admin', tenant),
    user: userFrom('ada', 'tenant-user', tenant),
  };
  const key = alphanumeric(48);
  const opened = clock.now();
  const issued = new Map<string, Issued>();
  /** Until when the record of a revocation is kept. */
  const denied = new Map<string, number>();
  const events: object[] = [];

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
  const deny = (id: string) => denied.set(id, clock.now() + DAY);

  const services = openServiceUsers(clock, note, issue);
  const sessionOf = (call: Call): Session | Answer => {
    const apiKey = call.headers['x-api-key'];
    if (apiKey !== undefined) return services.sessionOf(`${apiKey}`) ?? plain(401, 'Invalid or expired API key');
    const token = bearerOf(call);
    if (token === undefined) return plain(401, 'Missing or invalid authorization header');
    const claims = readJwt(token, key);
    const one = claims && issued.get(`${claims['jti']}`);
    if (!one) return plain(401, 'Invalid token: InvalidSignature');
    if (clock.now() >= one.expiresAt) return plain(401, 'Invalid token: ExpiredSignature');
    return isAlive(one.session.tokenId!) ? one.session : plain(401, 'Token has been revoked');
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
    const wanted = json['tenant-id'] ?? null;
    const user = Object.values(users).find(
      ({ username, password, tenant: own }) =>
        username === json['username'] && password === json['password'] && (wanted === null || wanted === own),
    );
    if (!user) return plain(401, 'Invalid credentials');
    const { token, expiresAt } = issue(sessionFrom(user), DAY);
    return { status: 200, body: { token, user: infoOf(user), 'expires-at': offsetTime(expiresAt) } };
  };
  const generate = (session: Session, { json }: Call): Answer => {
    const { tenant_id, username = 'api-user', roles, expires_in_hours: hours = 24 } = json;
    if (!/^[0-9a-f-]{36}$/i.test(`${tenant_id}`)) return plain(400, 'Invalid tenant_id format');
    if (typeof hours !== 'number' || hours < 1 || hours > LIFE_MAX) {
      return plain(400, `expires_in_hours must be 1 to ${LIFE_MAX}`);
    }
    if (!isAdmin(session) && (username !== session.username || roles !== undefined)) return refuse(403);
    const user = Object.values(users).find((one) => one.username === username);
    const asked = Array.isArray(roles) ? roleFrom(roles[0]) : undefined;
    const one = issue(
      {
        userId: user?.id ?? randomUUID(),
        username: `${username}`,
        tenant: `${tenant_id}`,
        role: asked ?? user?.role ?? 'tenant-user',
      },
      hours * HOUR,
    );
    return { status: 200, body: generated(one) };
  };
  const revokeById = (session: Session, id: string, done: Answer): Answer => {
    if (!issued.has(id) || denied.has(id)) return plain(404, 'Token not found');
    deny(id);
    note(session, 'revoke_token', id);
    return done;
  };
  const tokensOf = (userId: string): Answer => {
    const own = [...issued.values()].filter(({ session }) => session.userId === userId && isAlive(session.tokenId!));
    return { status: 200, body: own.map(leakyInfo) };
  };

  const routes: readonly Route[] = [
    ['POST', '/api/v1/users/login', login],
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
      signedIn((session) => {
        if (session.tokenId === undefined) return plain(400, 'A service key is rotated, not revoked');
        return revokeById(session, session.tokenId, said('Token revoked successfully. Please log in again.'));
      }),
    ],
    [
      'POST',
      '/api/v1/auth/revoke/:id',
      adminOnly((session, { params: [id = ''] }) => revokeById(session, id, said(`Token ${id} revoked successfully`))),
    ],
    [
      'POST',
      '/api/v1/auth/cleanup-tokens',
      adminOnly(() => {
        const count = sweep(clock.now());
        return { status: 200, body: { message: `Cleaned up ${count} expired tokens`, count } };
      }),
    ],
    ['GET', '/api/v1/users/me/tokens', signedIn(({ userId }) => tokensOf(userId))],
    ['GET', '/api/v1/users/:id/tokens', adminOnly((_, { params: [id = ''] }) => tokensOf(id))],
    ['POST', '/api/v1/tokens', signedIn(generate)],
    [
      'POST',
      '/api/v1/tokens/rotate',
      signedIn((session) => {
        if (session.tokenId !== undefined) deny(session.tokenId);
        return { status: 200, body: generated(issue(session, DAY)) };
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
    ['GET', '/api/v1/audit', signedIn(() => ({ status: 200, body: events.toReversed() }))],
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

function roleFrom(name: unknown): Role {
  if (/^root$/i.test(`${name}`)) return 'root';
  return /^(admin|TenantAdmin|tenant-admin)$/i.test(`${name}`) ? 'tenant-admin' : 'tenant-user';
}

function said(message: string): Answer {
  return { status: 200, body: { message } };
}

function refuse(status: number): Answer {
  const texts: Record<number, string> = {
    401: 'Missing or invalid authorization header',
    403: 'Admin access required',
    404: 'Not found',
  };
  return plain(status, texts[status] ?? `Failed with status ${status}`);
}

function plain(status: number, body: string): Answer {
  return { status, body };
}
