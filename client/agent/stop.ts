import { readFileSync } from 'node:fs';
import { endFormerAgent, findFormerAgent } from '../../platform/former-agent.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Detail } from '../../protocol/handler.ts';
import { ask, detail } from '../cli/agent.ts';
import { dial } from '../dial.ts';
import type { Ground } from '../install/ground.ts';
import { foreignFault, presenceOn } from './presence.ts';
import { until } from './until.ts';

/** Milliseconds that an agent may take to answer what it has begun and to end. */
const DEADLINE = 20_000;

/**
 * Asks the agent to drain and end, and waits until its process and socket are gone. `pid` is undefined if none was
 * running. Throws `foreign_listener` where another program listens, `deadline` if it does not end in time.
 */
export async function stopAgent(ground: Ground): Promise<{ readonly pid: number | undefined }> {
  const presence = await presenceOn(ground);
  if (presence.kind === 'absent') return { pid: await stopFormer(ground) };
  if (presence.kind === 'foreign') throw foreignFault(ground, presence.listener);
  if (presence.kind === 'silent') throw hungFault(presence.listener?.pid);
  const { pid } = presence;
  let within = 0;
  try {
    using agent = await dial({ socket: ground.places.agentSocket });
    within = longer(await ask(agent, 'stop'));
  } catch (error) {
    // It may end before its answer is read.
    const isOver = error instanceof KeyholdError && ['closed', 'agent_unreachable'].includes(error.code);
    if (!isOver) throw error;
  }
  // An agent that a service manager or a client starts meanwhile has another pid: that one is not waited for.
  if (!(await until(() => !isAlive(pid), DEADLINE + within))) throw hungFault(pid);
  return { pid };
}

/** Milliseconds that an agent may take longer to end, because a service has not answered it yet (PROTOCOL.md, `stop`). */
export function longer({ details }: { readonly details?: readonly Detail[] | undefined }): number {
  return Number(detail(details, 'within') ?? 0) * 1_000;
}

/** Ends an agent of version 0.1, whose sockets lie where no client looks any more. Answers its pid, if one runs. */
async function stopFormer({ places: { state, run } }: Ground): Promise<number | undefined> {
  const former = await findFormerAgent(state, run);
  if (!former) return undefined;
  if (!(await endFormerAgent(former, state, run, DEADLINE))) throw hungFault(former.pid);
  return former.pid;
}

/** Why an agent that listens and does not answer cannot be ended by asking. */
export function hungFault(pid: number | undefined): KeyholdError {
  const remedy = pid === undefined ? 'see: keyhold logs' : `end it with: kill ${pid}`;
  return new KeyholdError('deadline', `cannot stop the agent: it does not answer or end; ${remedy}`);
}

/** A process that has ended and that nobody has waited for yet is gone for us. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
