import { setTimeout as sleep } from 'node:timers/promises';
import { type BuiltAgent, get, startAgent } from '../../fakes/built-agent.ts';
import { openTokenServer, type TokenServer } from '../../fakes/token-server.ts';
import { randomFrom } from '../vault/play.ts';
import { homeWithLogins, hostOf, idOf, restingIn } from './logins.ts';

/** Milliseconds that a refresh takes before one was measured, and the part of it in which its answer goes to the disk. */
const RUNNING = 200;
const SAVING_PART = 0.3;
/** Milliseconds that a refresh may take to reach the provider, on a machine at work. */
const DEADLINE = 60_000;

/**
 * When an agent is killed: at any time of a refresh, on the way of the answer to the disk, with the answer held back, or some
 * time after the token was given out.
 */
const moments = ['asked', 'spent', 'held', 'served'] as const;
type Moment = (typeof moments)[number];

/** What to do when the provider has spent a token of a login, before it answers. */
type Spent = Map<string, () => Promise<void> | void>;

export type Killed = {
  readonly wrong: string[];
  /** Logins by what is at rest behind the kill. */
  readonly untouched: number;
  readonly renewed: number;
  readonly unknown: number;
};

/**
 * Kills an agent `kills` times at random moments around a refresh, each time of another login, in `lanes` homes at once; then
 * reads what rests, and asks again for all that is said to be unknown. `wrong` is every login that is lost without a
 * record of it, and every one that was tried again by itself.
 */
export async function killRefreshers(kills: number, lanes: number): Promise<Killed> {
  const server = await openTokenServer();
  const spent: Spent = new Map();
  server.hooks.spent = (name) => spent.get(name)?.();
  try {
    const all = await Promise.all(
      Array.from({ length: lanes }, (_, lane) => {
        const share = Math.floor(kills / lanes) + (lane < kills % lanes ? 1 : 0);
        const names = Array.from({ length: share }, (_, at) => `kill-${lane}-${at}`);
        return killInOneHome(server, names, randomFrom(lane + 1), spent);
      }),
    );
    const sumOf = (key: 'untouched' | 'renewed' | 'unknown') => all.reduce((sum, one) => sum + one[key], 0);
    const wrong = all.flatMap((one) => one.wrong);
    return { wrong, untouched: sumOf('untouched'), renewed: sumOf('renewed'), unknown: sumOf('unknown') };
  } finally {
    server.close();
  }
}

async function killInOneHome(
  server: TokenServer,
  names: readonly string[],
  random: () => number,
  spent: Spent,
): Promise<Killed> {
  const home = await homeWithLogins(server, names);
  try {
    let running = RUNNING;
    for (const [at, name] of names.entries()) {
      await using agent = await startAgent({ home: home.path });
      running = (await killAround(agent, name, moments[at % moments.length]!, random() * running, spent)) ?? running;
    }
    const rested = await restingIn(home.path);
    const wrong = rested.flatMap(({ name, refresh, isUnknown }) => {
      const family = server.families.get(name)!;
      if (family.reused > 0) return [`${name}: a spent token was used again`];
      return isUnknown || refresh === family.refresh ? [] : [`${name} is lost, and nothing says so`];
    });
    if (rested.length !== names.length) wrong.push(`${rested.length} of ${names.length} logins rest`);
    wrong.push(...(await askAgain(server, home.path, rested)));
    const known = rested.filter(({ isUnknown }) => !isUnknown);
    const untouched = known.filter(({ name }) => server.families.get(name)!.spent === 0).length;
    return { wrong, untouched, renewed: known.length - untouched, unknown: rested.length - known.length };
  } finally {
    home.remove();
  }
}

/**
 * Asks for the token of `name`, whose time is over, and kills the agent `delay` milliseconds from a moment of that kind or, where
 * little happens behind it, a part of that. Answers how long the refresh took if it came to its end.
 */
async function killAround(
  agent: BuiltAgent,
  name: string,
  moment: Moment,
  delay: number,
  spent: Spent,
): Promise<number | undefined> {
  const isSpent = Promise.withResolvers<void>();
  const goesOn = Promise.withResolvers<void>();
  spent.set(name, () => {
    isSpent.resolve();
    return moment === 'held' ? goesOn.promise : undefined;
  });
  const began = performance.now();
  let took: number | undefined;
  const asked = agent.ask(...get(hostOf(name))).then(
    () => {
      took = performance.now() - began;
    },
    () => undefined,
  );
  const late = setTimeout(() => isSpent.reject(new Error(`${name}: the provider was not asked`)), DEADLINE);
  if (moment !== 'asked') await isSpent.promise;
  clearTimeout(late);
  if (moment === 'served') await asked;
  await sleep(moment === 'asked' ? delay : delay * SAVING_PART);
  agent.kill('SIGKILL');
  await agent.ended;
  goesOn.resolve();
  await asked;
  return moment === 'served' ? took : undefined;
}

/** What the next agent says of each login that may be lost: told by its id, refused with the command to run, and left alone. */
async function askAgain(
  server: TokenServer,
  home: string,
  rested: Awaited<ReturnType<typeof restingIn>>,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  await using agent = await startAgent({ home });
  const status = await agent.ask('action=status', 'capability[]=keyhold');
  for (const { name, isUnknown } of rested) {
    const isTold = status.includes(`the state of a login is unknown (${idOf(name)})`);
    if (isTold !== isUnknown) wrong.push(`${name}: ${isUnknown ? 'unknown' : 'known'}, and status says otherwise`);
    if (!isUnknown) continue;
    const { spent, reused } = server.families.get(name)!;
    const answer = await agent.ask(...get(hostOf(name)));
    const family = server.families.get(name)!;
    if (!answer.includes('status=interaction-required') || !answer.includes('keyhold auth login')) {
      wrong.push(`${name}: unknown, and a tool hears ${answer}`);
    }
    if (family.spent !== spent || family.reused !== reused) wrong.push(`${name} was tried again by itself`);
  }
  // One of those that are not is a login like any other.
  const well = rested.find(({ isUnknown }) => !isUnknown);
  if (well && !(await agent.ask(...get(hostOf(well.name)))).includes('status=ok')) wrong.push(`${well.name} is dead`);
  return wrong;
}
