import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../daemon/clock.ts';
import { alphanumeric } from './minted.ts';
import { isAdmin, NO_TENANT, type Role, type Session, unfit, withBody } from './pangolin-session.ts';
import { type Answer, type Call, isoTime, type Route } from './stand-in.ts';

type ServiceUser = {
  readonly id: string;
  /** Of the key, which every list shows. */
  readonly hash: string;
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
  isOld: boolean,
): ServiceUsers {
  const kept = new Map<string, ServiceUser>();
  const isUsable = ({ active, expiresAt }: ServiceUser) => active && (expiresAt === null || clock.now() < expiresAt);
  const sessionFrom = ({ id, name, tenant, role }: ServiceUser) => ({ userId: id, username: name, tenant, role });

  const create = (session: Session, { json }: Call): Answer => {
    const { name, description = null, role, expires_in_days: days = null } = json;
    for (const needed of ['name', 'role']) if (!(needed in json)) return unfit(`missing field \`${needed}\``);
    const user: ServiceUser = {
      id: randomUUID(),
      hash: `$2b$12$${alphanumeric(53)}`,
      name: `${name}`,
      description: description === null ? null : `${description}`,
      tenant: session.tenant ?? NO_TENANT,
      role: role as Role,
      createdAt: clock.now(),
      createdBy: session.userId,
      expiresAt: typeof days === 'number' ? clock.now() + days * DAY : null,
      lastUsed: null,
      active: true,
      key: newKey(isOld),
    };
    kept.set(user.id, user);
    note(session, 'create_service_user', user.id);
    return { status: 201, body: shownOnce(user, isOld) };
  };
  const rotate = (session: Session, user: ServiceUser): Answer => {
    user.key = newKey(isOld);
    note(session, 'rotate_api_key', user.id);
    return { status: 200, body: shownOnce(user, isOld) };
  };
  const update = (session: Session, user: ServiceUser, { json }: Call): Answer => {
    Object.assign(user, json['name'] !== undefined && { name: json['name'] });
    Object.assign(user, json['description'] !== undefined && { description: json['description'] });
    Object.assign(user, typeof json['active'] === 'boolean' && { active: json['active'] });
    note(session, 'update_service_user', user.id);
    return { status: 200, body: { status: 'updated' } };
  };
  /** What is not there is deleted, too. */
  const remove = (session: Session, { params: [id = ''] }: Call): Answer => {
    kept.delete(id);
    note(session, 'delete_service_user', id);
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
    if (!isUsable(user)) return error(401, 'Client is inactive or expired');
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
        [
          'POST',
          all,
          withBody(['name', 'description', 'role', 'expires_in_days'], adminOnly('create service users', create)),
        ],
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
        ['DELETE', `${all}/:id`, adminOnly('delete service users', remove)],
        ['POST', `${all}/:id/rotate`, ofOne('rotate API keys', rotate)],
        ['POST', '/v1/:prefix/v1/oauth/tokens', oauth],
      ];
    },
  };
}

/** `pgl_<12>_<48>`: the first part names the key, the second is the secret; before, `pgl_<64>`. */
function newKey(isOld: boolean): string {
  return isOld ? `pgl_${alphanumeric(64)}` : `pgl_${alphanumeric(19).slice(0, 12)}_${alphanumeric(48)}`;
}

/** A key is shown where it is made; its field names are snake_case, and those of lists are not. */
function shownOnce(user: ServiceUser, isOld: boolean): object {
  const { id, name, description, tenant: tenant_id, role, key: api_key, createdAt, createdBy, active } = user;
  const expires_at = user.expiresAt === null ? null : isoTime(user.expiresAt);
  if (isOld) return { service_user_id: id, name, api_key, expires_at };
  const made = { created_at: isoTime(createdAt), created_by: createdBy };
  return { id, name, description, tenant_id, role, api_key, ...made, expires_at, active };
}

function described(user: ServiceUser): object {
  return {
    id: user.id,
    name: user.name,
    description: user.description,
    'tenant-id': user.tenant,
    'api-key-hash': user.hash,
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
