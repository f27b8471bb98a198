import { CommandFailure } from './failure.ts';
import { INTERRUPTED } from './terminal.ts';

export type Consent = {
  /** `--yes`: the answer was given beforehand. */
  readonly yes?: boolean | undefined;
  /** False by `--no-input`: nobody may be asked. */
  readonly input?: boolean | undefined;
};

/**
 * Asks before something is taken away. Returns when the person agreed. Exit 6 where nobody can be asked, 1 when the
 * answer is no, 130 at ctrl-C.
 */
export async function confirm(question: string, { yes, input }: Consent): Promise<void> {
  if (yes) return;
  if (input === false || !process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CommandFailure(6, `cannot ask "${question}": no person is there; pass --yes`);
  }
  const { confirm: ask, isCancel } = await import('@clack/prompts');
  const answer = await ask({ message: question, initialValue: false, output: process.stderr });
  if (isCancel(answer)) throw new CommandFailure(INTERRUPTED, 'interrupted; nothing was changed');
  if (!answer) throw new CommandFailure(1, 'nothing was changed');
}
