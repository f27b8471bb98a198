import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../daemon/clock.ts';
import { alphanumeric } from './minted.ts';
import { isAdmin, NO_TENANT, type Role, type Session } from './pangolin-session.ts';
import { type Answer, type Call, isoTime, type Route } from './stand-in.ts';

type ServiceUser = {
  readonly id: string;
  name: string;
  description: string | null;
  readonly tenant: string;
  readonly role: Role;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly expiresAt: number | null;
  lastUsed: number | null;
  active: boolean;
  key: string;
};

type ServiceUsers = {
  /** Who a key stands for; undefined if it is unknown, expired, or its user inactive. */
  sessionOf(key: string): Session | undefined;
  routes(signedIn: (answer: (session: Session, call: Call) => Answer) => Route[2]): readonly Route[];
};

const DAY = 86_400;
/** Seconds that a token lives which was made out of a key (G27). */
const OAUTH_LIFE = 3_600;

/** Pangolin's service users (rows G13, G18, G19, G27): their keys go into `X-API-Key`, and make tokens of one hour. */
export function openServiceUsers(
  clock: Pick<Clock, 'now'>,
  note: (session: Session, action: string, resource: string) => void,
  issue: (session: Omit<Session, 'tokenId'>, life: number) => { readonly token: string },
): ServiceUsers {
  const kept = new Map<string, ServiceUser>();
  const isUsable = ({ active, expiresAt }: ServiceUser) => active && (expiresAt === null || clock.now() < expiresAt);
  const sessionFrom = ({ id, name, tenant, role }: ServiceUser) => ({ userId: id, username: name, tenant, role });

  const create = (session: Session, { json }: Call): Answer => {
    const { name, description = null, role = 'tenant-user', expires_in_days: days = null } = json;
    const user: ServiceUser = {
      id: randomUUID(),
      name: `${name}`,
      description: description === null ? null : `${description}`,
      tenant: session.tenant ?? NO_TENANT,
      role: role as Role,
      createdAt: clock.now(),
      createdBy: session.userId,
      expiresAt: typeof days === 'number' ? clock.now() + days * DAY : null,
      lastUsed: null,
      active: true,
      key: newKey(),
    };
    kept.set(user.id, user);
    note(session, 'create_service_user', user.id);
    return { status: 201, body: shownOnce(user) };
  };
  const rotate = (session: Session, user: ServiceUser): Answer => {
    user.key = newKey();
    note(session, 'rotate_api_key', user.id);
    return { status: 200, body: shownOnce(user) };
  };
  const update = (session: Session, user: ServiceUser, { json }: Call): Answer => {
    Object.assign(user, json['name'] !== undefined && { name: json['name'] });
    Object.assign(user, json['description'] !== undefined && { description: json['description'] });
    Object.assign(user, typeof json['active'] === 'boolean' && { active: json['active'] });
    note(session, 'update_service_user', user.id);
    return { status: 200, body: { status: 'updated' } };
  };
  const remove = (session: Session, user: ServiceUser): Answer => {
    kept.delete(user.id);
    note(session, 'delete_service_user', user.id);
    return { status: 200, body: { status: 'deleted' } };
  };
  const oauth = ({ form }: Call): Answer => {
    if (form.get('grant_type') !== 'client_credentials') {
      return error(400, "Unsupported grant_type. exact 'client_credentials' required.");
    }
    const id = form.get('client_id') ?? '';
    if (!/^[0-9a-f-]{36}$/i.test(id)) return error(400, 'Invalid client_id format. Must be a valid UUID.');
    const user = kept.get(id);
    if (!user) return error(401, 'Invalid client_id');
    if (!isUsable(user)) return error(401, 'Client is inactive');
    if (form.get('client_secret') !== user.key) return error(401, 'Invalid client_secret');
    user.lastUsed = clock.now();
    const body = {
      access_token: issue(sessionFrom(user), OAUTH_LIFE).token,
      token_type: 'Bearer',
      expires_in: OAUTH_LIFE,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    };
    return { status: 200, body };
  };

  return {
    sessionOf(key) {
      const user = [...kept.values()].find((one) => one.key === key);
      if (!user || !isUsable(user)) return undefined;
      user.lastUsed = clock.now();
      return { ...sessionFrom(user), tokenId: undefined };
    },
    routes(signedIn) {
      const adminOnly = (what: string, answer: (session: Session, call: Call) => Answer) =>
        signedIn((session, call) => (isAdmin(session) ? answer(session, call) : error(403, `Only admins can ${what}`)));
      const ofOne = (what: string, answer: (session: Session, user: ServiceUser, call: Call) => Answer) =>
        adminOnly(what, (session, call) => {
          const user = kept.get(call.params[0] ?? '');
          return user ? answer(session, user, call) : error(404, 'Service user not found');
        });
      const all = '/api/v1/service-users';
      return [
        ['POST', all, adminOnly('create service users', create)],
        [
          'GET',
          all,
          adminOnly('list service users', ({ tenant }) => {
            const own = [...kept.values()].filter((user) => tenant === null || user.tenant === tenant);
            return { status: 200, body: own.map(described) };
          }),
        ],
        ['GET', `${all}/:id`, ofOne('view service users', (_, user) => ({ status: 200, body: described(user) }))],
        ['PUT', `${all}/:id`, ofOne('update service users', update)],
        ['DELETE', `${all}/:id`, ofOne('delete service users', remove)],
        ['POST', `${all}/:id/rotate`, ofOne('rotate API keys', rotate)],
        ['POST', '/v1/:prefix/v1/oauth/tokens', oauth],
      ];
    },
  };
}

/** `pgl_<12>_<48>`: the first part names the key, the second is the secret. */
function newKey(): string {
  return `pgl_${alphanumeric(19).slice(0, 12)}_${alphanumeric(48)}`;
}

function shownOnce({ id, name, key, expiresAt }: ServiceUser): object {
  const expires_at = expiresAt === null ? null : isoTime(expiresAt);
  return { service_user_id: id, name, api_key: key, expires_at };
}

function described(user: ServiceUser): object {
  return {
    id: user.id,
    name: user.name,
    description: user.description,
    'tenant-id': user.tenant,
    role: user.role,
    'created-at': isoTime(user.createdAt),
    'created-by': user.createdBy,
    'last-used': user.lastUsed === null ? null : isoTime(user.lastUsed),
    'expires-at': user.expiresAt === null ? null : isoTime(user.expiresAt),
    active: user.active,
  };
}

function error(status: number, text: string): Answer {
  return { status, body: { error: text } };
}
