import { describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { ok, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { emptyHome, keyhold } from './keyhold.ts';

const facts = [
  ['version', packageJson.version],
  ['pid', '4711'],
  ['state', 'open'],
  ['backend', 'vault'],
  ['durable', 'true'],
  ['held', '3'],
  ['unlocked', '1'],
  ['started_at', '1767225600'],
  ['connections', '1'],
  ['memory', 'locked'],
  ['identity', 'kernel'],
  ['admin', 'up'],
] as const;
const keyBeside = {
  code: 'key-beside-vault',
  what: 'the key lies beside the vault, so whoever copies the folder can read it \u001b[31mall\u001b[0m',
  remedy: 'run: keyhold backend passphrase',
};

describe('keyhold status', () => {
  test('shows the agent to people in lines of at most 80 columns, with foreign text made harmless', async () => {
    await using agent = await startScriptedAgent({ status: ok([...facts, ['degraded[]', keyBeside]]) });
    const { code, stdout, stderr } = await keyhold(['status'], agent);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^state +open$/m);
    expect(stdout).toMatch(/^held +3 \(1 unlocked in memory\)$/m);
    expect(stdout).toContain('since 2026-01-01 00:00');
    expect(stdout).toMatch(/^admin +up, on admin\.sock$/m);
    expect(stdout).toContain('degraded: the key lies beside the vault');
    expect(stdout).toContain('\\u{1b}[31mall');
    expect(stdout).not.toContain('\u001b');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('prints one JSON document', async () => {
    await using agent = await startScriptedAgent({ status: ok([...facts, ['degraded[]', keyBeside]]) });
    const { code, stdout } = await keyhold(['status', '--json'], agent);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      client: packageJson.version,
      version: packageJson.version,
      pid: 4711,
      held: 3,
      durable: true,
      degraded: [keyBeside],
    });
  });

  test('does not call it empty while it cannot tell what is held', async () => {
    const known = new Map<string, string>(facts);
    known.set('state', 'failed').set('backend', 'none').set('durable', 'false').set('held', '0');
    await using agent = await startScriptedAgent({ status: ok([...known]) });
    const { stdout } = await keyhold(['status'], agent);
    expect(stdout).toMatch(/^backend +none$/m);
    expect(stdout).toMatch(/^held +not known until it serves again$/m);
  });

  test('says when the agent is of another version', async () => {
    await using agent = await startScriptedAgent({ status: ok([['version', '0.0.1'], ...facts.slice(1)]) });
    const { stdout } = await keyhold(['status'], agent);
    expect(stdout).toContain('the agent 0.0.1; run: keyhold restart');
  });

  test('without an agent ends with 10 and says how to start one', async () => {
    const home = emptyHome();
    const { code, stdout, stderr } = await keyhold(['status'], { home });
    expect({ code, stdout }).toEqual({ code: 10, stdout: '' });
    expect(stderr).toBe('keyhold: cannot reach the agent: none is running; run: keyhold start\n');
    const asJson = await keyhold(['status', '--json'], { home });
    expect(asJson.code).toBe(10);
    expect(asJson.stdout).toBe(
      '{"error":{"exitCode":10,"message":"cannot reach the agent: none is running; run: keyhold start"}}\n',
    );
  });

  test('colours where it is asked to, and not with NO_COLOR', async () => {
    await using agent = await startScriptedAgent({ status: ok(facts) });
    const plain = await keyhold(['status'], { ...agent, environment: { NO_COLOR: '1' } });
    expect(plain.stdout).not.toContain('\u001b');
  });
});

describe('keyhold --version', () => {
  test('names the client and the running agent', async () => {
    await using agent = await startScriptedAgent();
    expect((await keyhold(['--version'], agent)).stdout).toBe(`keyhold ${packageJson.version}\nagent 9.9.9\n`);
  });

  test('starts no agent to name it', async () => {
    const { code, stdout } = await keyhold(['--version'], { home: emptyHome() });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `keyhold ${packageJson.version}\nagent not running\n` });
  });
});
