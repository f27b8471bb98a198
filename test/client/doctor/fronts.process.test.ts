import { describe, expect, it } from 'vitest';
import { ok, startScriptedAgent } from '../../fakes/scripted-agent.ts';
import { keyhold } from '../keyhold.ts';

const item = (id: string, host: string, fronts?: readonly string[]) =>
  ['item[]', { id, protocol: 'https', host, username: 'ada', storedAt: 2_000, fronts }] as const;
const use = (credential: string) => ['item[]', { number: 1, action: 'first-use', tool: 'docker', credential }] as const;

describe('keyhold doctor on what docker asked for', () => {
  it('prints the line that shares each token that docker was given and does not list, and no other', async () => {
    await using agent = await startScriptedAgent({
      status: ok([
        ['version', '9.9.9'],
        ['state', 'open'],
        ['backend', 'vault'],
      ]),
      list: ok([
        item('id-asked', 'registry.example'),
        item('id-unasked', 'git.example'),
        item('id-decided', 'ghcr.example', []),
        item('id-listed', 'hub.example', ['docker']),
      ]),
      'audit-list': ok([use('id-asked'), use('id-decided'), use('id-listed')]),
    });
    const { stdout } = await keyhold(['doctor', '--json'], agent);
    const findings = JSON.parse(stdout).findings.filter(({ check }: { check: string }) => check === 'front');
    expect(findings).toEqual([
      {
        check: 'front',
        state: 'note',
        what: 'docker asked for the token ada for https://registry.example and does not list it',
        remedy: "if it is docker's, run: keyhold token share id-asked --front docker",
      },
    ]);
  });
});
