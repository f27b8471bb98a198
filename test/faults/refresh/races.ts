import { fork } from 'node:child_process';
import { join } from 'node:path';
import { openTokenServer, type TokenServer } from '../../fakes/token-server.ts';
import { homeWithLogins, hostOf, restingIn } from './logins.ts';

/** Processes in one race. */
const ASKERS = 8;
/** Races under way at once: as many as keep two processors at work. */
const LANES = 3;

type Told = { readonly host: string; readonly status?: string; readonly password?: string };

/** Opens an agent over a home, on a socket. */
export type Opening = (home: string) => Promise<AsyncDisposable & { readonly socket: string }>;

/**
 * Lets eight processes ask at once for a token that is over, `races` times: by turns because its time is over, and because
 * all eight were refused with it. Says what was wrong, and how many calls went over the network.
 */
export async function raceRefreshes(races: number, open: Opening): Promise<{ wrong: string[]; calls: number }> {
  const wrong: string[] = [];
  const server = await openTokenServer();
  const names = Array.from({ length: Math.ceil(races / 2) }, (_, at) => `race-${at}`);
  const home = await homeWithLogins(server, names);
  try {
    {
      await using agent = await open(home.path);
      const askers = Array.from({ length: ASKERS }, () => startAsker(agent.socket));
      const left = [...names];
      let due = races;
      const lane = async () => {
        for (let name = left.shift(); name !== undefined; name = left.shift()) {
          for (const refused of [false, true]) {
            if (due-- <= 0) break;
            wrong.push(...(await race(server, name, askers, refused)));
          }
        }
      };
      await Promise.all(Array.from({ length: LANES }, lane));
      await Promise.all(askers.map((asker) => asker.end()));
    }
    for (const { name, refresh, isUnknown } of await restingIn(home.path)) {
      if (isUnknown || refresh !== server.families.get(name)!.refresh) wrong.push(`${name} is lost at rest`);
    }
  } finally {
    server.close();
    home.remove();
  }
  const calls = [...server.families.values()].reduce((sum, { spent, reused }) => sum + spent + reused, 0);
  return { wrong, calls };
}

async function race(
  server: TokenServer,
  name: string,
  askers: readonly Asker[],
  isRefused: boolean,
): Promise<readonly string[]> {
  const family = server.families.get(name)!;
  const before = family.spent;
  const refused = isRefused ? family.access : undefined;
  const told = await Promise.all(askers.map((asker) => asker.ask(hostOf(name), refused)));
  const wrong: string[] = [];
  const calls = family.spent - before;
  if (calls !== 1 || family.reused > 0) wrong.push(`${name}: ${calls} calls, ${family.reused} with a spent token`);
  for (const { status, password } of told) {
    if (status !== 'ok' || password !== family.access) wrong.push(`${name}: ${status}, another token: ${password}`);
  }
  return wrong;
}

type Asker = ReturnType<typeof startAsker>;

/** One process that asks when it is told to. */
function startAsker(socket: string) {
  const child = fork(join(import.meta.dirname, 'asker.ts'), [socket], { execArgv: [] });
  const waiting = new Map<string, (told: Told) => void>();
  child.on('message', (told: Told) => {
    waiting.get(told.host)?.(told);
    waiting.delete(told.host);
  });
  const ended = new Promise<void>((resolve) => {
    child.on('exit', () => {
      for (const [host, tell] of waiting) tell({ host, status: 'the process that asked has ended' });
      resolve();
    });
  });
  return {
    ask: (host: string, refused: string | undefined) =>
      new Promise<Told>((resolve) => {
        waiting.set(host, resolve);
        child.send({ host, refused });
      }),
    async end() {
      child.disconnect();
      await ended;
    },
  };
}
