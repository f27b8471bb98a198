import { causeOf, fieldsIn, fillMember, itemsIn, type Operation, type Read } from '../../../protocol/services/index.ts';
import { readable, whyUnfitId } from '../incoming.ts';
import type { Plan, Reply, SecretName } from '../plan.ts';
import { ExchangeFailure, exchange, type Incoming } from './exchange.ts';

/** Characters of an answer in which a cause is looked for. */
const LOOKED_AT = 65_536;
/** What an answer may hold that is a secret. */
const answered = ['value', 'refreshToken', 'challenge'] as const;

/** The operations that answer a list. */
const lists: ReadonlySet<Operation> = new Set<Operation>(['list', 'listUser', 'audit']);

export type Secrets = ReadonlyMap<string, Buffer>;
export type Performed = { readonly reply: Reply; readonly secrets: ReadonlyMap<SecretName, Buffer> };

/** Makes one call of a service's interface and reads out of its answer what the plan asks for, and nothing else. */
export async function call(plan: Plan, secrets: Secrets): Promise<Performed> {
  try {
    return judge(plan, secrets, await exchange(outgoingOf(plan, secrets), plan));
  } catch (error) {
    if (!(error instanceof ExchangeFailure)) throw error;
    return { reply: { failure: error.failure, why: error.message || undefined }, secrets: new Map() };
  }
}

function outgoingOf({ method, origin, path, auth, body, values }: Plan, secrets: Secrets) {
  const filled = body && bodyOf(body, values, secrets);
  return {
    method,
    origin,
    path,
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'keyhold',
      ...(filled && { 'content-type': 'application/json', 'content-length': String(filled.length) }),
      ...(auth && headerOf(auth, secrets.get('token'))),
    },
    body: filled,
  };
}

function headerOf({ header, before, basicUser }: NonNullable<Plan['auth']>, token: Buffer | undefined) {
  if (!token) throw new ExchangeFailure('unfit', 'the token is missing');
  const value = basicUser === undefined ? token : Buffer.from(`${basicUser}:${token.toString('latin1')}`, 'latin1');
  return { [header]: `${before}${value.toString(basicUser === undefined ? 'latin1' : 'base64')}` };
}

function bodyOf(members: NonNullable<Plan['body']>, values: Plan['values'], secrets: Secrets): Buffer {
  const all = { ...values, ...Object.fromEntries([...secrets].map(([name, bytes]) => [name, bytes.toString('utf8')])) };
  const filled = Object.entries(members).map(([name, template]) => [name, fillMember(template, all)] as const);
  return Buffer.from(JSON.stringify(Object.fromEntries(filled.filter(([, value]) => value !== undefined))));
}

function judge(plan: Plan, secrets: Secrets, { status, retryAfter, body }: Incoming): Performed {
  const document = jsonIn(body);
  const isSuccess = plan.success ? plan.success.includes(status) : status >= 200 && status < 300;
  if (!isSuccess) {
    // A page says nothing of the token: a proxy or a portal wrote it, and its words are not the service's.
    const isPage = document === undefined && /^\s*</.test(body.toString('latin1', 0, 256));
    const cause = causeOf(
      { errors: isPage ? [] : (plan.errors ?? []) },
      {
        operation: plan.operation,
        status,
        code: codeIn(document?.value),
        text: body.toString('utf8', 0, LOOKED_AT),
        ...(retryAfter === undefined ? {} : { retryAfter }),
      },
    );
    return { reply: { status, cause, read: {}, ...(isPage && { isPage }) }, secrets: new Map() };
  }
  // A page in place of an answer (of a portal, of a proxy) says nothing about what was done.
  if (!document) throw new ExchangeFailure('no-json');
  const isList = lists.has(plan.operation);
  const items = isList ? itemsIn(plan, document.value) : undefined;
  if (isList && !items) throw new ExchangeFailure('no-json', 'no list');
  const read = isList ? {} : fieldsIn(plan, document.value);
  // `null` or an error object with a status of success is not the service's word about a token.
  if (plan.operation === 'whoami' && plan.fields && Object.keys(read).length === 0) {
    throw new ExchangeFailure('unread', `HTTP ${status}`);
  }
  const unfitId = whyUnfitId(read);
  const sent = [...secrets.values()].map((bytes) => bytes.toString('utf8'));
  const shown = (one: Read) => readable(one, sent);
  return {
    reply: { status, read: shown(read), ...(unfitId && { unfitId }), items: items?.map(shown) },
    secrets: secretsIn(read),
  };
}

/** An empty body is an answer too, of a deletion for one. */
function jsonIn(body: Buffer): { readonly value: unknown } | undefined {
  if (body.length === 0) return { value: undefined };
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) };
  } catch {
    return undefined;
  }
}

/** The service's own code, where interfaces usually have it. */
function codeIn(document: unknown): string | undefined {
  const { error, code } = (document ?? {}) as Record<string, unknown>;
  const inner = typeof error === 'object' && error !== null ? (error as Record<string, unknown>)['code'] : error;
  return [inner, code].find((one): one is string => typeof one === 'string');
}

function secretsIn(read: Read): Map<SecretName, Buffer> {
  const found = new Map<SecretName, Buffer>();
  for (const name of answered) {
    const value = read[name];
    if (typeof value === 'string' && value !== '') found.set(name, Buffer.from(value, 'utf8'));
  }
  return found;
}
