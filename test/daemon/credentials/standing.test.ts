import { describe, expect, test } from 'vitest';
import { Attributes } from '../../../protocol/attributes.ts';
import { decodeRequest } from '../../../protocol/decode.ts';
import { Core } from '../../fakes/core.ts';

const host = 'git.example';

function held(core: Core) {
  return [...core.credentials.entries.all()].find((entry) => entry.host === host);
}

describe('a store that replaces only what its caller has seen', () => {
  test('is done where that stands there still, also where nothing does', async () => {
    const core = new Core();
    expect(await core.store({ host, password: 'one-EXAMPLE', onlyOver: { storedAt: 0 } })).toBe('ok');
    const seen = { storedAt: held(core)!.storedAt };
    expect(await core.store({ host, password: 'two-EXAMPLE', onlyOver: seen })).toBe('ok');
    expect(await core.get({ host })).toBe('ada two-EXAMPLE');
  });

  test.each([
    ['another value', { password: 'newer-EXAMPLE' }],
    ['the same value with more said of it', { password: 'one-EXAMPLE', about: { label: 'mine' } }],
  ])('changes nothing where %s was stored since', async (_, meanwhile) => {
    const core = new Core();
    await core.store({ host, password: 'one-EXAMPLE' });
    const seen = { storedAt: held(core)!.storedAt };
    await core.store({ host, ...meanwhile });
    expect(await core.store({ host, password: 'late-EXAMPLE', onlyOver: seen })).toBe('denied');
    expect(await core.get({ host })).toBe(`ada ${meanwhile.password}`);
  });

  test('changes nothing where it was removed since', async () => {
    const core = new Core();
    await core.store({ host, password: 'one-EXAMPLE' });
    const seen = { storedAt: held(core)!.storedAt };
    await core.erase({ host });
    expect(await core.store({ host, password: 'late-EXAMPLE', onlyOver: seen })).toBe('denied');
    expect(await core.get({ host })).toBe('not-found');
  });

  test('of two at once that have seen the same only the first is done', async () => {
    const core = new Core();
    const both = ['one-EXAMPLE', 'two-EXAMPLE'].map((password) =>
      core.store({ host, password, onlyOver: { storedAt: 0 } }),
    );
    expect(await Promise.all(both)).toEqual(['ok', 'denied']);
    expect(await core.get({ host })).toBe('ada one-EXAMPLE');
  });
});

describe('if_stored_at of the wire', () => {
  const read = (value: string, keyhold = true) => {
    const attributes = new Attributes();
    for (const [key, text] of Object.entries({ action: 'store', protocol: 'https', host, if_stored_at: value }))
      attributes.add(key, text);
    if (keyhold) attributes.add('capability[]', 'keyhold');
    return decodeRequest(attributes);
  };

  test.each([
    ['0', 0],
    ['1733020000', 1_733_020_000],
    ['1733020000.123', 1_733_020_000.123],
  ])('%s is read as a date', (text, storedAt) => {
    expect(read(text).onlyOver).toEqual({ storedAt });
  });

  test.each(['', 'now', '-1', '1e9', '1.'])('"%s" is a bad request: it must not pass for no condition', (text) => {
    expect(() => read(text)).toThrow('cannot read if_stored_at');
  });

  test('is nothing to a caller that does not offer keyhold', () => {
    expect(read('0', false).onlyOver).toBeUndefined();
  });
});
