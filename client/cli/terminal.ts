import { openSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { exitCodeOf } from '../../protocol/status.ts';
import { printable } from '../../protocol/text.ts';
import { CommandFailure } from './failure.ts';
import { HiddenLine } from './hidden-line.ts';

/** What a shell reports for a program that ctrl-C ended. */
export const INTERRUPTED = 130;

/** Milliseconds for which what is still being pasted behind an entered line is thrown away. */
const SETTLE = 50;

/** Whether somebody can be asked: a terminal is there, and --no-input was not given. */
export function hasPerson(input: boolean): boolean {
  return input && process.stdin.isTTY === true;
}

/** What ends a command that would have to ask. `pass` says what to pass instead. */
export function nobodyToAsk(what: string, pass: string): CommandFailure {
  return new CommandFailure(exitCodeOf('interaction-required'), `cannot ask for ${what}: no person is there; ${pass}`);
}

/**
 * Reads one line from the terminal without showing it; the bytes are the caller's to wipe. Throws a `CommandFailure`
 * with 130 at ctrl-C, and with 2 if the line cannot be a secret.
 */
export async function readHidden(what: string, question: string): Promise<Uint8Array> {
  const line = new HiddenLine();
  try {
    await typeInto(line, `${printable(question)}: `);
    if (line.state === 'cancelled') throw new CommandFailure(INTERRUPTED, 'interrupted; nothing was changed');
    if (line.fault) throw new CommandFailure(exitCodeOf('bad-request'), `cannot take ${what}: ${line.fault}`);
    return line.bytes();
  } finally {
    line.dispose();
  }
}

async function typeInto(line: HiddenLine, question: string): Promise<void> {
  const terminal = openTerminal();
  const keys = new ReadStream(terminal);
  try {
    keys.setRawMode(true);
    writeSync(terminal, question);
    await new Promise<void>((resolve) => {
      let settling: NodeJS.Timeout | undefined;
      keys.on('data', (typed: Buffer) => {
        line.feed(typed);
        typed.fill(0);
        if (line.state === 'open') return;
        clearTimeout(settling);
        settling = setTimeout(resolve, line.fault ? SETTLE : 0);
      });
      // The terminal went away, and with it whoever could answer.
      const gone = () => {
        line.feed(Uint8Array.of(0x03));
        resolve();
      };
      keys.on('end', gone);
      keys.on('error', gone);
    });
  } finally {
    if (!keys.destroyed) {
      keys.setRawMode(false);
      writeSync(terminal, '\n');
      keys.destroy();
    }
  }
}

function openTerminal(): number {
  try {
    return openSync('/dev/tty', 'r+');
  } catch {
    throw nobodyToAsk('a secret', 'pass --stdin or --fd N');
  }
}
