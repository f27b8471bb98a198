import { expect, it } from 'vitest';
import { targetOfUrl } from '../../../protocol/tools/url.ts';

it.each([
  ['https://h', { protocol: 'https', host: 'h' }],
  ['https://h/', { protocol: 'https', host: 'h' }],
  ['https://h:8443/a/b//', { protocol: 'https', host: 'h:8443', path: 'a/b' }],
  ['http://[::1]:80/a', { protocol: 'http', host: '[::1]:80', path: 'a' }],
  ['https://ada@H/%61', { protocol: 'https', host: 'H', path: '%61', username: 'ada' }],
  ['sparse+https://h/index/', { protocol: 'sparse+https', host: 'h', path: 'index' }],
])('%s is a target, byte by byte', (url, target) => {
  expect(targetOfUrl(url)).toEqual({ path: undefined, username: undefined, ...target });
});

it.each([
  '',
  'h',
  'https:/h',
  'https://',
  'https:///a',
  '://h',
  'https://ada:pw@h',
  'https://a@b@h',
  'https://h\\@evil',
  'https://evil\t.example',
  'https://h /a',
  'https://h/a?b',
  'https://h/a#b',
  'https://h/a\n',
  'https://h\u00e9',
])('%j is none', (url) => {
  expect(targetOfUrl(url)).toBeUndefined();
});
