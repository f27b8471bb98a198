import { expose } from '../../protocol/secret.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { requestOf } from '../cli/agent.ts';
import { CommandFailure } from '../cli/failure.ts';
import { targetDocument, urlOf } from '../cli/target.ts';
import type { Connection } from '../dial.ts';
import type { Grant } from './plan.ts';

/** A token's bytes, the caller's to wipe, the variables that get it, and those that say which server it is for. */
export type Fetched = {
  readonly variables: readonly string[];
  readonly bytes: Uint8Array;
  readonly endpoints?: readonly { readonly name: string; readonly value: string }[];
};

/**
 * The tokens that a plan grants. Throws a `CommandFailure` with the exit code of the first that cannot be had; then
 * nothing is left of the others.
 */
export async function fetchTokens(agent: Connection, grants: readonly Grant[]): Promise<Fetched[]> {
  const fetched: Fetched[] = [];
  try {
    for (const grant of grants) fetched.push(await fetchOne(agent, grant));
    return fetched;
  } catch (error) {
    wipe(fetched);
    throw error;
  }
}

export function wipe(fetched: readonly Fetched[]): void {
  for (const { bytes } of fetched) bytes.fill(0);
}

async function fetchOne(agent: Connection, { variables, targets, endpoints = [], from }: Grant): Promise<Fetched> {
  for (const [at, target] of targets.entries()) {
    const reply = await agent(requestOf('get', { target }));
    if (reply.status === 'not-found') continue;
    if (reply.status !== 'ok') {
      throw new CommandFailure(exitCodeOf(reply.status), `cannot get the token of ${urlOf(target)}: ${reply.message}`);
    }
    const { secret, refreshToken } = reply.credential ?? {};
    refreshToken?.dispose();
    if (!secret) continue;
    try {
      const named = endpoints.map(({ name, values }) => ({ name, value: values[at]! }));
      return { variables, bytes: expose(secret), endpoints: named };
    } finally {
      secret.dispose();
    }
  }
  const [first] = targets;
  const { username } = targetDocument(first!);
  const whose = username === undefined ? '' : ` --username ${username}`;
  throw new CommandFailure(
    exitCodeOf('not-found'),
    `cannot get the token for ${from}: none is held; run: keyhold token set --for ${urlOf(first!)}${whose}`,
  );
}
