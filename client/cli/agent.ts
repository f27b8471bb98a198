import type { AboutChange } from '../../protocol/about.ts';
import { Attributes } from '../../protocol/attributes.ts';
import { noCapabilities } from '../../protocol/capabilities.ts';
import type { EpochSeconds, Seconds, Target } from '../../protocol/credential.ts';
import type { CredentialReply, CredentialRequest, Detail, Standing } from '../../protocol/handler.ts';
import type { Made } from '../../protocol/made.ts';
import type { Secret } from '../../protocol/secret.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { fromWire } from '../../protocol/text.ts';
import { type Connection, dial } from '../dial.ts';
import { hereAndNow } from '../profiles/in-force.ts';
import { CommandFailure } from './failure.ts';

export type Ok = Extract<CredentialReply, { status: 'ok' }>;
export type Question = {
  readonly target?: Target | undefined;
  readonly secret?: Secret | undefined;
  /** The credential with this id and no other. */
  readonly id?: string | undefined;
  // Of a store.
  readonly about?: AboutChange | undefined;
  readonly expiresAt?: EpochSeconds | undefined;
  readonly timeout?: Seconds | undefined;
  readonly force?: boolean | undefined;
  /** What has to stand in its place still; see `CredentialRequest`. */
  readonly onlyOver?: Standing | undefined;
  /** Attributes of a management action, as wire values; a list becomes `key[]` lines, undefined none. */
  readonly attributes?: Readonly<Record<string, string | Secret | readonly string[] | undefined>> | undefined;
};

/** What an action is asked with. A store of ours says how its credential came to be; without that it is a tool's. */
export type QuestionOf<Action extends string> = Action extends 'store' ? Question & { readonly made: Made } : Question;

/** Runs `body` with a connection to the agent, which is started if none answers and the person has installed it. */
export async function withAgent<T>(body: (agent: Connection) => Promise<T>, deadline?: number): Promise<T> {
  using agent = await dial({ deadline, autostart: true });
  return await body(agent);
}

/** Asks for an action. Any other status than `ok` is a `CommandFailure` with its exit code and message. */
export async function ask<Action extends string>(
  agent: Connection,
  action: Action,
  question: QuestionOf<Action> = {} as QuestionOf<Action>,
): Promise<Ok> {
  const reply = await agent(requestOf(action, question));
  if (reply.status !== 'ok') throw new CommandFailure(exitCodeOf(reply.status), reply.message);
  return reply;
}

/** The actions whose answer depends on the profile in force (PROTOCOL.md §6.3). */
const goesByProfile: ReadonlySet<string> = new Set(['get', 'explain']);

/** Those in which the account of the profile in force decides which login makes the calls to a service. */
const actsByProfile: ReadonlySet<string> = new Set([
  'remote-list',
  'remote-show',
  'create',
  'revoke',
  'rotate',
  'refresh',
]);

/** A request of ours; for those who look at other statuses than `ok` themselves. */
export function requestOf<Action extends string>(action: Action, asked: QuestionOf<Action>): CredentialRequest {
  const { attributes = {}, ...question } = asked as Question;
  const gathered = new Attributes();
  for (const [key, value] of Object.entries(attributes)) {
    if (Array.isArray(value)) for (const each of value) gathered.add(`${key}[]`, each);
    else if (value !== undefined) gathered.add(key, value as string | Secret);
  }
  if (actsByProfile.has(action)) {
    for (const [key, value] of Object.entries(hereAndNow())) if (value !== undefined) gathered.add(key, value);
  }
  return {
    action,
    ...question,
    capabilities: { ...noCapabilities, authtype: true },
    attributes: gathered,
    ...(goesByProfile.has(action) ? hereAndNow() : {}),
  };
}

/** The session bus of this caller, for an agent that was started without one. */
export function ownSessionBus(): { readonly session_bus: string | undefined } {
  return { session_bus: process.env['DBUS_SESSION_BUS_ADDRESS'] || undefined };
}

/** The one detail by that key as text for people; undefined if it is absent. */
export function detail(details: readonly Detail[] | undefined, key: string): string | undefined {
  const found = details?.find(([name]) => name === key);
  return found && fromWire(found[1]);
}

/** All details by that key whose values are JSON objects; what is none is left out. */
export function documents(details: readonly Detail[] | undefined, key: string): Record<string, unknown>[] {
  const found: Record<string, unknown>[] = [];
  for (const [name, value] of details ?? []) {
    if (name !== key) continue;
    try {
      const document: unknown = JSON.parse(fromWire(value));
      if (typeof document === 'object' && document !== null) found.push(document as Record<string, unknown>);
    } catch {
      // A newer agent's way to say it; the rest is still worth showing.
    }
  }
  return found;
}
