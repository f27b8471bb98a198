import type { Target } from '../../../protocol/credential.ts';
import type { Backend, Held } from '../../backends/backend.ts';

export type HostsFirstParts = {
  /** Whether a backend is being opened. */
  readonly isOpening: () => boolean;
  /** Whether the person has locked the credentials. */
  readonly isLocked: () => boolean;
  /** Takes in what rests for a host. */
  readonly learn: (held: Held) => void;
};

/** Learns single hosts before all else while a backend is opened, so that a request for one does not wait for the whole list. */
export class HostsFirst {
  readonly #parts: HostsFirstParts;
  /** The backend whose list is being read, and the hosts of which everything is known already. */
  #listing: Backend | undefined;
  readonly #known = new Set<string>();
  /** Settles when a list begins to be read, or nothing came of the opening. */
  #begins = Promise.withResolvers<void>();

  constructor(parts: HostsFirstParts) {
    this.#parts = parts;
  }

  /** A backend's list begins to be read. */
  begin(backend: Backend): void {
    this.#listing = backend;
    this.#begins.resolve();
  }

  /** The list is read, or the opening failed. */
  end(): void {
    this.#listing = undefined;
    this.#begins.resolve();
    this.#begins = Promise.withResolvers();
    this.#known.clear();
  }

  /** Single hosts are not served any more until their backend has been asked again. */
  forget(): void {
    this.#known.clear();
  }

  /** Asks the backend for what rests for a target's host. False where it cannot say so before its list is read. */
  async learn(target: Target): Promise<boolean> {
    const { isOpening, isLocked, learn } = this.#parts;
    // It may come before the backend is there at all.
    while (isOpening() && !this.#listing) await this.#begins.promise;
    const backend = this.#listing;
    if (!backend?.heldFor || isLocked()) return false;
    if (!this.#known.has(hostOf(target))) {
      const held = await backend.heldFor(target).catch(() => undefined);
      if (!held || this.#listing !== backend) return false;
      for (const one of held) learn(one);
      this.#known.add(hostOf(target));
    }
    return this.isKnown(target);
  }

  /** Whether everything that rests for a target's host is known while all else is still being read. */
  isKnown(target: Target): boolean {
    return this.#listing !== undefined && this.#known.has(hostOf(target));
  }
}

function hostOf({ protocol, host }: Target): string {
  return `${protocol}\0${host}`;
}
