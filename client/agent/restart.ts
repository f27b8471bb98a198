import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { agentProgram } from '../autostart.ts';
import { ownSessionBus, requestOf } from '../cli/agent.ts';
import { dial } from '../dial.ts';
import type { Ground } from '../install/ground.ts';
import { findServiceManager } from '../setup/service-manager.ts';
import { isManaged, SERVICE_UNIT } from '../setup/systemd.ts';
import { memoryOnlyNames, presenceOn, type Running } from './presence.ts';
import { startAgent } from './start.ts';
import { longer, stopAgent } from './stop.ts';
import { until } from './until.ts';

/** Milliseconds that an agent may take to answer what it has begun and to leave its socket to the next one. */
const DEADLINE = 30_000;

export type Restarted = {
  readonly agent: Running;
  /** Credentials that were in memory only and are gone. */
  readonly gone: readonly string[];
};

/**
 * Ends the agent, if one runs, and starts `program` anew. No request is lost where the socket stays open meanwhile: under
 * a service manager, and where the running agent hands it on (ADR 0006). Else a client that comes in between starts the
 * new agent itself, if it may.
 */
export async function restartAgent(ground: Ground, program: string): Promise<Restarted> {
  const gone = await memoryOnlyNames(ground);
  const manager = isManaged(ground) ? findServiceManager(ground) : undefined;
  if (manager) {
    // Restarts that a person asks for do not count as failures.
    manager.ask('reset-failed', SERVICE_UNIT);
    manager.call('restart', SERVICE_UNIT);
  } else if (!(await hasHandedOn(ground, program))) await stopAgent(ground);
  const { agent } = await startAgent(ground, program);
  return { agent, gone };
}

/** Asks the running agent to hand its socket on to `program`. False if none runs, if it cannot, or if nobody took it. */
async function hasHandedOn(ground: Ground, program: string): Promise<boolean> {
  const before = await presenceOn(ground);
  if (before.kind !== 'running' || !isSame(successorOf(ground, before), program)) return false;
  using agent = await dial({ socket: ground.places.agentSocket });
  // An agent from before this action says that it is unsupported.
  const reply = await agent(requestOf('restart', { attributes: ownSessionBus() }));
  if (reply.status !== 'ok') return false;
  return await until(async () => {
    const now = await presenceOn(ground);
    return now.kind === 'running' && now.pid !== before.pid;
  }, DEADLINE + longer(reply));
}

/** What a running agent would start: what `install` points to, else the launcher beside its own bundle. */
function successorOf({ places }: Ground, { program }: Running): string | undefined {
  return agentProgram(places) ?? (program && join(dirname(program), '../bin/keyhold-agent'));
}

function isSame(one: string | undefined, other: string): boolean {
  try {
    return one !== undefined && realpathSync(one) === realpathSync(other);
  } catch {
    return false;
  }
}
