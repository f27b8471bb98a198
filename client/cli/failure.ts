/**
 * Ends a command with an exit code of protocol/status.ts (or 130 after ctrl-C) and one line on standard error. An empty
 * message ends it silently.
 */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
