import { type Command, InvalidArgumentError } from 'commander';
import { showLogs } from '../agent/logs.ts';
import { memoryOnlyNames, presenceOn } from '../agent/presence.ts';
import { restartAgent } from '../agent/restart.ts';
import { startAgent } from '../agent/start.ts';
import { stopAgent } from '../agent/stop.ts';
import { type Ground, groundOf } from '../install/ground.ts';
import { ownPackage, programOf } from '../install/root.ts';
import { findServiceManager } from '../setup/service-manager.ts';
import { isManaged, SERVICE_UNIT, SOCKET_UNIT } from '../setup/systemd.ts';
import { confirm } from './confirm.ts';
import { show } from './page.ts';
import { addDestructiveVerb, addVerb, type DestructiveOptions, type VerbOptions } from './verb.ts';

/** Lines of the log that are shown unless the caller says how many. */
const LINES = 50;

/** `keyhold start`, `stop`, `restart` and `logs`. */
export function addLifecycle(program: Command): void {
  addVerb(program, 'start', 'bring the agent up').action(async ({ json }: VerbOptions) => {
    const { agent, wasRunning } = await startAgent(groundOf(), agentProgram());
    show(json, { ...agent, wasRunning }, (page) => {
      page.line(`${wasRunning ? 'already running' : 'started'}: keyhold-agent ${agent.version}, pid ${agent.pid}`);
    });
  });

  addVerb(program, 'stop', 'end the agent, when it has answered what it began').action(
    async ({ json }: VerbOptions) => {
      const ground = groundOf();
      const stopped = stopManaged(ground) ?? (await stopAgent(ground)).pid;
      show(json, { stopped: stopped ?? null }, (page) => {
        page.line(stopped === undefined ? 'already stopped' : `stopped: pid ${stopped}`);
      });
    },
  );

  addDestructiveVerb(program, 'restart', 'end the agent and start it anew').action(
    async ({ json, input, yes }: DestructiveOptions) => {
      const ground = groundOf();
      const presence = await presenceOn(ground);
      const names = presence.kind === 'running' ? await memoryOnlyNames(ground) : [];
      if (names.length > 0) await confirm(`${inMemoryOnly(names)}. Restart?`, { yes, input });
      const { agent, gone } = await restartAgent(ground, agentProgram());
      show(json, { ...agent, gone }, (page) => {
        page.line(`restarted: keyhold-agent ${agent.version}, pid ${agent.pid}`);
        for (const name of gone) page.line(`gone, it was in memory only: ${name}`, 'yellow');
      });
    },
  );

  addVerb(program, 'logs', 'what the agent did; never a host, a user or a value')
    .option('-n, --lines <number>', 'how many lines to begin with', count, LINES)
    .option('-f, --follow', 'go on until ctrl-C')
    .action(async ({ json = false, lines, follow = false }: VerbOptions & { lines: number; follow?: boolean }) => {
      const write = (line: string) => process.stdout.write(`${line}\n`);
      await showLogs(groundOf(), { lines, follow, json, write });
    });
}

/** With its socket still open, systemd would start the agent again for the next request. Answers its pid, if it ran. */
function stopManaged(ground: Ground): number | undefined {
  const manager = isManaged(ground) ? findServiceManager(ground) : undefined;
  if (!manager) return undefined;
  const pid = Number(manager.ask('show', '--property=MainPID', '--value', SERVICE_UNIT));
  manager.call('stop', SOCKET_UNIT, SERVICE_UNIT);
  return pid || undefined;
}

function agentProgram(): string {
  return programOf(ownPackage(), 'keyhold-agent');
}

function inMemoryOnly(names: readonly string[]): string {
  return `${names.length === 1 ? 'One credential is' : `${names.length} credentials are`} in memory only and will be gone: ${names.join(', ')}`;
}

function count(text: string): number {
  if (!/^[0-9]{1,7}$/.test(text)) throw new InvalidArgumentError('It is a number of lines.');
  return Number(text);
}
