import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { loadNative } from '../../../daemon/native/load.ts';
import type { Native } from '../../../daemon/native/native.ts';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { listen } from '../../../daemon/socket/listen.ts';
import { Reception, type ReceptionParts } from '../../../daemon/socket/reception.ts';
import type { Handler } from '../../../protocol/handler.ts';
import { heapSecret } from '../../../protocol/secret.ts';
import { exchange, get, open, store } from '../../fakes/built-agent.ts';
import { Core, hasSettled } from '../../fakes/core.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';

/** The built addon, or only the question who connected. */
const isDirect = (native: Native | undefined): native is Native => native !== undefined && 'take' in native;

/** How connections come: as node's streams, or where there is the addon as bare descriptors. */
const forms: readonly (readonly [string, Native | undefined])[] = [
  ['streams', undefined],
  ...(need('cc', 'apt-get install gcc libc6-dev') ? [['descriptors', loadNative()] as const] : []),
];

/** A reception in front of an agent whose backend is in the test's hand. */
async function aReception(parts: Partial<ReceptionParts> = {}) {
  const core = new Core();
  const { path: folder, remove } = temporaryFolder('reception');
  const path = `${folder}/agent.sock`;
  const handler: Handler = (request) => {
    if (request.action === 'get') return core.agent.get(request, agentItself);
    return request.action === 'store' ? core.agent.store(request, agentItself) : core.agent.erase(request, agentItself);
  };
  const logged: string[] = [];
  const reception = new Reception({
    handlerFor: () => handler,
    keep: heapSecret,
    native: undefined,
    emit: ({ kind, ...fields }) => logged.push(`${kind} ${JSON.stringify(fields)}`),
    ...parts,
  });
  const direct = isDirect(parts.native) ? reception.direct(parts.native) : undefined;
  const listener = await listen(path, undefined, (handle) => reception.receive(handle), direct);
  onTestFinished(async () => {
    await listener.close();
    await reception.drain(0);
    remove();
  });
  return { core, path, reception, logged };
}

describe.each(forms)('Reception of %s', (_, native) => {
  it('is what its name says', () => {
    expect(isDirect(native)).toBe(_ === 'descriptors');
  });

  it('gives a request that ended with the close of its caller as long as its answer takes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { core, path } = await aReception({ native });
    const release = core.backend.hold('put');
    const stored = exchange(path, store('a.test', 'pass-EXAMPLE'));
    await expect.poll(() => core.backend.calls.put).toBe(1);
    // Past the time in which a request must arrive, which it has.
    vi.advanceTimersByTime(8_000);
    release();
    expect(await stored).toBe('status=ok\n');
  });

  it('answers a store that a slow backend is still writing when it drains', async () => {
    const { core, path, reception } = await aReception({ native });
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
    const { path, reception } = await aReception({ native });
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
    const { core, path, reception } = await aReception({ native });
    const release = core.backend.hold('put');
    const stored = exchange(path, store('a.test', 'pass-EXAMPLE'));
    await expect.poll(() => core.backend.calls.put).toBe(1);
    await reception.drain(50);
    expect(reception.connections).toBe(0);
    expect(await stored.catch(() => '')).toBe('');
    release();
    // Nobody heard it, and it is kept all the same.
    await expect.poll(async () => (await core.backend.list()).some(({ host }) => host === 'a.test')).toBe(true);
  });

  it('closes on who leaves an answer unread for half a minute', async () => {
    const { path, reception } = await aReception({ native });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const turns = async (count: number) => {
      for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
    };
    const socket = await open(path);
    socket.on('error', () => {});
    socket.pause();
    // Refused each, at length: more than the kernel keeps for a reader that takes nothing.
    socket.write('action=get\ncapability[]=keyhold\n\n'.repeat(40_000));
    await turns(2_000);
    vi.advanceTimersByTime(29_000);
    await turns(20);
    expect(reception.connections).toBe(1);
    vi.advanceTimersByTime(1_001);
    await turns(20);
    expect(reception.connections).toBe(0);
    socket.destroy();
  });

  it('refuses whoever is not its owner, by the kernel’s word', async () => {
    const stranger = process.getuid!() + 1;
    const peer = (_: number, into: Uint32Array) => into.set([stranger, 0, 17]);
    const take: Native['take'] = (listening, numbers, onConnection, onTaken) => {
      const asStranger = (fd: number) => {
        peer(fd, numbers);
        onConnection(fd);
      };
      return native!.take(listening, numbers, asStranger, onTaken);
    };
    const itsOwn = { ...native, peer, ...(native ? { take } : {}) } as Native;
    const { path, reception, logged } = await aReception({ native: itsOwn });
    expect(await exchange(path, get('a.test'))).toMatch(/^status=denied\nmessage=cannot serve uid \d+: this agent/);
    expect(logged).toEqual([`refused {"uid":${stranger},"pid":17}`]);
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
    const { path, reception } = await aReception({ native, connectionsMax: 2 });
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
