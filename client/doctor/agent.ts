import { KeyholdError } from '../../protocol/errors.ts';
import type { Detail } from '../../protocol/handler.ts';
import { ask, detail, documents } from '../cli/agent.ts';
import { dial } from '../dial.ts';
import { version } from '../version.ts';
import { type Finding, fine, mend, note } from './finding.ts';

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
  return [
    checkVersion(detail(details, 'version')),
    checkState(details),
    ...checkSession(details),
    ...degradations(details),
  ];
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

const SESSIONS: Readonly<Record<string, string>> = {
  systemd: 'by systemd',
  ssh: 'over ssh',
  desktop: 'in a desktop session',
  elsewhere: 'outside of a desktop session',
};

/** Where the agent was started, and whether it finds the bus that a keyring is on. */
function checkSession(details: readonly Detail[] | undefined): Finding[] {
  const [startedIn, bus] = [detail(details, 'started_in'), detail(details, 'session_bus')];
  if (startedIn === undefined) return [];
  const what = `the agent was started ${SESSIONS[startedIn] ?? startedIn}`;
  if (bus) return [fine('session', `${what}, and finds the session bus at ${bus}`)];
  const keyring = detail(details, 'backend') === 'keyring' || detail(details, 'state') === 'failed';
  const remedy = keyring ? 'run in the session that has the keyring: keyhold unlock' : '';
  return [note('session', `${what}, and finds no session bus, and so no keyring`, remedy)];
}

function degradations(details: readonly Detail[] | undefined): Finding[] {
  return documents(details, 'degraded[]').map(({ code, what, remedy }) => {
    // What a person did a moment ago, and may undo.
    const finding = code === 'key-change' ? note : mend;
    return finding(String(code), String(what), typeof remedy === 'string' ? remedy : '');
  });
}
