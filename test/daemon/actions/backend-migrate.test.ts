import { expect, it } from 'vitest';
import type { Parts } from '../../../daemon/actions/parts.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import { answers } from '../../fakes/answers.ts';
import { FakeBackend } from '../../fakes/backend.ts';
import { Core, ours } from '../../fakes/core.ts';

it('a migrate names what stays where it was, and why', async () => {
  const before = new Core();
  for (const username of ['ada', 'bob']) await before.store({ username, password: `${username}-EXAMPLE` });
  const core = new Core({ backend: before.backend });
  await core.credentials.lifecycle.settled();
  core.backend.damaged.add('bob');
  core.backend.faults.set('remove', 'backend_failed');
  const next = Object.assign(new FakeBackend(), { name: 'keyring' as 'vault' });
  const recovery = {
    settleFirst: async () => {},
    steps: () => ({ begin() {}, commit() {}, keep() {}, end() {} }),
    over: undefined,
  };
  const backends = { survey: async () => [{ name: 'keyring', usable: true, what: '' }], open: async () => next };
  const attributes = new Attributes();
  attributes.add('name', 'keyring');
  const parts = { credentials: core.credentials, backends, recovery, emit() {} } as unknown as Partial<Parts>;
  const reply = await answers(parts)({ action: 'backend-migrate', capabilities: ours, attributes });
  const left = (reply.details ?? []).filter(([key]) => key === 'left[]').map(([, line]) => JSON.parse(line));
  expect(left).toMatchObject([
    { username: 'ada', host: 'example.com', why: 'not-removed' },
    { username: 'bob', host: 'example.com', why: 'not-carried' },
  ]);
  expect(reply.message).toBe('1 could not be removed where they were');
  expect(JSON.stringify(reply)).not.toContain('EXAMPLE');
});
