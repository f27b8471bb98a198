import { describe, expect, it } from 'vitest';
import { Attributes } from '../../../protocol/attributes.ts';
import { secretFromText } from '../../../protocol/secret.ts';
import { causeOf } from '../../../protocol/services/index.ts';
import { ours } from '../../fakes/core.ts';
import { builtIn } from '../../fakes/services/scripted.ts';
import { RotationRig } from './rotation-rig.ts';

const place = { protocol: 'https', host: 'api.apkg.ai', kind: 'ci' };

async function asked(rig: RotationRig, password: string) {
  const attributes = new Attributes();
  for (const [key, value] of Object.entries(place)) attributes.add(key, value);
  attributes.add('password', secretFromText(password));
  return rig.handler({ action: 'verify', capabilities: ours, attributes });
}

describe('a token that is not held yet', () => {
  it('is asked about and not kept, whatever the service says', async () => {
    const rig = new RotationRig();
    await rig.hold('held');
    const { value } = rig.service.add('fresh');
    expect(await asked(rig, value)).toMatchObject({ status: 'ok', details: [['item[]', expect.any(String)]] });
    expect((await asked(rig, 'apkg_unknown-EXAMPLE'))?.status).not.toBe('ok');
    expect([...rig.core.credentials.entries.all()].map(({ about }) => about?.label)).toEqual(['held']);
    expect(rig.service.asked).toEqual(['whoami', 'whoami']);
  });

  it.each([
    [401, 'interaction-required'],
    [403, 'ok'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('is refused for certain by nothing but a refusal: %i is %s', async (status, expected) => {
    const rig = new RotationRig();
    const cause = causeOf(builtIn.find(({ id }) => id === 'apkg')!, { operation: 'whoami', status });
    rig.service.around = async () => ({ status, read: {}, cause });
    expect(await asked(rig, 'apkg_EXAMPLE')).toMatchObject({ status: expected });
  });
});

describe('a new token whose name is taken', () => {
  const wish = (label: string) => ({ protocol: 'https', host: 'api.apkg.ai', label });

  it('is not asked for: the value that is held would be gone here and alive there', async () => {
    const rig = new RotationRig();
    await rig.hold('login', { kind: 'session', made: 'login' });
    expect(await rig.ask('create', wish('staging-web'))).toMatchObject({ status: 'ok' });
    const first = await rig.get('staging-web');
    const calls = rig.service.asked.length;
    for (const more of [{}, { check: '1' }]) {
      const again = await rig.ask('create', { ...wish('staging-web'), ...more });
      expect(again).toMatchObject({ status: 'bad-request', message: expect.stringContaining('keyhold token rotate ') });
    }
    expect(rig.service.asked.slice(calls)).not.toContain('create');
    expect(await rig.get('staging-web')).toBe(first);
  });

  it("is not asked for either where the name is an account's", async () => {
    const rig = new RotationRig();
    await rig.core.store({ host: 'api.apkg.ai', username: 'ada', made: 'login', about: { kind: 'session' } });
    const refused = await rig.ask('create', wish('ada'));
    expect(refused).toMatchObject({ status: 'bad-request', message: expect.stringContaining('choose another name') });
    expect(rig.service.asked).not.toContain('create');
  });

  it('takes the place of one that has expired', async () => {
    const rig = new RotationRig();
    await rig.hold('login', { kind: 'session', made: 'login' });
    await rig.hold('staging-web', { life: 60, made: 'created' });
    rig.core.clock.advance(61);
    expect(await rig.ask('create', wish('staging-web'))).toMatchObject({ status: 'ok' });
  });
});
