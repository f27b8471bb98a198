import { expect, test } from 'vitest';
import { whyTurnedDown } from '../../../daemon/admin/guard.ts';

const asked = (rawHeaders: readonly string[], method = 'GET', url = '/tokens') =>
  whyTurnedDown({ method, url, rawHeaders })?.code;

test.each([
  [['Host', 'localhost'], undefined],
  [['host', 'LOCALHOST:8080'], undefined],
  [['Host', 'keyhold'], undefined],
  [['Host', 'localhost', 'Content-Length', '0', 'Sec-Fetch-Site', 'none'], undefined],
  [[], 421],
  [['Host', ''], 421],
  [['Host', 'localhost', 'Host', 'localhost'], 421],
  [['Host', 'localhost:8080:1'], 421],
  [['Host', '[::1]'], 421],
  [['X-Forwarded-Host', 'localhost'], 421],
  [['Host', 'localhost', 'Origin', ''], 403],
  [['Host', 'localhost', 'Sec-Fetch-Site', 'same-origin'], 403],
  [['Host', 'localhost', 'Transfer-Encoding', 'chunked'], 413],
  [['Host', 'localhost', 'Content-Length', '1'], 413],
  [['Host', 'localhost', 'Upgrade', 'websocket'], 400],
] as const)('headers %j: %s', (headers, code) => {
  expect(asked(headers)).toBe(code);
});

test('what is no path, and what is no GET', () => {
  const host = ['Host', 'localhost'];
  expect(asked(host, 'GET', 'http://evil.example/')).toBe(400);
  expect(asked(host, 'OPTIONS', '*')).toBe(405);
  expect(asked(host, 'HEAD')).toBe(undefined);
  expect(asked(host, 'TRACE')).toBe(405);
});
