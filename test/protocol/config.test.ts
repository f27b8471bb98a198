import { describe, expect, test } from 'vitest';
import { parseSetting, readConfig, settingNames, showSetting } from '../../protocol/config.ts';

describe('readConfig', () => {
  const defaults = {
    backend: 'auto',
    leaseIdle: undefined,
    leaseMax: 86_400,
    logLevel: 'info',
    auditKeep: 7_776_000,
    adminIdle: 60,
    refreshUsedWithin: 86_400,
    revokeRecheck: 'on',
    eraseKeep: 604_800,
    eventsLead: 900,
    upstreamDeadline: 20,
    upstreamCa: undefined,
    upstreamProxy: undefined,
    upstreamOffline: 'off',
  };

  test('an empty file means the defaults, and names of a newer version are skipped', () => {
    expect(readConfig({})).toEqual(defaults);
    expect(readConfig({ lease: { idle: 7_200, later: true }, later: 1 })).toEqual({ ...defaults, leaseIdle: 7_200 });
  });

  test.each([
    [{ backend: 'cloud' }, 'backend'],
    [{ backend: null }, 'backend'],
    [{ lease: 5 }, 'lease.idle'],
    [{ lease: [1] }, 'lease.idle'],
    [{ lease: { idle: '8h' } }, 'lease.idle'],
    [{ lease: { max: 1e9 } }, 'lease.max'],
    [{ lease: { max: 90.5 } }, 'lease.max'],
    [{ lease: { idle: 7_200, max: 3_600 } }, 'it is longer than lease.max, 1h'],
    [{ log: { level: 'loud' } }, 'log.level'],
    [{ upstream: { ca: 'relative.pem' } }, 'upstream.ca'],
    [{ upstream: { proxy: 'https://user:pass@proxy' } }, 'upstream.proxy'],
    [{ upstream: { deadline: 0 } }, 'upstream.deadline'],
    [{ upstream: { offline: true } }, 'upstream.offline'],
    [[], 'it is not one JSON object'],
    [undefined, 'it is not one JSON object'],
    ['text', 'it is not one JSON object'],
  ])('%j is refused where it is no proper one', (document, what) => {
    expect(() => readConfig(document)).toThrow(what);
  });

  test('nothing is taken from a prototype', () => {
    expect(readConfig(Object.create({ backend: 'memory' }))).toEqual(defaults);
  });
});

test.each([
  ['30m', 1_800],
  ['8h', 28_800],
  ['3600s', 3_600],
  ['2d', 172_800],
])('parseSetting reads %s, and showSetting says it again', (text, seconds) => {
  expect(parseSetting('lease.idle', text)).toBe(seconds);
  expect(parseSetting('lease.idle', showSetting('lease.idle', seconds))).toBe(seconds);
});

test('parseSetting takes 0 where a setting may be off, and nowhere else', () => {
  expect(parseSetting('erase.keep', '0')).toBe(0);
  expect(parseSetting('erase.keep', '0s')).toBe(0);
  expect(() => parseSetting('lease.idle', '0')).toThrow('it is a time from 1m');
});

test.each(['', '8', '8 h', '-1h', '1h30m', '1e3s', '99999999d', '30s'])('parseSetting refuses %j as a time', (text) => {
  expect(() => parseSetting('lease.idle', text)).toThrow('it is a time from 1m to 30d, such as 8h or 30m');
});

test('every setting can be shown when it is not set', () => {
  for (const name of settingNames) expect(showSetting(name, undefined)).toMatch(/^(as the backend asks|none)/);
});

test('a text may be taken back by an empty one', () => {
  expect(readConfig({ upstream: { ca: '', proxy: 'http://127.0.0.1:3128' } })).toMatchObject({
    upstreamCa: undefined,
    upstreamProxy: 'http://127.0.0.1:3128',
  });
  expect(parseSetting('upstream.ca', '/etc/ours.pem')).toBe('/etc/ours.pem');
});
