import { spawn } from 'node:child_process';
import { lstatSync, realpathSync, statSync } from 'node:fs';
import type { Places } from '../protocol/places.ts';
import { isOwn } from './locate.ts';

/**
 * Starts the agent that STATE/autostart points to, detached from us; `install` writes that link. Answers false, and does
 * nothing, if KEYHOLD_NO_AUTOSTART=1, if there is no such link, or if anybody but us or root could have put it there or
 * could change what it points to. Several may start one at once: the agent itself sees to it that one stays.
 */
export function startAgent(places: Places, environment: NodeJS.ProcessEnv = process.env): boolean {
  if (environment.KEYHOLD_NO_AUTOSTART === '1') return false;
  const program = agentProgram(places);
  if (program === undefined) return false;
  const child = spawn(program, [], { cwd: '/', detached: true, stdio: 'ignore', env: environment });
  child.on('error', () => {
    // The connection that is tried afterwards says that no agent answers.
  });
  child.unref();
  return true;
}

/** The agent's executable by STATE/autostart; undefined if there is none that can be trusted. */
export function agentProgram(places: Places): string | undefined {
  const link = `${places.state}/autostart`;
  try {
    const uid = process.getuid!();
    const stands = lstatSync(link);
    if (!isOwn(places.state) || !stands.isSymbolicLink() || stands.uid !== uid) return undefined;
    const program = realpathSync(link);
    const stats = statSync(program);
    const trusted = stats.isFile() && (stats.uid === uid || stats.uid === 0) && (stats.mode & 0o022) === 0;
    return trusted ? program : undefined;
  } catch {
    return undefined;
  }
}
