import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openApkg } from '../fakes/services/apkg.ts';
import { manage, type ProofAgent } from './agent.ts';
import { askPatiently, isLater } from './ledger.ts';

const run = promisify(execFile);
const KEYHOLD = join(import.meta.dirname, '../../dist/bin/keyhold');
const LIMIT = '@ada/*';
/** Times that a rotation is asked to go on; each takes the next step that a kill has left. */
const TRIES = 5;

/** A token at a service that stands in for apkg's, to be rotated while its agent is killed. */
export type Rotation = AsyncDisposable & {
  /** Begins a rotation, or goes on with one. Answers the agent's reply; rejects when the agent goes first. */
  rotate(agent: ProofAgent): Promise<string>;
  /**
   * Lets it come to its end, and says what is wrong then: the token that is served must live, and no other. Undefined while a
   * keyring that is busy or has just been killed refuses a step; with `isPatient` that is waited for, and wrong if it does not end.
   */
  check(agent: ProofAgent, isPatient: boolean): Promise<string[] | undefined>;
};

/** Signs in at the stand-in, and has it make the token, by the commands of the built CLI. */
export async function openRotation(home: string, environment: Record<string, string>): Promise<Rotation> {
  const server = await openApkg();
  const keyhold = async (args: string[], input = '') => {
    const env = { PATH: process.env.PATH ?? '', HOME: home, KEYHOLD_HOME: home, KEYHOLD_NO_AUTOSTART: '1' };
    const done = run(KEYHOLD, args, { env: { ...environment, ...env }, cwd: home });
    done.child.stdin?.end(input);
    return (await done).stdout;
  };
  /** The same, again until a busy keyring takes it. */
  const untilTaken = async (...given: Parameters<typeof keyhold>) => {
    for (let tries = 1; ; tries++) {
      try {
        return await keyhold(...given);
      } catch (error) {
        if (tries === 10) throw error;
        await sleep(1_000);
      }
    }
  };
  const manifest = join(home, 'apkg.yaml');
  const host = `hosts:\n  - { protocol: http, host: 127.0.0.1, port: ${server.port} }\n`;
  writeFileSync(manifest, `id: apkg\ntitle: apkg\nlike: apkg\n${host}`);
  await untilTaken(['service', 'add', manifest, '--replace']);
  await untilTaken(['auth', 'login', '--service', 'apkg', '--username', 'ada', '--stdin'], 'password-EXAMPLE\n');
  await untilTaken(['token', 'create', 'ci', '--service', 'apkg', '--scopes', 'publish', '--limit', LIMIT]);
  const { id } = JSON.parse(await untilTaken(['token', 'show', 'ci', '--json'])) as { id: string };

  const request = manage('rotate', `id=${id}`, `limit=${LIMIT}`, 'shorter=1');
  return {
    rotate: (agent) => agent.ask(...request),
    async check(agent, isPatient) {
      const ask = () => (isPatient ? askPatiently(agent, ...request) : agent.ask(...request));
      let said = '';
      for (let tries = 0; tries < TRIES && !/^step=done$/m.test(said); tries++) said = await ask();
      if (!isPatient && isLater(said)) return undefined;
      if (!/^step=done$/m.test(said)) return [`a rotation does not come to its end: ${said.replaceAll('\n', ' ')}`];
      const value = (await untilTaken(['token', 'print', 'ci'])).trim();
      const whoami = await fetch(`${server.url}/auth/whoami`, { headers: { authorization: `Bearer ${value}` } });
      const wrong = whoami.status === 200 ? [] : [`behind a rotation a dead token is served (${whoami.status})`];
      const alive = server.active().length;
      return alive === 1 ? wrong : [...wrong, `${alive} tokens live at the service, where there should be one`];
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
    },
  };
}
