import { describe, expect, it } from 'vitest';
import { SAME_MAX } from '../../../daemon/actions/same.ts';
import { answers } from '../../fakes/answers.ts';
import { aRequest, Core } from '../../fakes/core.ts';

/** What `same` answers: `true of 2`, or its status. */
async function asked(core: Core, fields: Parameters<typeof aRequest>[1]): Promise<string> {
  const reply = await answers({ credentials: core.credentials })(aRequest('same', fields));
  if (reply.status !== 'ok') return reply.status;
  const details = Object.fromEntries(reply.details ?? []);
  return `${details['same']} of ${details['compared']}`;
}

describe('same', () => {
  it('reads what is not in memory, and leaves it where it rests', async () => {
    const core = new Core();
    await core.store({ password: 'one-EXAMPLE' });
    core.clock.advance(9 * 3_600);
    const [entry] = core.credentials.entries.findAll({ protocol: 'https', host: 'example.com' });
    expect(core.credentials.leases.left(entry!)).toBeUndefined();
    const before = core.backend.calls.get;
    expect(await asked(core, { password: 'one-EXAMPLE' })).toBe('true of 1');
    expect(await asked(core, { password: 'two-EXAMPLE' })).toBe('false of 1');
    expect(core.backend.calls.get).toBe(before + 2);
    expect(core.credentials.leases.left(entry!)).toBeUndefined();
  });

  it('extends no lease of what is in memory', async () => {
    const core = new Core();
    await core.store({ password: 'one-EXAMPLE' });
    const [entry] = core.credentials.entries.findAll({ protocol: 'https', host: 'example.com' });
    core.clock.advance(600);
    const left = core.credentials.leases.left(entry!);
    expect(await asked(core, { password: 'one-EXAMPLE' })).toBe('true of 1');
    expect(core.credentials.leases.left(entry!)).toBe(left);
  });

  it('names to the audit log only what it said yes to', async () => {
    const core = new Core();
    await core.store({ password: 'one-EXAMPLE' });
    const ids = async (password: string) => {
      const reply = await answers({ credentials: core.credentials })(aRequest('same', { password }));
      return reply.status === 'ok' && !reply.isUnrecorded ? reply.ids : undefined;
    };
    expect(await ids('one-EXAMPLE')).toHaveLength(1);
    expect(await ids('two-EXAMPLE')).toBeUndefined();
  });

  it('compares with no more than its bound, the newest first', async () => {
    const core = new Core();
    for (let at = 0; at <= SAME_MAX; at++) await core.store({ username: `u${at}`, password: `${at}-EXAMPLE` });
    expect(await asked(core, { password: '0-EXAMPLE' })).toBe(`false of ${SAME_MAX}`);
    expect(await asked(core, { username: 'u0', password: '0-EXAMPLE' })).toBe('true of 1');
    expect(await asked(core, { password: `${SAME_MAX}-EXAMPLE` })).toBe(`true of ${SAME_MAX}`);
  });

  it('is refused wherever a get is', async () => {
    const core = new Core();
    await core.store({ password: 'one-EXAMPLE' });
    await core.credentials.lifecycle.lock();
    expect(await asked(core, { password: 'one-EXAMPLE' })).toBe('locked');
  });

  it('tells a backend that does not answer for what it is', async () => {
    const core = new Core();
    await core.store({ password: 'one-EXAMPLE' });
    core.clock.advance(9 * 3_600);
    core.backend.faults.set('get', 'deadline');
    await expect(asked(core, { password: 'one-EXAMPLE' })).rejects.toMatchObject({ code: 'deadline' });
  });
});
