import * as client from 'openid-client';
import { addressOf, isLoopback } from '../../../protocol/services/index.ts';
import type { OAuthPlan, OAuthReply, Provider } from '../../oauth/oauth-plan.ts';
import type { SecretName } from '../plan.ts';
import type { Secrets } from './call.ts';
import { ExchangeFailure, exchange } from './exchange.ts';

/** Characters of one text of a provider that are handed on. */
const TEXT_MAX = 1_024;
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

type Given = { readonly reply: OAuthReply; readonly secrets: ReadonlyMap<SecretName, Buffer> };
type Step = (plan: OAuthPlan, config: client.Configuration, secrets: Secrets, seen: Seen) => Promise<Given>;
/** What an answer held that the library is not shown. */
type Seen = {
  expiresIn?: unknown;
  subject?: string | undefined;
  retryAfter?: number | undefined;
  failure?: ExchangeFailure;
};

/**
 * One step of OAuth, by openid-client. Requests go out by our own exchange: with its rules about TLS, redirects, size and
 * time. What an answer of the token endpoint says of lifetimes and of the person is read before the library sees it, and
 * taken out: an answer that has spent the refresh token must not be thrown away for a lifetime of -1.
 */
export async function oauth(plan: OAuthPlan, secrets: Secrets): Promise<Given> {
  const seen: Seen = {};
  try {
    const config = await configurationOf(plan, secrets, seen);
    return await steps[plan.act](plan, config, secrets, seen);
  } catch (error) {
    return { reply: told(error, seen), secrets: new Map() };
  }
}

const steps: Record<OAuthPlan['act'], Step> = {
  async discover(plan, config) {
    const meta = config.serverMetadata();
    const provider: Provider = {
      issuer: meta.issuer,
      clientId: plan.clientId,
      authorizeUrl: meta.authorization_endpoint,
      deviceUrl: meta.device_authorization_endpoint,
      tokenUrl: meta.token_endpoint,
      revokeUrl: meta.revocation_endpoint,
      introspectUrl: meta.introspection_endpoint,
      ...(meta.authorization_response_iss_parameter_supported === true && { namesIssuer: true }),
    };
    return { reply: { oauth: { provider } }, secrets: new Map() };
  },

  async refresh({ scopes }, config, secrets, seen) {
    const parameters = scopes ? { scope: scopes.join(' ') } : undefined;
    return granted(await client.refreshTokenGrant(config, text(secrets, 'refreshToken'), parameters), seen);
  },

  async device({ scopes }, config) {
    const answer = await client.initiateDeviceAuthorization(config, scopes ? { scope: scopes.join(' ') } : {});
    const { user_code, verification_uri, verification_uri_complete, interval, expires_in } = answer;
    const told = {
      userCode: short(user_code),
      verificationUrl: short(verification_uri),
      ...(verification_uri_complete && { verificationUrlComplete: short(verification_uri_complete) }),
      ...(interval !== undefined && { interval }),
      expiresIn: expires_in,
    };
    return { reply: { oauth: told }, secrets: new Map([['challenge', Buffer.from(answer.device_code)]]) };
  },

  async poll(_, config, secrets, seen) {
    const parameters = { device_code: text(secrets, 'challenge') };
    return granted(await client.genericGrantRequest(config, DEVICE_GRANT, parameters), seen);
  },

  async redeem({ redirect = '', state = '', backIssuer }, config, secrets, seen) {
    const back = new URL(redirect);
    back.searchParams.set('code', text(secrets, 'code'));
    back.searchParams.set('state', state);
    if (backIssuer !== undefined) back.searchParams.set('iss', backIssuer);
    const checks = { pkceCodeVerifier: text(secrets, 'challenge'), expectedState: state };
    return granted(await client.authorizationCodeGrant(config, back, checks), seen);
  },

  async 'client-credentials'(plan, config, secrets, seen) {
    const parameters = plan.scopes ? { scope: plan.scopes.join(' ') } : {};
    try {
      return granted(await client.clientCredentialsGrant(config, parameters), seen);
    } catch (error) {
      if (seen.failure || !isRefusal(error)) throw error;
      // Some servers look for the client's secret in the form alone (RFC 6749, 2.3.1). Nothing was spent by asking.
      const byForm = await configurationOf(plan, secrets, seen, client.ClientSecretPost(text(secrets, 'password')));
      return granted(await client.clientCredentialsGrant(byForm, parameters), seen);
    }
  },

  async revoke(_, config, secrets) {
    const hint = secrets.has('refreshToken') ? 'refresh_token' : 'access_token';
    const token = text(secrets, secrets.has('refreshToken') ? 'refreshToken' : 'token');
    await client.tokenRevocation(config, token, { token_type_hint: hint });
    return { reply: { oauth: {} }, secrets: new Map() };
  },

  async introspect(_, config, secrets) {
    const { active, exp, username, scope, sub } = await client.tokenIntrospection(config, text(secrets, 'token'));
    const told = {
      active,
      ...(exp !== undefined && { expiresAt: exp }),
      ...(username !== undefined && { username: short(username) }),
      ...(scope !== undefined && { scopes: short(scope).split(' ') }),
      ...(sub !== undefined && { subject: short(sub) }),
    };
    return { reply: { oauth: told }, secrets: new Map() };
  },
};

/** From the provider's own document, unless the endpoint that the step needs is known already: then one call is enough. */
async function configurationOf(
  plan: OAuthPlan,
  secrets: Secrets,
  seen: Seen,
  by?: client.ClientAuth,
): Promise<client.Configuration> {
  const password = secrets.get('password')?.toString('utf8');
  const auth = by ?? (password === undefined ? client.None() : client.ClientSecretBasic(password));
  const needed = { revoke: plan.revokeUrl, introspect: plan.introspectUrl, device: plan.deviceUrl }[plan.act as string];
  const isKnown = plan.act !== 'discover' && (needed ?? plan.tokenUrl) !== undefined;
  const isPlain = addressOf(plan.issuer)?.protocol === 'http';
  if (isPlain && !isLoopback(addressOf(plan.issuer)!.host)) {
    throw new ExchangeFailure('unfit', 'http is for this machine only');
  }
  const execute = isPlain ? [client.allowInsecureRequests] : [];
  const fetching = fetchOf(plan, seen);
  // A document that is read in the middle of another step is looked at by nobody before the secret goes where it says.
  if (!isKnown && plan.act !== 'discover') throw new ExchangeFailure('unfit', 'no endpoint');
  if (!isKnown) {
    return client.discovery(new URL(plan.issuer), plan.clientId, undefined, auth, {
      execute,
      [client.customFetch]: fetching,
    });
  }
  const server: client.ServerMetadata = {
    issuer: plan.issuer,
    ...(plan.tokenUrl && { token_endpoint: plan.tokenUrl }),
    ...(plan.deviceUrl && { device_authorization_endpoint: plan.deviceUrl }),
    ...(plan.revokeUrl && { revocation_endpoint: plan.revokeUrl }),
    ...(plan.introspectUrl && { introspection_endpoint: plan.introspectUrl }),
    ...(plan.namesIssuer && { authorization_response_iss_parameter_supported: true }),
  };
  const config = new client.Configuration(server, plan.clientId, undefined, auth);
  for (const one of execute) one(config);
  config[client.customFetch] = fetching;
  return config;
}

/** The library's way out: our exchange. */
function fetchOf(plan: OAuthPlan, seen: Seen): client.CustomFetch {
  return async (url, { method, headers, body }) => {
    const [, origin = '', path = '/'] = /^(https?:\/\/[^/?#]+)([^#]*)/.exec(url) ?? [];
    const bytes = body === undefined || body === null ? undefined : Buffer.from(String(body), 'utf8');
    try {
      const answer = await exchange(
        {
          method,
          origin,
          path: path.startsWith('/') ? path : `/${path}`,
          headers: {
            ...headers,
            'accept-encoding': 'identity',
            'user-agent': 'keyhold',
            ...(bytes && { 'content-length': String(bytes.length) }),
          },
          body: bytes,
        },
        plan,
      );
      seen.retryAfter = answer.retryAfter;
      const isEmpty = [101, 204, 205, 304].includes(answer.status);
      const shown = method === 'POST' && answer.status === 200 ? withoutTraps(answer.body, seen) : answer.body;
      return new Response(isEmpty ? null : new Uint8Array(shown), {
        status: answer.status,
        headers: { 'content-type': 'application/json' },
      });
    } catch (error) {
      if (error instanceof ExchangeFailure) seen.failure = error;
      throw error;
    }
  };
}

/** An answer without its lifetime and its ID token, which are read here. What is no JSON is a failure of its own. */
function withoutTraps(body: Buffer, seen: Seen): Buffer {
  if (body.length === 0) return body;
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as Record<string, unknown>;
  } catch {
    throw new ExchangeFailure(/^\s*[{[]/.test(body.toString('latin1', 0, 64)) ? 'cut' : 'no-json');
  }
  if (typeof document !== 'object' || document === null || !('access_token' in document)) return body;
  const { expires_in: expiresIn, id_token: idToken, ...rest } = document;
  seen.expiresIn = expiresIn;
  if (typeof idToken === 'string') seen.subject = subjectIn(idToken);
  return Buffer.from(JSON.stringify(rest));
}

/** Whom an ID token is about. It came over TLS from the provider itself, which is what its signature would prove. */
function subjectIn(idToken: string): string | undefined {
  try {
    const { sub } = JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      sub?: unknown;
    };
    return typeof sub === 'string' ? short(sub) : undefined;
  } catch {
    return undefined;
  }
}

function granted(answer: client.TokenEndpointResponse, { expiresIn, subject }: Seen): Given {
  const secrets = new Map<SecretName, Buffer>([['value', Buffer.from(answer.access_token)]]);
  if (answer.refresh_token) secrets.set('refreshToken', Buffer.from(answer.refresh_token));
  const told = {
    tokenType: answer.token_type,
    ...(typeof expiresIn === 'number' || typeof expiresIn === 'string' ? { expiresIn } : {}),
    ...(answer.scope !== undefined && { scopes: short(answer.scope).split(' ') }),
    ...(subject !== undefined && { subject }),
  };
  return { reply: { oauth: told }, secrets };
}

/** Whether the provider has heard the request and did not take the client. */
function isRefusal(error: unknown): boolean {
  const { status, cause } = error as { status?: unknown; cause?: unknown };
  const code = cause instanceof Response ? cause.status : status;
  return code === 400 || code === 401;
}

/** What went wrong, in codes and in no word of the provider's. */
function told(error: unknown, { failure, retryAfter }: Seen): OAuthReply {
  const own = error instanceof ExchangeFailure ? error : failure;
  if (own) return { failure: own.failure, why: own.message || undefined };
  const { error: code, status, cause } = error as { error?: unknown; status?: unknown; cause?: unknown };
  if (error instanceof client.ResponseBodyError && typeof code === 'string' && typeof status === 'number') {
    return { error: /^[a-z_]{1,64}$/.test(code) ? code : 'unknown', status, retryAfter };
  }
  if (cause instanceof Response && cause.status >= 300) return { error: 'unknown', status: cause.status, retryAfter };
  return { failure: 'no-json', why: (error as { code?: string }).code };
}

function text(secrets: Secrets, name: SecretName): string {
  const bytes = secrets.get(name);
  if (!bytes) throw new ExchangeFailure('unfit', `the ${name} is missing`);
  return bytes.toString('utf8');
}

function short(given: string): string {
  return given.slice(0, TEXT_MAX);
}
