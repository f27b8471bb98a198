import { Desk, type DeskParts } from './desk.ts';
import { Logins } from './login.ts';
import { Rotations } from './rotate.ts';

/** What the actions that ask a service share: where services are spoken to, and what is half-finished between two requests. */
export class Services {
  readonly desk: Desk;
  readonly rotations: Rotations;
  readonly logins: Logins;

  constructor(parts: DeskParts) {
    this.desk = new Desk(parts);
    this.logins = new Logins(parts.clock);
    this.rotations = new Rotations(this.desk);
  }

  dispose(): void {
    this.logins.dispose();
    this.desk.rechecks.dispose();
  }
}
