import { normalize } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';
import { ask, detail, documents } from '../cli/agent.ts';
import { dial } from '../dial.ts';
import { readIfThere } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';
import { type Listener, listenerOn } from './listener.ts';

/** Milliseconds within which a living agent says how it is. */
const DEADLINE = 3_000;

/** The agent as it says it is. */
export type Running = {
  readonly kind: 'running';
  readonly pid: number;
  readonly version: string;
  readonly state: string;
  readonly backend: string;
  readonly durable: boolean;
  readonly held: number;
  /** The file that its Node runs, by /proc; undefined where it cannot be told. */
  readonly program: string | undefined;
};

/** What is behind the agent's socket. */
export type Presence =
  | Running
  | { readonly kind: 'absent' }
  /** Another program listens there. */
  | { readonly kind: 'foreign'; readonly listener: Listener | undefined }
  /** Something listens there and does not answer in time. */
  | { readonly kind: 'silent'; readonly listener: Listener | undefined };

/** Looks who answers on the agent's socket; starts nothing. Throws `unsafe_place` for a folder that others may enter. */
export async function presenceOn({ places }: Ground): Promise<Presence> {
  try {
    using agent = await dial({ socket: places.agentSocket, deadline: DEADLINE });
    const { details } = await ask(agent, 'status');
    const text = (key: string) => detail(details, key) ?? '';
    const pid = Number(text('pid'));
    return {
      kind: 'running',
      pid,
      version: text('version'),
      state: text('state'),
      backend: text('backend'),
      durable: /^(1|yes|true)$/.test(text('durable')),
      held: Number(text('held')),
      program: programOf(pid),
    };
  } catch (error) {
    if (!(error instanceof KeyholdError)) throw error;
    if (error.code === 'agent_unreachable') return { kind: 'absent' };
    if (error.code === 'foreign_listener') return { kind: 'foreign', listener: listenerOn(places.agentSocket) };
    if (error.code === 'deadline') return { kind: 'silent', listener: listenerOn(places.agentSocket) };
    if (error.code === 'closed') return { kind: 'absent' };
    throw error;
  }
}

/** The script among a Node process's arguments, which is the first that is no flag. */
function programOf(pid: number): string | undefined {
  const [, ...words] = (readIfThere(`/proc/${pid}/cmdline`)?.toString('utf8') ?? '').split('\0');
  const script = words.find((word) => !word.startsWith('-'));
  return script && normalize(script);
}

/** Why the agent cannot be started where another program listens, and how to end that. */
export function foreignFault({ places }: Ground, listener: Listener | undefined): KeyholdError {
  const socket = places.agentSocket;
  const who = listener ? `${listener.name} (pid ${listener.pid})` : 'another program';
  const isGit = listener?.name.startsWith('git-credential-cache') || listener?.name === 'git';
  const end = isGit
    ? `git credential-cache --socket ${socket} exit`
    : listener
      ? `kill ${listener.pid}`
      : `fuser ${socket}`;
  return new KeyholdError(
    'foreign_listener',
    `cannot use ${socket}: ${who} listens there, and it is left alone; end it with: ${end}`,
  );
}

/** One credential as `list` tells it: `protocol`, `host`, `memoryOnly`, … as text for people. */
export type Item = Record<string, unknown>;

/** What is held, without values; empty if it cannot be told (a locked agent). */
export async function itemsOf({ places }: Ground): Promise<Item[]> {
  try {
    using agent = await dial({ socket: places.agentSocket, deadline: DEADLINE });
    const { details } = await ask(agent, 'list');
    return documents(details, 'item[]');
  } catch {
    return [];
  }
}

/** A credential's name for people. */
export function nameOf(item: Item): string {
  const text = (key: string) => (typeof item[key] === 'string' ? item[key] : undefined);
  const user = text('username');
  const path = text('path');
  return `${text('protocol')}://${user === undefined ? '' : `${user}@`}${text('host')}${path === undefined ? '' : `/${path}`}`;
}

/** What would be gone if the agent ended now: what it holds and no backend keeps. */
export async function memoryOnlyNames(ground: Ground): Promise<string[]> {
  return (await itemsOf(ground)).filter(({ memoryOnly }) => memoryOnly === true).map(nameOf);
}
