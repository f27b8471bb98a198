import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { userRuntimeFolder } from '../../../platform/places.ts';

/** The variables that say where the person's session is. */
export type SessionEnvironment = Readonly<Record<string, string | undefined>>;

/** What the child needs for every operation, and what a prompt may need to find the person's display. */
const ALWAYS = ['HOME', 'XDG_RUNTIME_DIR'] as const;
const FOR_PROMPTS = ['DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY', 'XDG_CURRENT_DESKTOP'] as const;

/** Longest address of a bus that is taken from a caller. */
const ADDRESS_MAX = 500;
/** GLib's value for "no bus": nothing else is looked for. */
const DISABLED = 'disabled:';

/**
 * The address of the session bus: the one that is set, else the socket in XDG_RUNTIME_DIR, else the one in the user's
 * runtime folder, where a later desktop session has it too. One that is set and gone is answered where no other is. It looks at files and
 * connects to nothing.
 */
export function sessionBus(env: SessionEnvironment): string | undefined {
  const given = env.DBUS_SESSION_BUS_ADDRESS;
  if (given === DISABLED) return undefined;
  if (given && !isGone(given)) return given;
  for (const folder of [env.XDG_RUNTIME_DIR, userRuntimeFolder(env)]) {
    if (!folder) continue;
    const path = join(folder, 'bus');
    if (isSocket(path)) return `unix:path=${path.split('/').map(encodeURIComponent).join('/')}`;
  }
  return given || undefined;
}

/** The same, but undefined for an address whose socket is gone. */
export function liveSessionBus(env: SessionEnvironment): string | undefined {
  const bus = sessionBus(env);
  return bus === undefined || isGone(bus) ? undefined : bus;
}

/**
 * Goes on with the bus of a caller who unlocks or restarts, where this agent has none: one that was started over ssh or by
 * cron knows nothing of a later desktop session. Only a Unix socket is taken: other transports run commands or leave the
 * machine.
 */
export function adoptSessionBus(env: Record<string, string | undefined>, address: string): void {
  if (env['DBUS_SESSION_BUS_ADDRESS'] === DISABLED) return;
  if (address.length > ADDRESS_MAX || !/^unix:[\x21-\x3a\x3c-\x7e]+$/.test(address) || isGone(address)) return;
  if (liveSessionBus(env) === undefined) env['DBUS_SESSION_BUS_ADDRESS'] = address;
}

/** Whether an address names Unix sockets only, none of which is there any more. */
function isGone(addresses: string): boolean {
  return addresses.split(';').every((address) => {
    const [, kind, value = ''] = /^unix:(path|abstract)=([^,]*)/.exec(address) ?? [];
    if (kind === 'path') return !isSocket(decodeURIComponent(value));
    if (kind === 'abstract') return !hasAbstract(decodeURIComponent(value));
    return address === '';
  });
}

/** Whether there is a socket by an abstract name: /proc/net/unix writes it behind an @. */
function hasAbstract(name: string): boolean {
  try {
    return readFileSync('/proc/net/unix', 'latin1').includes(` @${name}\n`);
  } catch {
    return true; // not to be told
  }
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
