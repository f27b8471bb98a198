import { statSync } from 'node:fs';
import { join } from 'node:path';

/** The variables that say where the person's session is. */
export type SessionEnvironment = Readonly<Record<string, string | undefined>>;

/** What the child needs for every operation, and what a prompt may need to find the person's display. */
const ALWAYS = ['HOME', 'XDG_RUNTIME_DIR'] as const;
const FOR_PROMPTS = ['DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY', 'XDG_CURRENT_DESKTOP'] as const;

/**
 * The address of the session bus: the one that is set, else the socket in the runtime folder; undefined when neither
 * is there. It takes one look at the file system and asks nobody.
 */
export function sessionBus(env: SessionEnvironment): string | undefined {
  if (env.DBUS_SESSION_BUS_ADDRESS) return env.DBUS_SESSION_BUS_ADDRESS;
  if (!env.XDG_RUNTIME_DIR) return undefined;
  const path = join(env.XDG_RUNTIME_DIR, 'bus');
  return isSocket(path) ? `unix:path=${path.split('/').map(encodeURIComponent).join('/')}` : undefined;
}

function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket();
  } catch {
    return false;
  }
}

/** The child's whole environment: nothing in it steers node or the loader. */
export function childEnvironment(env: SessionEnvironment, bus: string, mayPrompt: boolean): Record<string, string> {
  const chosen: Record<string, string> = { DBUS_SESSION_BUS_ADDRESS: bus };
  for (const name of mayPrompt ? [...ALWAYS, ...FOR_PROMPTS] : ALWAYS) {
    const value = env[name];
    if (value !== undefined) chosen[name] = value;
  }
  return chosen;
}
