import { KeyholdError } from '../../protocol/errors.ts';
import type { Detail } from '../../protocol/handler.ts';
import { ask, detail, documents } from '../cli/agent.ts';
import { dial } from '../dial.ts';
import { version } from '../version.ts';
import { type Finding, fine, mend } from './finding.ts';

/** Milliseconds that the agent may take for each answer. */
const DEADLINE = 3_000;

/** Whether our agent answers, is of our version, and what it says about itself. It is not started for this. */
export async function checkAgent(): Promise<Finding[]> {
  let details: readonly Detail[] | undefined;
  try {
    using agent = await dial({ deadline: DEADLINE });
    ({ details } = await ask(agent, 'status'));
  } catch (error) {
    if (!(error instanceof KeyholdError)) throw error;
    const [what, told = ''] = error.message.split(/; (?=[^;]*$)/);
    // To ask the doctor is what the person has just done.
    const remedy = error.code === 'deadline' ? 'run: keyhold stop' : told;
    return [mend(error.code === 'foreign_listener' ? 'foreign-listener' : 'agent', what!, remedy)];
  }
  return [checkVersion(detail(details, 'version')), checkState(details), ...degradations(details)];
}

function checkVersion(agentVersion: string | undefined): Finding {
  if (agentVersion === version) return fine('version', `agent and client are both ${version}`);
  return mend('version', `the agent is ${agentVersion}, this client ${version}`, 'run: keyhold restart');
}

function checkState(details: readonly Detail[] | undefined): Finding {
  const state = detail(details, 'state');
  const backend = `backend ${detail(details, 'backend')}`;
  if (state === 'locked') return mend('backend', `${backend}: locked`, 'run: keyhold unlock');
  if (state === 'failed') return mend('backend', `${backend}: does not serve`, 'see: keyhold logs');
  return fine('backend', `${backend}, ${detail(details, 'held')} held`);
}

function degradations(details: readonly Detail[] | undefined): Finding[] {
  return documents(details, 'degraded[]').map(({ code, what, remedy }) =>
    mend(String(code), String(what), typeof remedy === 'string' ? remedy : ''),
  );
}
