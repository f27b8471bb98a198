import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkKubectl } from '../../../client/doctor/kubectl.ts';
import { temporaryFolder } from '../../temporary.ts';

const user = (args: string[], more = '') =>
  `{name: keyhold-dev, user: {exec: {command: /home/ada/.local/bin/keyhold-helper, args: ${JSON.stringify(args)}${more}}}}`;
const config = (server: string, users: string) =>
  `clusters:\n- {name: lab, cluster: {server: "${server}"}}\ncontexts:\n- {name: my dev, context: {cluster: lab, user: keyhold-dev}}\n- {name: theirs, context: {cluster: lab, user: ada}}\nusers:\n- ${users}\n- {name: ada, user: {token: plain-EXAMPLE}}\n`;
const SAYS = ', provideClusterInfo: true';

describe('what the doctor says of a kubeconfig', () => {
  const said = async (text: string, environment: Record<string, string> = {}) => {
    const { path: home, remove } = temporaryFolder('kube');
    onTestFinished(remove);
    mkdirSync(join(home, '.kube'));
    writeFileSync(join(home, '.kube/config'), text);
    const findings = await checkKubectl({ HOME: home, ...environment });
    expect(JSON.stringify(findings)).not.toContain('EXAMPLE');
    return findings.map(({ state, what, remedy }) => `${state} ${what.replaceAll(home, '~')}; ${remedy}`);
  };
  const get = ['kubectl', 'get', 'https://k8s.example:6443'];

  it('is nothing where each context sends its token to the server that it is kept for, and says so', async () => {
    expect(await said(config('https://k8s.example:6443', user(get, SAYS)))).toEqual([]);
    const pinned = [...get, '--server', 'https://127.0.0.1:6443'];
    expect(await said(config('https://127.0.0.1:6443', user(pinned, SAYS)))).toEqual([]);
    expect(await said('')).toEqual([]);
    expect(await said('a: [')).toEqual([]);
    expect(await said(config('https://evil.example', user(get)), { KUBECONFIG: '/nonexistent' })).toEqual([]);
  });

  it('names both servers where a context asks another one', async () => {
    const remedy = "set the address back, or run: keyhold setup kubectl --context 'my dev'";
    const asks = 'mend the context my dev of ~/.kube/config asks https://evil.example, and its token is for';
    for (const more of ['', SAYS]) {
      expect(await said(config('https://evil.example', user(get, more)))).toEqual([
        `${asks} https://k8s.example:6443; ${remedy}`,
      ]);
    }
    expect(await said(config('https://evil.example', user([...get, '--server', 'https://127.0.0.1:6443'])))).toEqual([
      `${asks} https://127.0.0.1:6443; ${remedy}`,
    ]);
  });

  it('asks for a new setup where kubectl does not say which server it asks', async () => {
    expect(await said(config('https://k8s.example:6443', user(get)))).toEqual([
      "note the context my dev of ~/.kube/config does not say to which server it sends its token; run: keyhold setup kubectl --context 'my dev'",
    ]);
  });
});
