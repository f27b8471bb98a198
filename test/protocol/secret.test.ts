import { format, inspect } from 'node:util';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Attributes } from '../../protocol/attributes.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import { expose, heapSecret, type Secret, secretFromText } from '../../protocol/secret.ts';

const TEXT = 'hunter-EXAMPLE';
const secret = secretFromText(TEXT);

/** Every spelling that a print of the bytes could take. */
const spellings = [
  TEXT,
  Buffer.from(TEXT).toString('base64').slice(0, 16),
  Buffer.from(TEXT).toString('hex'),
  Buffer.from(TEXT).join(','),
  Buffer.from(TEXT).join(', '),
  [...Buffer.from(TEXT)].map((byte) => byte.toString(16)).join(' '),
];

function logged(log: (logger: pino.Logger) => void): string {
  const lines: string[] = [];
  log(pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }));
  return lines.join('');
}

const holder = new Attributes();
holder.add('password', secret);

const ways: Record<string, () => unknown> = {
  'a template': () => `${secret}`,
  'an addition': () => `a${secret as unknown as string}` + secret,
  'String()': () => String(secret),
  'valueOf and Number()': () => Number(secret as unknown),
  JSON: () => JSON.stringify({ secret, list: [secret] }),
  inspect: () => inspect({ secret }),
  'inspect with showHidden': () => inspect(secret, { showHidden: true, depth: null, getters: true }),
  'inspect without customInspect': () => inspect(secret, { customInspect: false, showHidden: true, depth: null }),
  format: () => format('%s %o %O %j %d', secret, secret, secret, secret, secret),
  spread: () => inspect({ ...secret }),
  'Object.assign': () => inspect(Object.assign({}, secret)),
  'own keys': () => inspect(Reflect.ownKeys(secret).map((key) => Reflect.get(secret, key))),
  structuredClone: () => inspect(structuredClone(secret), { showHidden: true }),
  'an error with a cause': () =>
    inspect(new Error('outer', { cause: { secret } }), { showHidden: true }) +
    inspect(new KeyholdError('locked', 'cannot do it', { cause: secret })),
  'an AggregateError': () => inspect(new AggregateError([secret])),
  'attributes that hold it': () => inspect(holder, { showHidden: true, depth: null }) + JSON.stringify(holder),
  'a logger': () =>
    logged((logger) => {
      logger.info({ secret, nested: { secret } }, 'msg %s %o', secret, secret);
      logger.error(new Error('failed', { cause: secret }));
      logger.error({ err: Object.assign(new Error('failed'), { secret }) });
      logger.child({ secret }).warn(`${secret}`);
      logger.info(secret);
    }),
};

describe('a secret never prints itself', () => {
  it.each(Object.entries(ways))('by %s', (_name, way) => {
    const shown = String(way());
    for (const spelling of spellings) expect(shown).not.toContain(spelling);
  });

  it('and says so where it would stand', () => {
    expect(`${secret}`).toBe('[secret]');
    expect(JSON.stringify({ secret })).toBe('{"secret":"[secret]"}');
    expect(inspect({ secret })).toBe('{ secret: [secret] }');
  });
});

describe('a secret', () => {
  it('has memory of its own', () => {
    const bytes = new TextEncoder().encode(TEXT);
    const own = heapSecret(bytes);
    bytes.fill(0);
    expect(Buffer.from(expose(own)).toString()).toBe(TEXT);
    expose(own).fill(0);
    expect(Buffer.from(expose(own)).toString()).toBe(TEXT);
  });

  it('equals another of the same bytes, also an empty one', () => {
    expect(secret.equals(secretFromText(TEXT))).toBe(true);
    expect(secret.equals(secretFromText('hunter-EXAMPLF'))).toBe(false);
    expect(secret.equals(secretFromText('hunter'))).toBe(false);
    expect(secretFromText('').equals(secretFromText(''))).toBe(true);
  });

  it('is gone once disposed, as often as it is', () => {
    const own: Secret = secretFromText(TEXT);
    own.dispose();
    own.dispose();
    expect(own.length).toBe(0);
    expect(() => expose(own)).toThrow('cannot read a secret: it was erased');
  });
});
