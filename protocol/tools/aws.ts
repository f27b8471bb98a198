import type { Credential, EpochSeconds, Seconds, Target } from '../credential.ts';
import { KeyholdError } from '../errors.ts';
import type { CredentialReply, Handler } from '../handler.ts';
import type { Secret, SecretKeeper } from '../secret.ts';
import { exitCodeOf } from '../status.ts';
import { ByteWriter } from '../writer.ts';
import type { Adapter, Invocation } from './adapter.ts';
import { ask } from './ask.ts';
import { rfc3339 } from './dates.ts';
import { JsonObject, writeJsonSecret, writeJsonText } from './json.ts';
import { isJsonSecret, openJsonSecret, writeJsonSecretWith } from './json-secret.ts';
import { optionsIn } from './options.ts';
import { forAccount, targetOfUrl } from './url.ts';

/** What AWS' libraries want to renew: they ask again from 15 minutes before the end. */
const MIN_TTL: Seconds = 900;
const NEEDED = ['AccessKeyId', 'SecretAccessKey'];
const OTHERS = ['SessionToken', 'AccountId'];
const USAGE =
  'usage: keyhold-helper aws get URL [--account NAME], as credential_process; or aws store URL < JSON of aws sts';

/**
 * AWS' credential_process. What is kept for the URL is an access key's secret, with its id as username; or, for keys
 * that end, what `aws store URL` was given: the JSON of `aws sts` or of another credential_process. Errors go to
 * standard error, which AWS' tools show whole.
 */
export const aws: Adapter = {
  name: 'aws',
  programs: ['keyhold-aws'],
  apart: true,
  specification: 'https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html',
  environment: [],
  asks: { authtype: false, wholeHost: false },
  input: { '*': 'none', store: 'whole' },
  unavailable: { '*': { stdout: '', explain: true, exitCode: exitCodeOf('unavailable') } },
  probe: {
    get: [
      {
        arguments: ['get', 'https://h'],
        miss: { stdout: '', stderr: 'keyhold: there is none\n', exitCode: exitCodeOf('not-found') },
      },
    ],
    store: { arguments: ['store', 'https://h'], input: '{"AccessKeyId":"AKIA","SecretAccessKey":"probe-EXAMPLE"}' },
  },

  async converse(invocation: Invocation, handler: Handler): Promise<number> {
    const [operation = '', url = '', ...more] = invocation.arguments;
    const options = optionsIn(more, ['account']);
    const named = options && targetOfUrl(url);
    const target = named && forAccount(named, options.account);
    if (!target || (operation !== 'get' && operation !== 'store')) {
      invocation.warn(USAGE);
      return exitCodeOf('bad-request');
    }
    const reply =
      operation === 'get' ? await get(target, invocation, handler) : await store(target, invocation, handler);
    if (reply.status !== 'ok') invocation.warn(reply.message);
    return exitCodeOf(reply.status);
  },
};

/** What ends within the quarter of an hour is given all the same, with its true end, if there is nothing better. */
async function get(target: Target, { output }: Invocation, handler: Handler): Promise<CredentialReply> {
  const fresh = await ask(handler, { action: 'get', target, minTtl: MIN_TTL });
  const reply = fresh.status === 'expired' ? await ask(handler, { action: 'get', target }) : fresh;
  if (reply.status !== 'ok') return reply;
  const { username, secret, expiresAt }: Credential = reply.credential!;
  const end = `"Version":1${expiresAt === undefined ? '' : `,"Expiration":"${rfc3339(expiresAt)}"`}`;
  if (secret && isJsonSecret(secret)) {
    openJsonSecret(secret, NEEDED, OTHERS);
    writeJsonSecretWith(secret, end, output);
  } else {
    if (!secret || username === undefined) {
      throw new KeyholdError('unsupported', 'what is held has no username, which is where the access key id belongs');
    }
    output.text('{"AccessKeyId":');
    writeJsonText(username, output);
    output.text(',"SecretAccessKey":');
    writeJsonSecret(secret, output);
    output.text(`,${end}}`);
  }
  output.text('\n');
  return reply;
}

async function store(target: Target, { input, keep }: Invocation, handler: Handler): Promise<CredentialReply> {
  const whole = JsonObject.read(input.all());
  const object = whole.object('Credentials') ?? whole;
  const expiresAt = endOf(object.text('Expiration'));
  const secret = partsOf(object, keep);
  try {
    return await ask(handler, { action: 'store', target, secret, expiresAt });
  } finally {
    secret.dispose();
  }
}

/** The parts of a key and nothing else, as one JSON object. */
function partsOf(object: JsonObject, keep: SecretKeeper): Secret {
  const out = new ByteWriter();
  try {
    for (const name of [...NEEDED, ...OTHERS]) {
      const part = object.secret(name, keep);
      if (!part && NEEDED.includes(name)) throw new KeyholdError('bad_request', `cannot store: ${name} is missing`);
      if (!part) continue;
      out.text(`${out.length === 0 ? '{' : ','}"${name}":`);
      try {
        writeJsonSecret(part, out);
      } finally {
        part.dispose();
      }
    }
    out.text('}');
    return keep(out.view());
  } finally {
    out.truncate();
  }
}

/** Keys whose end cannot be read must not be taken for keys without one. */
function endOf(date: string | undefined): EpochSeconds | undefined {
  if (date === undefined) return undefined;
  const isDate = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:?[0-9]{2})$/.test(date);
  const seconds = isDate ? Date.parse(date) / 1_000 : Number.NaN;
  if (!Number.isFinite(seconds)) throw new KeyholdError('bad_request', 'cannot store: Expiration is no date');
  return Math.floor(seconds);
}
