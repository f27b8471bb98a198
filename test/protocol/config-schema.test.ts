import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { readConfig, settingNames, settings } from '../../protocol/config.ts';
import { configProperties } from '../../protocol/config-schema.ts';

const matches = new Ajv2020({ strict: true }).compile({ type: 'object', properties: configProperties() });

/** What the agent's own reader says of the same document. */
function isRead(document: unknown): boolean {
  try {
    readConfig(document);
    return true;
  } catch {
    return false;
  }
}

describe('the schema of config.json', () => {
  const values = [
    'on',
    'vault',
    'debug',
    'loud',
    0,
    1,
    60,
    59,
    1.5,
    86_400,
    10 ** 9,
    true,
    null,
    '',
    '/etc/ca.pem',
    'http://p:1',
  ];

  test.each(settingNames)('takes for %s what the agent takes, and nothing else', (name) => {
    const nested = name.split('.');
    for (const value of values) {
      const [first, ...rest] = nested as [string, ...string[]];
      const document = rest.length === 0 ? { [first]: value } : { [first]: { [rest.join('.')]: value } };
      // That lease.idle is within lease.max is no matter of one setting.
      if (name === 'lease.max' || name === 'lease.idle')
        Object.assign(document, { [first]: { idle: 60, ...(document[first] as object) } });
      expect({ value, taken: matches(document) }).toEqual({ value, taken: isRead(document) });
    }
  });

  test('has every setting, and takes names that only a newer version knows', () => {
    const described = JSON.stringify(configProperties());
    for (const name of settingNames) expect(described).toContain(settings[name].summary);
    expect(matches({ later: 1, lease: { later: 2 } })).toBe(true);
    expect(matches({ lease: 1 })).toBe(false);
  });
});
