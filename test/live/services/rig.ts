import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyholdHere } from '../../client/in-process.ts';
import type { Ended } from '../../client/keyhold.ts';
import { type BuiltAgent, configure, startAgent } from '../../fakes/built-agent.ts';
import type { StandIn } from '../../fakes/services/stand-in.ts';
import { temporaryFolder } from '../../temporary.ts';

/** Seconds that a service may take in these tests: children start slowly on a busy machine, answers come at once. */
const DEADLINE = 2;

export type RunOptions = {
  /** Standard input. */
  readonly input?: string;
  readonly environment?: Record<string, string>;
  /** The working directory; the home without it. */
  readonly cwd?: string;
};

/** A person at a terminal of their own: commands, an agent, and a service that stands in for the real one. */
export type Rig = AsyncDisposable & {
  readonly home: string;
  readonly agent: BuiltAgent;
  /** Runs `keyhold`; standard input is what `input` says, and there is none without it. */
  run(args: readonly string[], options?: RunOptions): Promise<Ended>;
  /** The same, which must end with 0, and its JSON. */
  json(args: readonly string[], options?: RunOptions): Promise<Record<string, never>>;
  /** Every word that a command has printed so far. */
  readonly said: () => string;
};

/**
 * The agent, and the stand-in made known to it: the built-in service at another place, with what `more` changes (YAML).
 * Without a stand-in the service is as it is built in, and is not called (its server is a real one) unless `mayCall` says that a
 * profile of the test names an endpoint on this machine.
 */
export async function openRig(
  service: string,
  standIn?: StandIn,
  more = '',
  mayCall = standIn !== undefined,
): Promise<Rig> {
  const { path: home, remove } = temporaryFolder(service);
  configure(home, { backend: 'vault', upstream: { deadline: DEADLINE, offline: mayCall ? 'off' : 'on' } });
  const agent = await startAgent({ home });
  let said = '';
  const rig: Rig = {
    home,
    agent,
    async run(args, options = {}) {
      const ended = await keyholdHere(args, { home, ...options });
      said += `${ended.stdout}${ended.stderr}`;
      return ended;
    },
    async json(args, options) {
      const { code, stdout, stderr } = await rig.run([...args, '--json'], options);
      if (code !== 0) throw new Error(`keyhold ${args.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as Record<string, never>;
    },
    said: () => said,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      remove();
    },
  };
  if (!standIn) return rig;
  const manifest = join(home, 'manifest.yaml');
  const host = `hosts:\n  - { protocol: http, host: 127.0.0.1, port: ${standIn.port} }\n`;
  writeFileSync(
    manifest,
    `id: ${service}\ntitle: ${service}\nlike: ${service}\n${more.includes('hosts:') ? '' : host}${more}`,
  );
  const added = await rig.run(['service', 'add', manifest, '--replace']);
  if (added.code !== 0) throw new Error(`the manifest is not taken: ${added.stderr}${added.stdout}`);
  return rig;
}
