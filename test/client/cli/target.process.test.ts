import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { targetOf } from '../../../client/cli/target.ts';
import { fromWire } from '../../../protocol/text.ts';
import { need } from '../../need.ts';

/** What git itself makes of a URL; undefined where it refuses it. */
function byGit(url: string): Record<string, string> | undefined {
  const { status, stdout } = spawnSync('git', ['credential', 'fill'], {
    input: `url=${url}\npassword=EXAMPLE\nusername=ada\n\n`,
    env: {
      PATH: process.env['PATH'],
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
    },
    encoding: 'utf8',
    timeout: 10_000,
  });
  if (status !== 0) return undefined;
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
  const { protocol, host, path } = Object.fromEntries(lines);
  return { protocol: protocol!, host: host!, ...(path === undefined ? {} : { path }) };
}

function byUs(url: string): Record<string, string> | undefined {
  try {
    const { protocol, host, path } = targetOf(url);
    return { protocol, host, ...(path === undefined ? {} : { path: fromWire(path) }) };
  } catch {
    return undefined;
  }
}

const hasGit = need('git', 'apt-get install git');

describe('targetOf', () => {
  test
    .skipIf(!hasGit)
    .each([
      'https://git.example',
      'https://git.example/',
      'https://git.example//team//app//',
      'https://git.example:8443/team/app.git',
      'https://ada@git.example/x',
      'https://git.example/a%20b%2fc',
      'https://git.example?x=1',
      'https://git.example#@evil.example',
      'https://git.example?@evil.example',
      'https://good.example\\@evil.example/x@y',
      'https://git.example/x@y',
      'https://git.example/ü',
      'http://[::1]:8080/x',
      'https://git.example/100%',
    ])('reads %s as git does', (url) => {
    expect(byUs(url)).toEqual(byGit(url) && { ...byGit(url) });
  });

  test.each([
    ['git.example', 'it has no scheme'],
    ['https:///x', 'host is empty'],
    ['https://', 'host is empty'],
    ['https://a@b@git.example/', 'host holds a byte'],
    ['https://evil.example\\.good.example/', 'host holds a byte'],
    ['https://git.example%0ahost=evil.example/', 'control byte'],
    ['https://git.example/%0d', 'control byte'],
    ['https://git.example/%00', 'control byte'],
    ['https://git.example\u2028/', 'host holds a byte'],
    ['https://gıt.example/', 'punycode'],
    ['https://ada:token-EXAMPLE@git.example/', 'it holds a password'],
    ['ht tps://git.example/', 'not a scheme'],
    ['https://git.exa mple/', 'host holds a byte'],
    ['https://git.example/\ufffd', 'not UTF-8'],
  ])('refuses %j', (url, rule) => {
    expect(() => targetOf(url)).toThrow(rule);
    expect(() => targetOf(url)).not.toThrow('EXAMPLE');
  });

  test('takes the user of the URL or the one given, and refuses two that differ', () => {
    expect(targetOf('https://ada%40work@git.example').username).toBe('ada@work');
    expect(targetOf('https://git.example', 'ada').username).toBe('ada');
    expect(targetOf('https://ada@git.example', 'ada').username).toBe('ada');
    expect(() => targetOf('https://ada@git.example', 'bob')).toThrow('it names another user than --username does');
    expect(() => targetOf('https://git.example', 'a\nb')).toThrow('control byte');
  });

  test('keeps the bytes of what is not ASCII', () => {
    expect(fromWire(targetOf('https://git.example/ü', 'zoë').username!)).toBe('zoë');
    expect(targetOf('https://git.example/%ff').path).toBe('\u00ff');
  });
});
