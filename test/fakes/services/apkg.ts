import { randomBytes, randomUUID } from 'node:crypto';
import { openSystemClock } from '../../../daemon/clock.ts';
import { alphanumeric, totp } from './minted.ts';
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
 * One apkg registry (rows K1…K27). Paths, field names and the error envelope are those that apkg-ai/cli speaks. Open
 * two of them for two registries: each knows only its own tokens (K6). Not published, so ours: which status an invalid
 * field has (400), the codes of errors, how long a session (1 h) and a half-finished login (5 min) live, and that a
 * token needs the scope `admin` to manage tokens. There is no way to refresh a session, as there is none in the CLI (K27).
 */
export type Apkg = StandIn & {
  /** Six digits, as the person's authenticator shows them now. */
  readonly totp: () => string;
  /** Each of them works once, in place of the six digits. */
  readonly recoveryCodes: readonly string[];
  /** Tokens that are neither revoked nor expired. Never a value. */
  readonly active: () => readonly { readonly id: string; readonly name: string }[];
};

export type ApkgOptions = StandInOptions & {
  readonly username?: string;
  readonly password?: string;
  /** Whether a login asks for a second factor (K15); false if absent. */
  readonly mfa?: boolean;
};

type Bearer = {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly packageScope: string | null;
  readonly expiresIn: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  lastUsed: number | null;
};

/** Of the code's `--expires-in`; the documents say that tokens never expire (K3). */
export const LIFETIMES: Readonly<Record<string, number>> = { '30d': 30, '90d': 90, '365d': 365 };
/** Of the code's `--scopes` (K21). */
export const SCOPES: readonly string[] = ['read', 'publish', 'admin', 'ci'];
const DAY = 86_400;
/** Seconds. */
const SESSION_LIFE = 3_600;
const MFA_LIFE = 300;

export async function openApkg(options: ApkgOptions = {}): Promise<Apkg> {
  const { clock = openSystemClock(), username = 'ada', password = 'password-EXAMPLE', mfa = false } = options;
  const tokens = new Map<string, Bearer>();
  const sessions = new Map<string, Bearer>();
  const challenges = new Map<string, number>();
  const seed = randomBytes(20);
  const recoveryCodes = Array.from({ length: 8 }, () => `${alphanumeric(5)}-${alphanumeric(5)}`.toLowerCase());
  const unusedCodes = new Set(recoveryCodes);
  const usedDigits = new Set<string>();

  const withBearer = (answer: (bearer: Bearer, call: Call) => Answer) => (call: Call) => {
    const value = bearerOf(call) ?? '';
    const bearer = tokens.get(value) ?? sessions.get(value);
    if (!bearer) return refuse(401);
    if (clock.now() >= bearer.expiresAt) {
      return error(401, 'UNAUTHORIZED', 'Token expired', [{ field: 'token', message: 'expired' }]);
    }
    bearer.lastUsed = clock.now();
    return answer(bearer, call);
  };
  const withScope = (scope: string, answer: (call: Call) => Answer) =>
    withBearer((bearer, call) => (bearer.scopes.includes(scope) ? answer(call) : refuse(403)));

  const newSession = () => {
    const value = alphanumeric(48);
    const session = bearerFrom('session', SCOPES, null, '1h', clock.now(), SESSION_LIFE);
    sessions.set(value, session);
    const refreshToken = alphanumeric(48);
    const body = { accessToken: value, refreshToken, expiresIn: SESSION_LIFE, tokenType: 'Bearer' };
    return { status: 200, body };
  };
  const isSecondFactor = (code: string) => {
    if (unusedCodes.delete(code)) return true;
    const fits = code === totp(seed, clock.now()) && !usedDigits.has(code);
    if (fits) usedDigits.add(code);
    return fits;
  };

  const login = ({ json }: Call): Answer => {
    if (json['username'] !== username || json['password'] !== password) {
      return error(401, 'UNAUTHORIZED', 'Invalid credentials');
    }
    if (!mfa) return newSession();
    const mfaToken = alphanumeric(32);
    challenges.set(mfaToken, clock.now() + MFA_LIFE);
    return { status: 200, body: { mfaRequired: true, mfaToken } };
  };
  const challenge = ({ json }: Call): Answer => {
    const until = challenges.get(`${json['mfaToken']}`);
    if (until === undefined || clock.now() >= until) return error(401, 'UNAUTHORIZED', 'MFA session expired');
    if (!isSecondFactor(`${json['code']}`)) return error(401, 'UNAUTHORIZED', 'Invalid MFA code');
    challenges.delete(`${json['mfaToken']}`);
    return newSession();
  };
  const create = ({ json: { name, scopes, expiresIn = '90d', packageScope = null } }: Call): Answer => {
    if (typeof name !== 'string' || name === '') return invalid('name', 'required');
    if (!Array.isArray(scopes) || scopes.length === 0 || !scopes.every((scope) => SCOPES.includes(scope as string))) {
      return invalid('scopes', `must be some of ${SCOPES.join(', ')}`);
    }
    const days = LIFETIMES[`${expiresIn}`];
    if (days === undefined) return invalid('expiresIn', `must be one of ${Object.keys(LIFETIMES).join(', ')}`);
    const value = `apkg_${alphanumeric(40)}`;
    const scope = packageScope === null ? null : `${packageScope}`;
    const token = bearerFrom(name, scopes as string[], scope, `${expiresIn}`, clock.now(), days * DAY);
    tokens.set(value, token);
    const { id, createdAt, expiresAt } = token;
    const times = { expiresAt: isoTime(expiresAt), createdAt: isoTime(createdAt) };
    return { status: 201, body: { id, name, token: value, scopes, packageScope: scope, ...times } };
  };
  /** The whole id: the eight characters that the CLI's list shows are not one (K22). */
  const revoke = ({ params: [id] }: Call): Answer => {
    const found = [...tokens].find(([, token]) => token.id === id);
    return found && tokens.delete(found[0]) ? { status: 204 } : error(404, 'NOT_FOUND', 'Token not found');
  };
  const active = () => [...tokens.values()].filter(({ expiresAt }) => clock.now() < expiresAt);

  const routes: readonly Route[] = [
    ['POST', '/auth/login', login],
    ['POST', '/auth/mfa/challenge', challenge],
    [
      'GET',
      '/auth/whoami',
      withBearer(({ scopes }) => {
        const body = { username, email: `${username}@apkg.example`, mfaEnabled: mfa, scopes, orgs: [] };
        return { status: 200, body };
      }),
    ],
    ['POST', '/auth/tokens', withScope('admin', create)],
    ['GET', '/auth/tokens', withScope('admin', () => ({ status: 200, body: { tokens: active().map(listed) } }))],
    ['DELETE', '/auth/tokens/:id', withScope('admin', revoke)],
    ['GET', '/packages/:name', ({ params: [name] }) => ({ status: 200, body: { name, versions: {} } })],
    [
      'PUT',
      '/packages/:name',
      withBearer(({ scopes, packageScope }, { params: [name = ''] }) => {
        const may = scopes.some((scope) => ['publish', 'admin', 'ci'].includes(scope)) && fits(packageScope, name);
        return may ? { status: 200, body: { name, version: '1.0.0' } } : refuse(403);
      }),
    ],
  ];

  const standIn = await openStandIn(routes, refuse);
  return {
    ...standIn,
    totp: () => totp(seed, clock.now()),
    recoveryCodes,
    active: () => active().map(({ id, name }) => ({ id, name })),
  };
}

function bearerFrom(
  name: string,
  scopes: readonly string[],
  packageScope: string | null,
  expiresIn: string,
  now: number,
  life: number,
): Bearer {
  const id = randomUUID();
  return { id, name, scopes, packageScope, expiresIn, createdAt: now, expiresAt: now + life, lastUsed: null };
}

function listed({ id, name, scopes, expiresIn, packageScope, lastUsed, expiresAt, createdAt }: Bearer): object {
  const used = lastUsed === null ? null : isoTime(lastUsed);
  const times = { lastUsed: used, expiresAt: isoTime(expiresAt), createdAt: isoTime(createdAt) };
  return { id, name, scopes, expiresIn, packageScope, ...times };
}

/** `@org/*` fits every package below it; no pattern fits all. */
function fits(pattern: string | null, name: string): boolean {
  return pattern === null || (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern);
}

function refuse(status: number): Answer {
  const known: Record<number, [code: string, message: string]> = {
    401: ['UNAUTHORIZED', 'Invalid or revoked token'],
    402: ['PAYMENT_REQUIRED', 'Payment required'],
    403: ['FORBIDDEN', 'Access denied'],
    404: ['NOT_FOUND', 'Not found'],
    429: ['RATE_LIMITED', 'Too many requests'],
  };
  const [code, message] = known[status] ?? ['INTERNAL', 'Something broke'];
  return error(status, code, message);
}

function invalid(field: string, message: string): Answer {
  return error(400, 'VALIDATION', 'Validation failed', [{ field, message }]);
}

function error(status: number, code: string, message: string, details: readonly object[] = []): Answer {
  return { status, body: { error: { code, message, details, requestId: randomUUID() } } };
}
