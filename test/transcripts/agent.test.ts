import { describe, expect, it } from 'vitest';
import { Agent } from '../../daemon/agent.ts';
import { openMemory } from '../../daemon/backends/memory.ts';
import type { Log } from '../../daemon/log.ts';
import type { Handler } from '../../protocol/handler.ts';
import { heapSecret } from '../../protocol/secret.ts';
import { FakeClock } from '../fakes/clock.ts';
import { needsDenial, play, type Stage, scenes } from './play.ts';
import { inProcess } from './wires.ts';

const quiet: Log = () => {};

/** The stage with the real agent on it: what is played against the fake store must go the same way here. */
function openStage(): Stage {
  const clock = new FakeClock();
  let marked = false;
  const agent = new Agent({
    keep: heapSecret,
    clock,
    log: quiet,
    lockMark: {
      isSet: () => marked,
      set: () => {
        marked = true;
      },
      clear: () => {
        marked = false;
      },
    },
    onRest: () => {},
  });
  void agent.open(async () => {
    const memory = await openMemory({ keep: heapSecret });
    // What the transcripts lock they expect to find again.
    return { ...memory, lock: () => {} };
  });
  const handler: Handler = async (request) => {
    switch (request.action) {
      case 'get': {
        // The seal of a state is new with every agent; test/daemon/agent.test.ts looks at it.
        const reply = await agent.get(request);
        return reply.status === 'ok' ? { ...reply, state: undefined } : reply;
      }
      case 'store':
        return agent.store(request);
      case 'erase':
        return agent.erase(request);
      case 'capability':
        return { status: 'ok', details: [['capability[]', 'keyhold']] };
      case 'lock':
        await agent.lock();
        return { status: 'ok' };
      case 'unlock':
        await agent.unlock({ mayPrompt: false });
        return { status: 'ok' };
      default:
        return { status: 'unsupported', message: 'this action is not offered here' };
    }
  };
  return { handler, clock };
}

describe('the transcripts, with the agent', () => {
  it.each(
    scenes()
      .filter((scene) => !needsDenial(scene))
      .map((scene) => [scene.file, scene.title, scene] as const),
  )('%s: %s', async (_file, _title, scene) => {
    expect((await play(scene, openStage(), inProcess())).join('\n')).toBe(scene.lines.join('\n'));
  });
});
