import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runProgram } from '../client/keyhold.ts';
import { temporaryFolder } from '../temporary.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/ci.md'), 'utf8');
const push = /^push\(\) \(\n[\s\S]*?^\)$/m.exec(page)![0];

/** Runs `script` after the page's function, with a `keyhold` that answers so. */
async function sh(script: string, keyhold: string) {
  const folder = temporaryFolder('ci');
  onTestFinished(() => folder.remove());
  writeFileSync(join(folder.path, 'keyhold'), `#!/bin/sh\n${keyhold}\n`, { mode: 0o700 });
  return runProgram('sh', ['-c', `${push}\n${script}`], { home: folder.path, path: folder.path });
}

describe('push, as docs/ci.md has it', () => {
  test("gives a command the token's bytes, without the newline", async () => {
    const { stdout, code } = await sh('push https://api.example cat', "printf '%s\\n' 'a%s\\\\b \"c EXAMPLE'");
    expect({ stdout, code }).toEqual({ stdout: 'a%s\\\\b "c EXAMPLE', code: 0 });
  });

  test('asks for the URL that it was given', async () => {
    const { stdout } = await sh('push https://api.example cat', 'echo "$@"');
    expect(stdout).toBe('token print --for https://api.example');
  });

  test('runs nothing where keyhold has nothing to give, and ends as keyhold did', async () => {
    const { stdout, code } = await sh('push https://api.example echo pushed', 'exit 3');
    expect({ stdout, code }).toEqual({ stdout: '', code: 3 });
  });

  test('keeps the token out of arguments and out of the shell that called it', async () => {
    const { stdout } = await sh(
      'push https://api.example sh -c \'tr "\\0" " " </proc/$PPID/cmdline; cat >/dev/null\'; echo "[$token]"',
      'echo secret-EXAMPLE',
    );
    expect(stdout).not.toContain('secret-EXAMPLE');
    expect(stdout).toContain('[]');
  });
});

test('no command of the page takes a token as an argument', () => {
  const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text]) => text!).join('\n');
  expect(blocks).not.toMatch(/--(body|value|token|password|secret-string)[ =](?!file:)/);
});
