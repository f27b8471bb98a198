import { KeyholdError } from '../../protocol/errors.ts';
import { printable } from '../../protocol/text.ts';
import { dial } from '../dial.ts';
import { version } from '../version.ts';
import { ask, detail } from './agent.ts';

/** Milliseconds that an agent may take to say its version. */
const DEADLINE = 1_000;

/** `keyhold --version`: the client's, and the agent's if one is running. It starts none. */
export async function versions(): Promise<string> {
  return `keyhold ${version}\nagent ${await agentVersion()}\n`;
}

async function agentVersion(): Promise<string> {
  try {
    using agent = await dial({ deadline: DEADLINE });
    const { details } = await ask(agent, 'capability');
    return printable(detail(details, 'version') ?? 'of an unknown version');
  } catch (error) {
    if (error instanceof KeyholdError) return error.code === 'agent_unreachable' ? 'not running' : `(${error.message})`;
    throw error;
  }
}
