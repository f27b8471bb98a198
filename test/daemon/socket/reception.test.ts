import { describe, expect, it, onTestFinished } from 'vitest';
import type { Native } from '../../../daemon/native/native.ts';
import { listen } from '../../../daemon/socket/listen.ts';
import { Reception, type ReceptionParts } from '../../../daemon/socket/reception.ts';
import type { Handler } from '../../../protocol/handler.ts';
import { heapSecret } from '../../../protocol/secret.ts';
import { exchange, get, open, store } from '../../fakes/built-agent.ts';
import { Core, hasSettled } from '../../fakes/core.ts';
import { temporaryFolder } from '../../temporary.ts';

/** A reception in front of an agent whose backend is in the test's hand. */
async function aReception(parts: Partial<ReceptionParts> = {}) {
  const core = new Core();
  const { path: folder, remove } = temporaryFolder('reception');
  const path = `${folder}/agent.sock`;
  const handler: Handler = (request) => {
    if (request.action === 'get') return core.agent.get(request);
    return request.action === 'store' ? core.agent.store(request) : core.agent.erase(request);
  };
  const logged: string[] = [];
  const reception = new Reception({
    handlerFor: () => handler,
    keep: heapSecret,
    native: undefined,
    log: (event, fields) => logged.push(`${event} ${JSON.stringify(fields)}`),
    ...parts,
  });
  const listener = await listen(path, undefined, (handle) => reception.receive(handle));
  onTestFinished(async () => {
    await listener.close();
    await reception.drain(0);
    remove();
  });
  return { core, path, reception, logged };
}

describe('Reception', () => {
  it('answers a store that a slow backend is still writing when it drains', async () => {
    const { core, path, reception } = await aReception();
    const release = core.backend.hold('put');
    const stored = exchange(path, store('a.test', 'pass-EXAMPLE'));
    await expect.poll(() => core.backend.calls.put).toBe(1);
    const drained = reception.drain(5_000);
    expect(await hasSettled(drained)).toBe(false);
    release();
    expect(await stored).toBe('status=ok\n');
    await drained;
    expect(reception.connections).toBe(0);
  });

  it('gives who has just connected a moment to ask, and closes who stays silent', async () => {
    const { path, reception } = await aReception();
    const silent = await open(path);
    const talking = await open(path);
    let heard = '';
    talking.setEncoding('utf8').on('data', (text) => {
      heard += text;
    });
    await expect.poll(() => reception.connections).toBe(2);
    const drained = reception.drain(5_000);
    talking.write(`${get('a.test').join('\n')}\n\n`);
    await drained;
    await expect.poll(() => heard).toContain('status=not-found');
    silent.destroy();
  });

  it('ends by force what does not come to its end', async () => {
    const { core, path, reception } = await aReception();
    const release = core.backend.hold('put');
    const stored = exchange(path, store('a.test', 'pass-EXAMPLE'));
    await expect.poll(() => core.backend.calls.put).toBe(1);
    await reception.drain(50);
    expect(reception.connections).toBe(0);
    expect(await stored.catch(() => '')).toBe('');
    release();
    // Nobody heard it, and it is kept all the same.
    await expect.poll(async () => (await core.backend.list()).length).toBe(1);
  });

  it('refuses whoever is not its owner, by the kernel’s word', async () => {
    const peer = { uid: process.getuid!() + 1, gid: 0, pid: 17 };
    const native = { peer: () => peer } as unknown as Native;
    const { path, reception, logged } = await aReception({ native });
    expect(await exchange(path, get('a.test'))).toMatch(/^status=denied\nmessage=cannot serve uid \d+: this agent/);
    expect(logged).toEqual([`refused {"uid":${peer.uid},"pid":17}`]);
    expect(reception.connections).toBe(0);
  });

  it('refuses whom the kernel does not name', async () => {
    const native = {
      peer() {
        throw new Error('no peer');
      },
    } as unknown as Native;
    const { path } = await aReception({ native });
    expect(await exchange(path, get('a.test'))).toMatch(/^status=denied\n/);
  });

  it('turns away who comes when all are busy, and closes the longest idle one to make room', async () => {
    const { path, reception } = await aReception({ connectionsMax: 2 });
    const first = await open(path);
    const second = await open(path);
    await expect.poll(() => reception.connections).toBe(2);
    expect(await exchange(path, get('a.test'))).toMatch(/^status=unavailable\nmessage=too many connections/);
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    let closed = false;
    first.on('close', () => {
      closed = true;
    });
    first.on('end', () => first.destroy());
    first.resume();
    expect(await exchange(path, get('a.test'))).toContain('status=not-found');
    await expect.poll(() => closed).toBe(true);
    expect(second.destroyed).toBe(false);
    second.destroy();
  });
});
