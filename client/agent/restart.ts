import type { Ground } from '../install/ground.ts';
import { findServiceManager } from '../setup/service-manager.ts';
import { isManaged, SERVICE_UNIT } from '../setup/systemd.ts';
import { memoryOnlyNames, type Running } from './presence.ts';
import { startAgent } from './start.ts';
import { stopAgent } from './stop.ts';

export type Restarted = {
  readonly agent: Running;
  /** Credentials that were in memory only and are gone. */
  readonly gone: readonly string[];
};

/**
 * Ends the agent, if one runs, and starts it anew. Under a service manager the socket stays open meanwhile, so that no
 * request is lost; without one a client that comes in between starts the new agent itself.
 */
export async function restartAgent(ground: Ground, program: string): Promise<Restarted> {
  const gone = await memoryOnlyNames(ground);
  const manager = isManaged(ground) ? findServiceManager(ground) : undefined;
  if (manager) {
    // Restarts that a person asks for do not count as failures.
    manager.ask('reset-failed', SERVICE_UNIT);
    manager.call('restart', SERVICE_UNIT);
  } else await stopAgent(ground);
  const { agent } = await startAgent(ground, program);
  return { agent, gone };
}
