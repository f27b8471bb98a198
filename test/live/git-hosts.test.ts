import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readAttributes } from '../../protocol/attributes.ts';
import { decodeRequest } from '../../protocol/decode.ts';
import { heapSecret } from '../../protocol/secret.ts';
import { need } from '../need.ts';

const hosts = [
  'example.com',
  'EXAMPLE.com',
  'Example.Com',
  'example.com.',
  'example.com..',
  '.example.com',
  'a..example.com',
  'example.com:443',
  'example.com:0443',
  'example.com:80',
  'example.com:',
  'example.com:99999',
  'example.com:x',
  'bücher.example',
  'xn--bcher-kva.example',
  'XN--BCHER-KVA.example',
  'ｅｘａｍｐｌｅ.com',
  'example。com',
  'ex\u00adample.com',
  'exa\u200bmple.com',
  'еxample.com',
  'faß.example',
  '127.0.0.1',
  '127.1',
  '0x7f.1',
  '0177.0.0.1',
  '2130706433',
  '[::1]',
  '[::1]:8443',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '[::1%25x]',
  '[::1%x]',
  '[::1',
  '::1',
  'good.com\\@evil.com',
  'good.com\\evil.com',
  'good.com%5c@evil.com',
  'good.com@evil.com',
  'a@b@evil.com',
  'good.com%40evil.com',
  'good.com#@evil.com',
  'good.com?@evil.com',
  'good.com%23@evil.com',
  'good.com%3f@evil.com',
  'good.com%2f@evil.com',
  'good.com%2fevil.com',
  'evil.com%0ahost=good.com',
  'evil.com%0d%0ahost=good.com',
  'evil.com%0dgood.com',
  'evil.com%00.good.com',
  'evil.com%09.good.com',
  'evil.com%20good.com',
  'evil.com\tgood.com',
  'evil.com\ngood.com',
  'evil.com\rgood.com',
  'evil.com good.com',
  ' example.com',
  'example.com ',
  '%65xample.com',
  'example%2ecom',
  'ex%61mple.com',
  '%ff.example',
  '%fe.example',
  'ex%c3%a9.example',
  'a%e2%80%a8b.example',
  'a%c2%85b.example',
  'a%1b[2Jb.example',
  'a%7fb.example',
  '%',
  '%zz.example',
  '%5b::1%5d',
  '',
  ':443',
  '@example.com',
  ':@example.com',
  'ada@example.com',
  'ada:hunter-EXAMPLE@example.com',
  'ad%40a@example.com',
  'ada:@example.com',
  '-example.com',
  '_dmarc.example.com',
  '*.example.com',
  'example.com,evil.com',
  "example'com",
  'example"com',
  'example`id`com',
  'example$(id)com',
  'example{a}com',
  'example|com',
  'example^com',
  'example<com>',
  'example;com',
  'example&com',
  'example+com',
  'example=com',
  'example!com',
  'example~com',
  'localhost',
  'local_host',
  'a',
  `${'a'.repeat(300)}.example`,
  `${'a.'.repeat(500)}example`,
];
const forms = [
  (host: string) => `https://${host}/`,
  (host: string) => `https://${host}`,
  (host: string) => `http://${host}/team/app.git?x=1#f`,
];
const special = [
  'https:///x',
  'https://',
  'https:example.com',
  'https:/example.com/',
  'https:\\\\example.com\\',
  '//example.com/',
  'example.com',
  'HTTPS://example.com/',
  'hTTps://example.com/',
  'ht%74ps://example.com/',
  ' https://example.com/',
  'https ://example.com/',
  'https%0a://example.com/',
  'cert:///home/ada/cert.pem',
  'ftp://example.com/',
  'file:///etc/passwd',
  'smtp://mail.example:587',
  'git+ssh://example.com/',
  '1https://example.com/',
  'https://example.com/%0ahost=evil.com',
  'https://example.com/a%00b',
  'https://example.com/a%0db',
  'https://example.com//a//b/',
  'https://example.com/../..',
];
const urls = [...hosts.flatMap((host) => forms.map((form) => form(host))), ...special];

const there = need('git', 'apt-get install git');

describe.skipIf(!there)('what git sends for a URL', () => {
  const folder = there ? mkdtempSync(join(tmpdir(), 'keyhold-urls-')) : '';
  const heard = join(folder, 'heard');
  const helper = join(folder, 'helper');
  if (there) {
    writeFileSync(helper, `#!/bin/sh\n[ "$1" = get ] && cat > '${heard}'\necho quit=1\n`);
    chmodSync(helper, 0o700);
  }
  afterAll(() => {
    if (folder) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  /** The bytes that git gives its helper when it is asked with `input`; undefined if it refused by itself. */
  function asked(input: string, extra: readonly string[] = []): Buffer | undefined {
    rmSync(heard, { force: true });
    spawnSync(
      'git',
      ['-c', 'credential.helper=', '-c', `credential.helper=${helper}`, ...extra, 'credential', 'fill'],
      {
        input,
        cwd: folder,
        timeout: 20_000,
        env: {
          PATH: process.env.PATH,
          HOME: folder,
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_TERMINAL_PROMPT: '0',
          GIT_ASKPASS: '',
        },
      },
    );
    try {
      return readFileSync(heard);
    } catch {
      return undefined;
    }
  }

  /** The value of `key` in bytes as git wrote them, by LF and the first `=` and nothing else. */
  function valueIn(bytes: Buffer, key: string): string | undefined {
    const line = bytes
      .toString('latin1')
      .split('\n')
      .findLast((one) => one.startsWith(`${key}=`));
    return line?.slice(key.length + 1);
  }

  function judge(bytes: Buffer): string {
    const { attributes, fault } = readAttributes(bytes, 0, bytes.length, heapSecret);
    if (fault) return 'refused';
    try {
      const { target } = decodeRequest(attributes, 'get');
      for (const key of ['protocol', 'host', 'path', 'username'] as const) {
        if (target![key] !== valueIn(bytes, key)) return `${key} differs`;
      }
      return 'the same';
    } catch {
      return 'refused';
    }
  }

  it(`is refused or taken byte by byte, for ${urls.length} URLs`, { timeout: 90_000 }, () => {
    expect(urls.length).toBeGreaterThan(200);
    const verdicts = new Map<string, number>();
    for (const url of urls) {
      const bytes = asked(`url=${url}\n\n`);
      const verdict = bytes === undefined ? 'git refused' : judge(bytes);
      expect([url, verdict]).toEqual([url, expect.stringMatching(/^(git refused|refused|the same)$/)]);
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    }
    // All three must occur, or this compares nothing.
    expect([...verdicts.keys()].sort()).toEqual(['git refused', 'refused', 'the same']);
    expect(verdicts.get('the same')).toBeGreaterThan(100);
    const version = execFileSync('git', ['--version'], { encoding: 'utf8' }).trim();
    console.log(`${version}: ${[...verdicts].map(([verdict, count]) => `${count} ${verdict}`).join(', ')}`);
  });

  it('is refused by us where git is told to send a CR', () => {
    const bytes = asked('protocol=https\nhost=evil.example\rhost=example.com\n\n', [
      '-c',
      'credential.protectProtocol=false',
    ]);
    if (bytes !== undefined) expect(judge(bytes)).toBe('refused');
  });
});
