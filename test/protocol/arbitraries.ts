import fc from 'fast-check';

/** A value of the wire: latin1 text without control bytes. */
export const value = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).map((byte) => String.fromCharCode(byte === 0x7f ? 0x80 : byte)),
  maxLength: 24,
});

const hostByte = fc.constantFrom(..."ABCXYZabcxyz0189._~:[]%!$&'()*+,;=-");
export const host = fc.string({ unit: hostByte, minLength: 1, maxLength: 16 });
export const protocol = fc.constantFrom('https', 'http', 'HTTPS', 'smtp', 'git+ssh', 'a.b-c');

const seconds = fc.oneof(fc.integer({ min: 0, max: 999_999_999_999 }), fc.constantFrom(0, 1)).map(String);
const flag = fc.constantFrom('0', '1', 'true', 'no', 'off', 'yes', '');

/** The lines of a request that is in order. */
export const request = fc
  .record(
    {
      action: fc.constantFrom('get', 'store', 'erase', 'explain', 'list', 'unlock'),
      'capability[]': fc.subarray(['authtype', 'state', 'keyhold', 'zzz']),
      protocol,
      host,
      path: value,
      username: value,
      password: value,
      authtype: fc.constantFrom('Bearer', 'Basic'),
      credential: value,
      oauth_refresh_token: value,
      password_expiry_utc: seconds,
      ephemeral: flag,
      timeout: seconds,
      'state[]': fc.array(value, { maxLength: 3 }),
      wait: seconds,
      interactive: flag,
      min_ttl: seconds,
      profile: value,
      cwd: value,
      name: value,
      'argument[]': fc.array(value, { maxLength: 3 }),
      passphrase: value,
    },
    { requiredKeys: ['action', 'protocol', 'host'] },
  )
  .map(linesOf);

function linesOf(record: Readonly<Record<string, string | readonly string[] | undefined>>): string {
  let text = '';
  for (const [key, value] of Object.entries(record)) {
    for (const one of typeof value === 'string' ? [value] : (value ?? [])) text += `${key}=${one}\n`;
  }
  return text;
}

/** Bytes that are nearly what the wire carries. */
export const nearly = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: request.map((lines) => `${lines}\n`) },
      { weight: 2, arbitrary: request },
      {
        weight: 1,
        arbitrary: fc.constantFrom('\n', '\r\n', '=\n', 'a=b', '\0', 'host=\xff\n', 'action=run\n', 'i5\nhello'),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          'action=run\nname=keyhold-helper\nargument[]=get\n\ni32\nprotocol=https\nhost=example.com\ni0\n',
          'action=run\nname=git-credential-keyhold\nargument[]=get\n\ni32\nprotocol=https\nhost=example.com\ni0\n',
          'action=run\nname=git-credential-keyhold\nargument[]=capability\n\ni0\n',
          'action=run\nname=keyhold-helper\nargument[]=store\n\ni3\nprotocol',
        ),
      },
    ),
    { maxLength: 5 },
  )
  .map((parts) => Buffer.from(parts.join(''), 'latin1'));
