import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { secretFromText } from '../../protocol/secret.ts';
import { type ScriptedAgent, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { need } from '../need.ts';
import { runProgram } from './keyhold.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/building-on-keyhold.md'), 'utf8');
const hasGo = need('go', 'apt-get install golang-go');

/** `go run` would end with 1 whatever its program ends with. */
const BUILD_AND_RUN = 'go build -o "$0.program" "$0" && exec "$0.program" "$@"';

/** The one block of the page in that language. */
function block(language: string): string {
  const found = page.split(`\n\`\`\`${language}\n`);
  if (found.length !== 2) throw new Error(`docs/building-on-keyhold.md should have one block of ${language}`);
  return `${found[1]!.split('\n```')[0]!}\n`;
}

/** keyhold-helper from the source: what the build puts on PATH is tested with the thin client. */
function binFolder({ home }: ScriptedAgent): string {
  const bin = join(home, 'bin');
  mkdirSync(bin, { recursive: true });
  const helper = join(bin, 'keyhold-helper');
  writeFileSync(helper, `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'client/main.ts')}' "$@"\n`);
  chmodSync(helper, 0o755);
  return bin;
}

function write(agent: ScriptedAgent, name: string, text: string): string {
  const file = join(agent.home, name);
  writeFileSync(file, text);
  return file;
}

const languages: readonly [name: string, runs: boolean, command: (agent: ScriptedAgent) => string[]][] = [
  ['sh', true, (agent) => ['sh', write(agent, 'token.sh', block('sh'))]],
  ['python', true, (agent) => ['python3', write(agent, 'token.py', block('python'))]],
  ['go', hasGo, (agent) => ['sh', '-c', BUILD_AND_RUN, write(agent, 'token.go', block('go'))]],
  [
    'ts',
    true,
    (agent) => {
      const library = pathToFileURL(join(root, 'client/index.ts')).href;
      return [process.execPath, write(agent, 'token.ts', block('ts').replace(`'keyhold'`, `'${library}'`))];
    },
  ],
];

describe.each(languages.filter(([, runs]) => runs))('the %s program of building-on-keyhold', (_, __, command) => {
  test('prints the token', async () => {
    await using agent = await startScriptedAgent({
      get: () => ({
        status: 'ok',
        credential: { protocol: 'https', host: 'git.example', username: 'ada', secret: secretFromText('a=b-EXAMPLE') },
      }),
    });
    const [program, ...args] = command(agent);
    const ended = await runProgram(program!, [...args, 'git.example'], { ...agent, path: binFolder(agent) });
    expect({ ...ended, stdout: ended.stdout.trimEnd() }).toEqual({ code: 0, stdout: 'a=b-EXAMPLE', stderr: '' });
    expect(agent.asked[0]!.attributes).toMatchObject({ protocol: 'https', host: 'git.example' });
  });

  test('tells that the agent is locked by exit code 3 and its message', async () => {
    await using agent = await startScriptedAgent({ get: { status: 'locked', message: 'locked; run: keyhold unlock' } });
    const [program, ...args] = command(agent);
    const ended = await runProgram(program!, [...args, 'git.example'], { ...agent, path: binFolder(agent) });
    expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 3, stdout: '' });
    expect(ended.stderr).toContain('locked; run: keyhold unlock');
  });
});

describe('examples/fetch-token.ts', () => {
  const example = join(root, 'examples/fetch-token.ts');

  test('is shorter than 60 lines', () => {
    expect(readFileSync(example, 'utf8').split('\n').length).toBeLessThan(60);
  });

  test('prints the token of the user that it names', async () => {
    await using agent = await startScriptedAgent({
      get: () => ({
        status: 'ok',
        credential: { protocol: 'https', host: 'git.example', secret: secretFromText('token-EXAMPLE') },
      }),
    });
    const ended = await runProgram(process.execPath, [example, 'git.example', 'zoë'], agent);
    expect(ended).toEqual({ code: 0, stdout: 'token-EXAMPLE', stderr: '' });
    expect(agent.asked[0]!.attributes).toEqual({ protocol: 'https', host: 'git.example', username: 'zoë' });
  });

  test('says how to start an agent where none is running', async () => {
    await using agent = await startScriptedAgent();
    const ended = await runProgram(process.execPath, [example, 'git.example'], {
      ...agent,
      environment: { KEYHOLD_SOCKET: `${agent.home}/run/none.sock` },
    });
    expect(ended.code).toBe(10);
    expect(ended.stderr).toContain('run: keyhold start');
  });
});
