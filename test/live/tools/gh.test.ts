import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAuthority } from '../../fakes/certificates.ts';
import { need } from '../../need.ts';
import { type TemporaryFolder, temporaryFolder } from '../../temporary.ts';
import { aWiredPerson, type Wired } from './wired.ts';

const gh = need('gh', 'apt-get install gh') && need('openssl', 'apt-get install openssl');

/** As much of GitHub Enterprise Server's REST API as `gh api user` asks for (docs.github.com, "Get the authenticated user"). */
async function startGitHub(certificate: { cert: string; key: string }) {
  const heard: { path: string | undefined; authorization: string | undefined }[] = [];
  const server = createServer(certificate, ({ url, headers }, response) => {
    heard.push({ path: url, authorization: headers.authorization });
    const isGood = headers.authorization === 'token ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaEXAMPLE';
    const body = isGood ? { login: 'ada', id: 1 } : { message: 'Bad credentials' };
    response.writeHead(isGood ? 200 : 401, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    heard,
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe.skipIf(!gh)('real gh, by what exec gives it', () => {
  let folder: TemporaryFolder;
  let github: Awaited<ReturnType<typeof startGitHub>>;
  let person: Wired;

  beforeAll(async () => {
    folder = temporaryFolder('gh');
    const authority = openAuthority(folder.path);
    github = await startGitHub(authority.issue('IP:127.0.0.1'));
    person = await aWiredPerson({ SSL_CERT_FILE: authority.file, GH_NO_UPDATE_NOTIFIER: '1' });
  });
  afterAll(async () => {
    await person[Symbol.asyncDispose]();
    await github[Symbol.asyncDispose]();
    folder.remove();
  });

  it('asks the server of the profile with the token that is held for it', async () => {
    const url = `https://${github.host}`;
    await person.keep({ protocol: 'https', host: github.host, password: 'ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaEXAMPLE' });
    await person.keyhold(['profile', 'set', 'endpoint.github-enterprise', url, '--profile', 'corp']);
    const words = ['exec', '--profile', 'corp', '--service', 'github-enterprise', '--', 'gh', 'api', 'user'];
    const ran = await person.keyhold(words, { expect: 'any' });
    expect(ran, ran.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('"login":"ada"') });
    expect(github.heard).toEqual([
      { path: '/api/v3/user', authorization: 'token ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaEXAMPLE' },
    ]);
  });

  it('finds the token for github.com, and for a tenant of ghe.com, with a host and no URL', async () => {
    await person.keep({ protocol: 'https', host: 'github.com', password: 'ghp_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbEXAMPLE' });
    await person.keep({
      protocol: 'https',
      host: 'acme.ghe.com',
      password: 'ghp_cccccccccccccccccccccccccccccEXAMPLE',
    });
    await person.keyhold(['profile', 'set', 'endpoint.github', 'https://acme.ghe.com', '--profile', 'tenant']);
    const status = async (...words: string[]) => {
      const show = ['sh', '-c', 'echo "$GH_HOST $GH_TOKEN"'];
      return (await person.keyhold(['exec', ...words, '--service', 'github', '--', ...show])).stdout;
    };
    expect(await status()).toBe('github.com ghp_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbEXAMPLE\n');
    expect(await status('--profile', 'tenant')).toBe('acme.ghe.com ghp_cccccccccccccccccccccccccccccEXAMPLE\n');
    const token = ['exec', '--service', 'github', '--', 'gh', 'auth', 'token'];
    expect((await person.keyhold(token)).stdout).toBe('ghp_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbEXAMPLE\n');
  });
});
