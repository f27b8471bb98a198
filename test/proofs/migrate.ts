import { existsSync, readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KeyringSession, startKeyringSession } from '../fakes/keyring-session.ts';
import { temporaryFolder } from '../temporary.ts';
import { manage, type ProofAgent, startProofAgent } from './agent.ts';
import { configure } from './home.ts';
import { askPatiently, Ledger } from './ledger.ts';
import type { Proof, ProofOptions } from './proof.ts';
import { randomOf } from './random.ts';

const names = ['vault', 'keyring'] as const;
type Name = (typeof names)[number];
/**
 * What the kill interrupts: the copying, the removing of old copies, and what the start behind each does about it
 * (`undoing` the copies, `finishing` the removal).
 */
const phases = ['copying', 'removing', 'undoing', 'finishing'] as const;
type Phase = (typeof phases)[number];
/** Milliseconds at most between the beginning of a phase and the kill in it, at first: each that comes too late halves it. */
const REACH: Readonly<Record<Phase, number>> = { copying: 900, removing: 250, undoing: 150, finishing: 150 };

/** Milliseconds that the start behind a kill may take to undo or finish a migrate. */
const SETTLE_DEADLINE = 120_000;
/** Milliseconds of it after which `doctor --repair` is run: a busy keyring may have refused what the start tried. */
const REPAIR_AFTER = 10_000;

/**
 * Kills agents in every phase of a migrate, in both directions, and checks after each that it is up, that everything
 * acknowledged is served, that nothing erased is served, and that the backend that is not in use is empty.
 */
export const proveMigrate: Proof = async ({
  seed,
  from = 0,
  kills = 200,
  held = 60,
  direction,
  phase,
  isStopped,
  say,
}) => {
  const isPhase = (name: string | undefined) => name === undefined || phases.some((one) => one === name);
  const isName = (name: string | undefined) => name === undefined || names.some((one) => one === name);
  if (!isPhase(phase)) throw new Error(`--phase takes ${phases.join(', ')}`);
  if (!isName(direction)) throw new Error(`--direction takes ${names.join(', ')}: the backend that is migrated from`);
  const { path: home, remove } = temporaryFolder('proof-migrate');
  await using session = await startKeyringSession();
  try {
    configure(home, 'auto');
    const run = new MigrateRun({ home, session, seed, from, kills, held, direction, phase, isStopped, say });
    await run.play();
    return { wrong: run.wrong, counts: run.counts };
  } finally {
    remove();
  }
};

type RunOptions = ProofOptions & {
  readonly from: number;
  readonly kills: number;
  readonly held: number;
  readonly home: string;
  readonly session: KeyringSession;
};

class MigrateRun {
  readonly wrong: string[] = [];
  readonly #done = new Map<string, number>();
  readonly #ledger: Ledger;
  readonly #random: () => number;
  readonly #options: RunOptions;
  #agent: ProofAgent | undefined;
  readonly #reach = new Map<string, number>();
  #restarts = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#ledger = new Ledger(`m${options.seed}`);
    this.#random = randomOf(options.seed, options.from);
  }

  get counts(): Record<string, number> {
    return { ...Object.fromEntries(this.#done), acknowledged: this.#ledger.acknowledged, starts: this.#restarts };
  }

  async play(): Promise<void> {
    const { held, kills, isStopped = () => false, say } = this.#options;
    await this.#start();
    for (let at = 0; at < held; at++) await this.#ledger.store(this.#agent!, `h${at}.test`);
    for (let round = 0; this.#missing() > 0 && this.wrong.length < 10 && !isStopped(); round++) {
      await this.#round(round);
      if (round % 50 === 49) say(`${this.sum()}; ${this.#missing()} of ${this.#parts().length * kills} kills to go`);
    }
    say(this.sum());
    this.#agent?.kill();
    await this.#agent?.ended;
  }

  /** A line that sums up what was done. */
  sum(): string {
    const made = this.#parts().map(([from, phase]) => `${from} ${phase} ${this.#count(from, phase)}`);
    return `kills: ${made.join(', ')}; ${this.#ledger.acknowledged} acknowledged changes, ${this.wrong.length} wrong`;
  }

  /** The directions and phases that are to be cut. */
  #parts(): (readonly [Name, Phase])[] {
    const all = names.flatMap((from) => phases.map((phase) => [from, phase] as const));
    const { direction, phase: only } = this.#options;
    return all.filter(
      ([from, phase]) => (direction === undefined || from === direction) && (only === undefined || phase === only),
    );
  }

  /** How many kills are still to be made. */
  #missing(): number {
    const left = this.#parts().map(([from, phase]) => Math.max(0, this.#options.kills - this.#count(from, phase)));
    return left.reduce((sum, one) => sum + one, 0);
  }

  #count(from: Name, phase: Phase): number {
    return this.#done.get(`${from} ${phase}`) ?? 0;
  }

  #wants(from: Name, phase: Phase): boolean {
    const isAsked = this.#parts().some(([oneFrom, onePhase]) => oneFrom === from && onePhase === phase);
    return isAsked && this.#count(from, phase) < this.#options.kills;
  }

  /** One migrate, cut in a phase that lacks kills; then the next start, cut as well where that lacks kills; then the check. */
  async #round(round: number): Promise<void> {
    const from = await this.#backend();
    const to = from === 'vault' ? 'keyring' : 'vault';
    const isEarly = this.#wants(from, 'copying') || this.#wants(from, 'undoing');
    const isLate = this.#wants(from, 'removing') || this.#wants(from, 'finishing');
    // With nothing left to cut on this side the migrate goes through, to the side where there is.
    const first = isEarly && (!isLate || this.#random() < 0.5) ? 'copying' : isLate ? 'removing' : undefined;
    const before = first === undefined ? undefined : await this.#cut(from, to, first);
    if (first === undefined) {
      const answer = await askPatiently(this.#agent!, ...manage('backend-migrate', `name=${to}`));
      if (!answer.startsWith('status=ok')) this.wrong.push(`round ${round}: a migrate ended with ${answer}`);
    }
    const second = before && (first === 'copying' ? 'undoing' : 'finishing');
    if (second && this.#wants(from, second)) {
      await this.#start();
      await this.#sleepInto(from, second);
      this.#note(from, second, this.#phase() !== undefined);
      await this.#killed();
    }
    if (before) await this.#start();
    await this.#check(`round ${round}, ${from} to ${to}, cut while ${first}`);
    await this.#change();
  }

  /** Kills in the middle of a phase; undefined where the migrate was faster. */
  async #cut(from: Name, to: Name, phase: 'copying' | 'removing'): Promise<true | undefined> {
    const agent = this.#agent!;
    let isOver = false;
    const work = agent
      .ask(...manage('backend-migrate', `name=${to}`))
      .catch(() => '')
      .finally(() => {
        isOver = true;
      });
    // What comes meanwhile waits or is served; acknowledged, it counts.
    const beside = this.#change().catch(() => {});
    while (!isOver && this.#phase() !== phase) await sleep(1);
    await this.#sleepInto(from, phase);
    const cutIn = this.#phase();
    await this.#killed();
    await Promise.all([work, beside]);
    this.#note(from, phase, cutIn === phase);
    return true;
  }

  async #sleepInto(from: Name, phase: Phase): Promise<void> {
    await sleep(this.#random() * (this.#reach.get(`${from} ${phase}`) ?? REACH[phase]));
  }

  /** Counts a kill that fell into its phase; the next one behind a kill that came too late comes earlier. */
  #note(from: Name, phase: Phase, isHit: boolean): void {
    const key = `${from} ${phase}`;
    if (isHit) this.#done.set(key, (this.#done.get(key) ?? 0) + 1);
    else this.#reach.set(key, (this.#reach.get(key) ?? REACH[phase]) / 2);
  }

  /** The phase that the journal names. */
  #phase(): string | undefined {
    try {
      const [head = ''] = readFileSync(`${this.#options.home}/state/migrate.json`, 'utf8').split('\n');
      return JSON.parse(head).phase;
    } catch {
      return undefined;
    }
  }

  async #change(): Promise<void> {
    const { hosts } = this.#ledger;
    const [one, other] = [this.#random(), this.#random()].map((at) => Math.floor(at * hosts.length));
    await this.#ledger.erase(this.#agent!, hosts[one!]!);
    if (one !== other) await this.#ledger.store(this.#agent!, hosts[other!]!);
  }

  async #start(): Promise<void> {
    this.#agent = await startProofAgent(this.#options.home, this.#options.session.env);
    this.#restarts++;
  }

  async #killed(): Promise<void> {
    this.#agent!.kill();
    await this.#agent!.ended;
  }

  async #backend(): Promise<Name> {
    const answer = await this.#agent!.ask(...manage('status'));
    return /^backend=vault$/m.test(answer) ? 'vault' : 'keyring';
  }

  async #check(where: string): Promise<void> {
    const wrong = await this.#ledger.check(this.#agent!);
    const until = Date.now() + SETTLE_DEADLINE;
    for (let repairAt = Date.now() + REPAIR_AFTER; this.#phase() !== undefined; await sleep(20)) {
      if (Date.now() >= repairAt) {
        await this.#agent!.ask(...manage('repair'));
        repairAt = Date.now() + REPAIR_AFTER;
      }
      if (Date.now() < until) continue;
      wrong.push(`unfinished after ${SETTLE_DEADLINE / 1_000} s: ${await this.#agent!.ask(...manage('status'))}`);
      break;
    }
    const backend = await this.#backend();
    const left = backend === 'vault' ? await this.#itemsInKeyring() : this.#rowsInVault();
    if (left !== 0) wrong.push(`${left} left over in the backend that is not in use`);
    this.wrong.push(...wrong.map((what) => `${where}: ${what}`));
  }

  /** Rows of the vault's file, which is closed while the keyring is in use. */
  #rowsInVault(): number {
    const file = `${this.#options.home}/state/vault.db`;
    if (!existsSync(file)) return 0;
    using sqlite = new DatabaseSync(file, { readOnly: true });
    return Number(sqlite.prepare('SELECT count(*) AS count FROM record').get()?.count);
  }

  /** Items of the keyring, whoever made them, but the key of our index. */
  async #itemsInKeyring(): Promise<number> {
    const collection = '/org/freedesktop/secrets/collection/login';
    const { session } = this.#options;
    const answer = await session.run(
      'dbus-send',
      '--session',
      '--print-reply',
      '--dest=org.freedesktop.secrets',
      collection,
      'org.freedesktop.DBus.Properties.Get',
      'string:org.freedesktop.Secret.Collection',
      'string:Items',
    );
    const all = answer.match(/object path/g)?.length ?? 0;
    return Math.max(0, all - 1);
  }
}
