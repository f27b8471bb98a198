import { setTimeout as sleep } from 'node:timers/promises';
import type { ProofAgent } from './agent.ts';

/** Requests that a check sends before it waits for their answers. */
const AT_ONCE = 64;
/** Milliseconds that a request is sent again for while the backend is not there yet. */
const PATIENCE = 60_000;

/**
 * What an agent acknowledged, over all its lives: for each host the value that must be served, or none. A change that was
 * under way at a kill may have been made or not; the check takes either, and what it found counts from then on.
 */
export class Ledger {
  readonly #values = new Map<string, string | undefined>();
  readonly #open = new Map<string, (string | undefined)[]>();
  #made = 0;
  #number = 0;
  readonly #prefix: string;

  /** `prefix` tells the values of one run from those of another. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** How many changes were acknowledged. */
  get acknowledged(): number {
    return this.#made;
  }
  get hosts(): readonly string[] {
    return [...this.#values.keys()];
  }
  get held(): number {
    return [...this.#values.values()].filter((value) => value !== undefined).length;
  }

  isHeld(host: string): boolean {
    return this.#values.get(host) !== undefined;
  }

  /** A value that no host had before. */
  fresh(): string {
    return `${this.#prefix}-${this.#number++}-EXAMPLE`;
  }

  /** Notes what a host has without asking: a home that was filled before. */
  know(host: string, value: string): void {
    this.#values.set(host, value);
  }

  /** Stores a value, and answers whether that was acknowledged. */
  async store(agent: ProofAgent, host: string, value = this.fresh()): Promise<boolean> {
    return this.#change(host, value, agent.ask(...storeLines(host, value)), /^status=ok/);
  }

  /** Erases, and answers whether that was acknowledged. */
  async erase(agent: ProofAgent, host: string): Promise<boolean> {
    const lines = ['action=erase', 'capability[]=keyhold', 'protocol=https', `host=${host}`];
    return this.#change(host, undefined, agent.ask(...lines), /^status=(ok|not-found)/);
  }

  /**
   * Asks for each of the hosts, and says what is not as acknowledged. The requests that are sent together are the last where one
   * of their answers is wrong: with a backend that is gone, all of a thousand would wait out their patience in turn.
   */
  async check(agent: ProofAgent, hosts: readonly string[] = this.hosts): Promise<string[]> {
    const wrong: string[] = [];
    for (let at = 0; at < hosts.length; at += AT_ONCE) {
      await Promise.all(
        hosts.slice(at, at + AT_ONCE).map(async (host) => {
          const found = await this.#found(agent, host);
          const should = this.#values.get(host);
          const may = this.#open.get(host) ?? [];
          if (found instanceof Error) wrong.push(`${host}: ${found.message}`);
          else if (found !== should && !may.includes(found)) {
            wrong.push(`${host}: served ${found ?? 'nothing'}, acknowledged ${should ?? 'an erase'}`);
          } else {
            this.#values.set(host, found);
            this.#open.delete(host);
          }
        }),
      );
      if (wrong.length > 0) break;
    }
    return wrong;
  }

  async #change(host: string, value: string | undefined, asked: Promise<string>, isDone: RegExp): Promise<boolean> {
    const open = this.#open.get(host) ?? [];
    open.push(value);
    this.#open.set(host, open);
    const answer = await asked.catch(() => undefined);
    // Cut off, locked or unavailable: it may have been made all the same, and stays open.
    if (answer === undefined || !isDone.test(answer)) return false;
    this.#made++;
    this.#values.set(host, value);
    this.#open.delete(host);
    return true;
  }

  async #found(agent: ProofAgent, host: string): Promise<string | undefined | Error> {
    const lines = ['action=get', 'capability[]=keyhold', 'protocol=https', `host=${host}`];
    const answer = await askPatiently(agent, ...lines).catch((error: Error) => error);
    if (answer instanceof Error) return answer;
    if (answer.startsWith('status=not-found')) return undefined;
    const value = /^password=(.*)$/m.exec(answer)?.[1];
    return value ?? new Error(answer.replaceAll('\n', ' '));
  }
}

/**
 * Sends a request again while the answer is that the backend is not there: a keyring that was started a moment ago, on a
 * machine at work, may need some time; it may not need for ever. Answers the last reply; rejects when the agent goes first.
 */
export async function askPatiently(agent: ProofAgent, ...lines: string[]): Promise<string> {
  let answer = await agent.ask(...lines);
  for (const until = Date.now() + PATIENCE; isLater(answer) && Date.now() < until; ) {
    await sleep(500);
    answer = await agent.ask(...lines);
  }
  return answer;
}

/** Whether an answer says that the backend is not there yet. */
export function isLater(answer: string): boolean {
  return /^status=(unavailable|locked)/.test(answer);
}

export function storeLines(host: string, value: string): string[] {
  return [
    'action=store',
    'capability[]=keyhold',
    'protocol=https',
    `host=${host}`,
    'username=ada',
    `password=${value}`,
  ];
}
