import { printable } from '../../protocol/text.ts';
import { CommandFailure } from './failure.ts';
import { hasPerson, INTERRUPTED, readAnswer } from './terminal.ts';

export type Consent = {
  /** `--yes`: the answer was given beforehand. */
  readonly yes?: boolean | undefined;
  /** False by `--no-input`: the user must not be asked. */
  readonly input?: boolean | undefined;
};

/**
 * Asks before a command takes something away. Returns when the user agreed. Exit 6 where the user cannot be asked, 1 when
 * the answer is no, 130 at ctrl-C.
 */
export async function confirm(question: string, { yes, input }: Consent): Promise<void> {
  if (yes) return;
  if (!canAsk(input)) {
    throw new CommandFailure(6, `cannot ask "${question}": no person is there; pass --yes`);
  }
  if (!(await askYesNo(question))) throw new CommandFailure(1, 'nothing was changed');
}

/** Whether a question can be asked at all: `--no-input` was not given, and the answer and the question have a terminal. */
export function canAsk(input: boolean | undefined): boolean {
  return hasPerson(input !== false) && process.stderr.isTTY === true;
}

/**
 * Asks a question at the terminal. True only for `y` or `yes` and Enter: no single key answers, and what was typed or pasted
 * before the question appeared is thrown away. Throws a `CommandFailure` with 130 at ctrl-C.
 */
export async function askYesNo(question: string): Promise<boolean> {
  const answer = await readAnswer(`${printable(question)} [y/N] `);
  if (answer === undefined) throw new CommandFailure(INTERRUPTED, 'interrupted; nothing was changed');
  return /^\s*y(es)?\s*$/i.test(answer);
}
