import { setTimeout as sleep } from 'node:timers/promises';
import { type KeyringSession, startKeyringSession } from '../fakes/keyring-session.ts';
import { temporaryFolder } from '../temporary.ts';
import { manage, type ProofAgent, startProofAgent } from './agent.ts';
import { fillKeyring } from './filled-keyring.ts';
import { configure } from './home.ts';
import { Ledger } from './ledger.ts';
import type { Proof, ProofOptions, ProofResult } from './proof.ts';
import { randomOf } from './random.ts';
import { openRotation, type Rotation } from './rotation.ts';

export const killed = ['vault', 'passphrase', 'keyring'] as const;
/** A vault with a key file, a vault with a passphrase, or a keyring: a real gnome-keyring, which is killed sometimes, too. */
export type Killed = (typeof killed)[number];

const PASSPHRASE = 'correct horse EXAMPLE';
/** Connections' worth of changes at the same time, each on hosts of its own. */
const LANES = 4;
/** Milliseconds behind a change that was refused. */
const REFUSED_PAUSE = 100;
/** Times that the one store is sent again which a keyring on a busy machine refused. */
const TRIES = 10;
/**
 * Changes at most that are answered before a kill may come: a busy machine would make none of them in a fixed time. A keyring
 * of 10,000 needs half a second for each.
 */
const ANSWERS = { vault: 8, keyring: 3 };
/** Milliseconds that they are waited for at most: a keyring that is killed meanwhile answers none. */
const ANSWERS_DEADLINE = 5_000;
/** Milliseconds at most between the last of these answers and the kill. */
const LIFE = 600;
/** How often the agent rotates, backs up, or loses its keyring, of all its lives. */
const OFTEN = { rotate: 0.15, backup: 0.1, keyring: 0.15 };
/**
 * Times at most in a run that gnome-keyring may end by itself; it is started again then, as on a desktop. It was seen to abort
 * once in hundreds of starts, so more than this is a fault to look into.
 */
const CRASHES = 3;
/**
 * Hosts that are looked at behind each kill beside those that were changed, and kills from one look at all hosts to the next;
 * all are looked at behind the last kill, too. With 10,000 items gnome-keyring needs about 30 ms for each, five minutes for all.
 */
const LOOK = { vault: { sample: 60, allEvery: 25 }, keyring: { sample: 10, allEvery: 500 } };

/** `npm run proof -- kills`: every backend in turn, or the one of `--backend`. */
export const proveKills: Proof = async (options) => {
  const results: ProofResult[] = [];
  const all = killed.filter((which) => options.backend === undefined || which === options.backend);
  if (all.length === 0) throw new Error(`--backend takes ${killed.join(', ')}`);
  for (const which of all) {
    options.say(`${which}: filling, then killing`);
    results.push(await killAgents(which, options));
  }
  return {
    wrong: results.flatMap(({ wrong }) => wrong),
    counts: Object.assign({}, ...results.map(({ counts }) => counts)),
  };
};

/**
 * Kills an agent at random moments under stores, erases, backups and rotates, and checks after each kill that the next one is
 * up, that everything acknowledged is served, and that nothing erased is.
 */
export async function killAgents(
  which: Killed,
  { seed, from = 0, kills = 500, held = 10_000, isStopped = () => false, say }: ProofOptions,
): Promise<ProofResult> {
  const { path: home, remove } = temporaryFolder(`proof-${which}`);
  let run: KillRun | undefined;
  const onCrash = (how: string) => {
    say(`${which}: gnome-keyring ended by itself: ${how}`);
    run?.restartKeyring(how);
  };
  const session = which === 'keyring' ? await startKeyringSession({ onCrash }) : undefined;
  try {
    configure(home, which === 'keyring' ? 'keyring' : 'vault', { upstream: { deadline: 10 } });
    run = new KillRun(which, home, session, seed);
    try {
      await run.fill(held, say);
      for (let kill = from; kill < from + kills && run.wrong.length < 10 && !isStopped(); kill++) {
        await run.killOnce(kill);
        if (run.kills % 10 === 0) say(`${run.sum()}, of ${kills}; next: --from ${kill + 1}`);
      }
      await run.checkAll();
      say(`${run.sum()}, of ${kills} from ${from} on; all hosts were looked at`);
    } finally {
      await run.end();
    }
    const counts = {
      kills: run.kills,
      acknowledged: run.ledger.acknowledged,
      keyring: run.keyringKills,
      crashes: run.keyringCrashes,
      ...run.done,
    };
    const named = Object.entries(counts).map(([key, count]) => [`${which} ${key}`, count]);
    return { wrong: run.wrong.map((what) => `${which}: ${what}`), counts: Object.fromEntries(named) };
  } finally {
    await session?.[Symbol.asyncDispose]();
    remove();
  }
}

class KillRun {
  readonly wrong: string[] = [];
  readonly ledger: Ledger;
  kills = 0;
  keyringKills = 0;
  keyringCrashes = 0;
  readonly done = { backups: 0, rotates: 0 };
  /** Seconds that went into the lives, the starts behind them and the looks, of all kills. */
  readonly #spent = { life: 0, start: 0, look: 0 };
  readonly #which: Killed;
  readonly #home: string;
  readonly #session: KeyringSession | undefined;
  readonly #seed: number;
  /** What decides about the kill that is under way: each has its own, so that a run can begin at any of them. */
  #random: () => number;
  #agent!: ProofAgent;
  #rotation: Rotation | undefined;
  /** A rotation was begun that was not looked at since. */
  #rotating = false;

  constructor(which: Killed, home: string, session: KeyringSession | undefined, seed: number) {
    this.#which = which;
    this.#home = home;
    this.#session = session;
    this.#seed = seed;
    this.#random = randomOf(seed, 0);
    this.ledger = new Ledger(`k${seed}`);
  }

  async fill(held: number, say: (line: string) => void): Promise<void> {
    const began = performance.now();
    await this.#start();
    if (this.#which === 'passphrase') {
      const answer = await this.#agent.ask(...manage('backend-passphrase', `new_passphrase=${PASSPHRASE}`));
      if (!answer.startsWith('status=ok')) throw new Error(`cannot set a passphrase: ${answer}`);
    }
    this.#rotation = await openRotation(this.#home, this.#session?.env ?? {});
    if (this.#session) await this.#fillKeyring(held, this.#session);
    else await this.#fillVault(held);
    if (this.ledger.held !== held) throw new Error(`cannot fill: ${this.ledger.held} of ${held} were kept`);
    say(`${this.#which}: ${held} held after ${Math.round((performance.now() - began) / 1_000)} s`);
  }

  async #fillVault(held: number): Promise<void> {
    for (let at = 0; at < held; at += 256) {
      const hosts = Array.from({ length: Math.min(256, held - at) }, (_, more) => `h${at + more}.test`);
      await Promise.all(hosts.map((host) => this.ledger.store(this.#agent, host)));
    }
  }

  /** The first through the agent, the rest by a file that the keyring reads. */
  async #fillKeyring(held: number, session: KeyringSession): Promise<void> {
    const template = 'h0.test';
    for (let tries = 0; !this.ledger.isHeld(template) && tries < TRIES; tries++)
      await this.ledger.store(this.#agent, template);
    this.#agent.kill();
    await this.#agent.ended;
    const hosts = Array.from({ length: held - 1 }, (_, at) => `h${at + 1}.test`);
    const values = new Map(hosts.map((host) => [host, this.ledger.fresh()]));
    await fillKeyring(this.#home, session, template, values);
    for (const [host, value] of values) this.ledger.know(host, value);
    await this.#start();
  }

  /** A line that sums up what was done. */
  sum(): string {
    const { kills, keyringKills, ledger, wrong, done } = this;
    const made = `${ledger.acknowledged} acknowledged changes, ${done.rotates} rotates, ${done.backups} backups`;
    const spent = Object.entries(this.#spent).map(([what, seconds]) => `${what} ${(seconds / kills).toFixed(1)} s`);
    const all = `${kills} kills, ${keyringKills} of the keyring, ${made}, ${wrong.length} wrong`;
    return `${this.#which}: ${all} (a kill: ${spent.join(', ')})`;
  }

  /** One life: traffic, a kill, the next start, and the check of what was touched. */
  async killOnce(kill: number): Promise<void> {
    this.#random = randomOf(this.#seed, kill);
    const began = performance.now();
    const changed = new Set<string>();
    const agent = this.#agent;
    let isOver = false;
    const answered =
      this.ledger.acknowledged + Math.floor(this.#random() * (ANSWERS[this.#session ? 'keyring' : 'vault'] + 1));
    const lanes = Array.from({ length: LANES }, async (_, lane) => {
      while (!isOver) {
        const host = this.#hostOf(lane);
        changed.add(host);
        const isErase = this.#random() < 0.4;
        const isMade = await (isErase ? this.ledger.erase(agent, host) : this.ledger.store(agent, host));
        // A keyring that is not there refuses at once, thousands of times in a life.
        if (!isMade) await sleep(REFUSED_PAUSE);
      }
    });
    const isRotating = this.#random() < OFTEN.rotate;
    if (isRotating) this.#rotating = true;
    const rotated = isRotating ? this.#rotation!.rotate(agent).catch(() => '') : undefined;
    const isBackup = this.#random() < OFTEN.backup;
    const saved = isBackup ? agent.ask(...manage('backup', 'passphrase=backup EXAMPLE')).catch(() => '') : undefined;
    for (const until = performance.now() + ANSWERS_DEADLINE; this.ledger.acknowledged < answered; await sleep(2)) {
      if (performance.now() > until) break;
    }
    await sleep(this.#random() * LIFE * (rotated || saved ? 3 : 1));
    const withKeyring = this.#session !== undefined && this.#random() < OFTEN.keyring;
    if (withKeyring && this.#random() < 0.5) await this.#killKeyring();
    agent.kill();
    isOver = true;
    if (withKeyring) await this.#killKeyring();
    await agent.ended;
    await Promise.all(lanes);
    this.kills++;
    if ((await rotated) !== undefined) this.done.rotates++;
    if (/^record\[\]=/m.test((await saved) ?? '')) this.done.backups++;
    if (withKeyring) {
      await this.#session!.start();
      this.keyringKills++;
    }
    const down = performance.now();
    await this.#start();
    const up = performance.now();
    await this.#check(changed);
    this.#spent.life += (down - began) / 1_000;
    this.#spent.start += (up - down) / 1_000;
    this.#spent.look += (performance.now() - up) / 1_000;
  }

  /** Starts gnome-keyring again, which ended without being killed. */
  restartKeyring(how: string): void {
    this.keyringCrashes++;
    if (this.keyringCrashes > CRASHES)
      this.wrong.push(`gnome-keyring ended by itself ${this.keyringCrashes} times: ${how}`);
    else this.#session!.start().catch((error: Error) => this.wrong.push(error.message));
  }

  /** Everything, once. */
  async checkAll(): Promise<void> {
    this.wrong.push(...(await this.ledger.check(this.#agent)));
    if (this.#rotating) this.wrong.push(...(await this.#checkRotation(true)));
  }

  async end(): Promise<void> {
    this.#agent?.kill();
    await this.#agent?.ended;
    await this.#rotation?.[Symbol.asyncDispose]();
  }

  /** What is wrong with the last rotation; it is looked at again behind the next kill where it cannot end yet. */
  async #checkRotation(isPatient: boolean): Promise<readonly string[]> {
    const wrong = await this.#rotation!.check(this.#agent, isPatient);
    if (wrong) this.#rotating = false;
    return wrong ?? [];
  }

  async #check(changed: ReadonlySet<string>): Promise<void> {
    const { hosts } = this.ledger;
    const { sample: size, allEvery } = LOOK[this.#session ? 'keyring' : 'vault'];
    const sample = Array.from({ length: size }, () => hosts[Math.floor(this.#random() * hosts.length)]!);
    const looked = this.kills % allEvery === 0 ? hosts : [...new Set([...changed, ...sample])];
    const wrong = await this.ledger.check(this.#agent, looked);
    if (this.#rotating) wrong.push(...(await this.#checkRotation(false)));
    this.wrong.push(...wrong.map((what) => `kill ${this.kills}: ${what}`));
  }

  async #start(): Promise<void> {
    this.#agent = await startProofAgent(this.#home, this.#session?.env);
    if (this.#which !== 'passphrase' || this.kills === 0) return;
    const answer = await this.#agent.ask(...manage('unlock', `passphrase=${PASSPHRASE}`));
    if (!answer.startsWith('status=ok')) this.wrong.push(`kill ${this.kills}: cannot unlock: ${answer}`);
  }

  async #killKeyring(): Promise<void> {
    await this.#session!.kill();
  }

  /** A host of a lane: mostly one that is there, sometimes a new one. */
  #hostOf(lane: number): string {
    const { hosts } = this.ledger;
    const at = Math.floor(this.#random() * (hosts.length / LANES + 1)) * LANES + lane;
    return `h${at}.test`;
  }
}
