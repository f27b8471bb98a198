import { expect, it } from 'vitest';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { aRequest, Core } from '../../fakes/core.ts';
import { builtIn } from '../../protocol/services/manifests.ts';

const core = (services = builtIn) => new Core({ services });
const kept = { username: undefined, password: 'token-EXAMPLE' };
const byGit = { tool: 'git' };

/** What git is told of the username beside a token without one. */
const gitUsername = async (agent: Core, fields: Parameters<typeof aRequest>[1]) => {
  const reply = await agent.agent.get(aRequest('get', fields), agentItself);
  return reply.status === 'ok' ? reply.gitUsername : reply.status;
};

it.each([
  ['github.com', {}, 'x-access-token'],
  ['gitlab.com', {}, 'oauth2'],
  ['bitbucket.org', {}, 'x-token-auth'],
  ['bitbucket.org', { kind: 'api-token' }, 'x-bitbucket-api-token-auth'],
  // A server of one's own, whose service was named when the token was kept.
  ['git.example', { service: 'gitlab' }, 'oauth2'],
  ['git.example', {}, undefined],
])('%s with %j: git sends a token without a username as %s', async (host, about, username) => {
  const agent = core();
  await agent.store({ ...kept, host, about });
  expect(await gitUsername(agent, { host, ...byGit })).toBe(username);
  expect(await gitUsername(agent, { host, tool: 'docker' })).toBeUndefined();
});

it('a token with a username goes to git with that', async () => {
  const agent = core();
  await agent.store({ host: 'gitlab.com', username: 'ada' });
  expect(await gitUsername(agent, { host: 'gitlab.com', ...byGit })).toBeUndefined();
  expect(await agent.get({ host: 'gitlab.com', ...byGit })).toBe('ada pass-EXAMPLE');
});

it("what git stores after a success, with the service's username or as Bearer, is what is held already", async () => {
  const agent = core();
  await agent.store({ ...kept, host: 'gitlab.com' });
  await agent.store({ ...kept, host: 'gitlab.com', username: 'oauth2', ...byGit });
  await agent.store({ ...kept, host: 'gitlab.com', authtype: 'Bearer', ...byGit });
  const held = [...agent.credentials.entries.all()].map(({ username, authtype }) => ({ username, authtype }));
  expect(held).toEqual([{ username: undefined, authtype: undefined }]);
});

it('another value that git stores under that username is kept beside it', async () => {
  const agent = core();
  await agent.store({ ...kept, host: 'gitlab.com' });
  await agent.store({ host: 'gitlab.com', username: 'oauth2', password: 'other-EXAMPLE', ...byGit });
  await agent.store({ host: 'gitlab.com', username: 'ada', password: 'token-EXAMPLE', ...byGit });
  expect([...agent.credentials.entries.all()].map(({ username }) => username).sort()).toEqual([
    'ada',
    'oauth2',
    undefined,
  ]);
});

it('what git erases after a refusal, in either form, is found by its value and no other is', async () => {
  for (const form of [{ username: 'oauth2' }, { authtype: 'Bearer' }]) {
    const agent = core();
    await agent.store({ ...kept, host: 'gitlab.com' });
    expect(await agent.erase({ host: 'gitlab.com', ...form, password: 'other-EXAMPLE', ...byGit })).toBe('not-found');
    expect(await agent.erase({ host: 'gitlab.com', ...form, password: 'token-EXAMPLE', ...byGit })).toBe('ok');
    expect(await agent.get({ host: 'gitlab.com' })).toBe('not-found');
  }
});
