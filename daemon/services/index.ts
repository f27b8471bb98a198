import { agentItself, type Caller } from '../socket/caller.ts';
import type { Acting } from './actor.ts';
import { Logins } from './login.ts';
import type { RequestParts, ServicesParts } from './parts.ts';
import { Rechecks } from './recheck.ts';
import { Rotations } from './rotate/rotate.ts';
import { Verdicts } from './verdicts.ts';

/** What the actions that ask a service share: the parts to ask with, and what is half-finished between two requests. */
export class Services {
  readonly rechecks: Rechecks;
  readonly rotations: Rotations;
  readonly logins: Logins;
  readonly #parts: ServicesParts & Pick<RequestParts, 'verdicts' | 'rechecks'>;

  constructor(parts: ServicesParts) {
    const verdicts = new Verdicts(parts);
    this.rechecks = new Rechecks({ ...parts, verdicts, caller: agentItself });
    this.#parts = { ...parts, verdicts, rechecks: this.rechecks };
    this.logins = new Logins(parts.clock);
    this.rotations = new Rotations(parts);
  }

  /** For one request: among several logins the account that its caller's profile names makes the calls. */
  partsFor(acting: Acting, caller: Caller): RequestParts {
    return { ...this.#parts, acting, caller };
  }

  dispose(): void {
    this.logins.dispose();
    this.rechecks.dispose();
  }
}
