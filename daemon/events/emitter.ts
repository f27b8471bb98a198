import type { AgentEvent, Emit } from './agent-event.ts';

/** Passes each event of the agent on to its subscribers, in the order in which they came: the log, watchers, waiting requests. */
export class Emitter {
  readonly #subscribers: Emit[] = [];

  /** The subscriber is called within the emit: what takes longer it does later. */
  subscribe(subscriber: Emit): void {
    this.#subscribers.push(subscriber);
  }

  readonly emit: Emit = (event: AgentEvent) => {
    for (const subscriber of this.#subscribers) subscriber(event);
  };
}
