import { setTimeout as sleep } from 'node:timers/promises';
import type { Measured } from '../figures.ts';
import { token } from '../fixture.ts';
import { type Rig, residentMemory } from '../rig.ts';

const GETS = 30_000;
/** Milliseconds after which an agent that was just filled, or just started, counts as idle. */
const SETTLE = 3_000;
const MINUTE = 60_000;

/**
 * The agent's resident memory: idle, with ten credentials in a vault; after 30,000 gets, holding 10,000; a minute later.
 * That minute may pass beside other measurements. `request` is the file with what a thin client sends.
 */
export async function measureMemory(
  rig: Rig,
  request: string,
): Promise<{ afterAMinute: () => Promise<Map<string, Measured>> }> {
  const results = new Map<string, Measured>();
  const tell = async (id: string, pid: number, note: string) => {
    results.set(id, { value: await residentMemory(pid), note });
  };
  const ask = ['-q', request, '-H', '-e', token];
  const idle = await rig.agent('idle', 'vault', 10);
  const held = await rig.agent('held', 'memory', 10_000);
  await rig.load(idle, [...ask, '-n', '1']);
  await sleep(SETTLE);
  await tell('memory/idle', idle.pid, `a vault of ten, one get, then ${SETTLE / 1_000} s of rest`);
  await idle.stop();
  await rig.load(held, [...ask, '-n', String(GETS)]);
  await tell('memory/load', held.pid, '32 clients, a connection each');
  const due = Date.now() + (rig.quick ? SETTLE : MINUTE);
  return {
    async afterAMinute() {
      await sleep(Math.max(due - Date.now(), 0));
      await tell('memory/minute', held.pid, rig.quick ? 'a few seconds instead of a minute' : 'idle meanwhile');
      await held.stop();
      return results;
    },
  };
}
