import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { exitCodeOf } from '../../protocol/status.ts';
import { printable } from '../../protocol/text.ts';
import { CommandFailure } from './failure.ts';
import { HiddenLine } from './hidden-line.ts';

/** What a shell reports for a program that ctrl-C ended. */
export const INTERRUPTED = 130;

/** How long the terminal is read on after Enter, in ms: the rest of a paste must not land in the shell. */
const SETTLE = 50;
/** Most bytes of typed-ahead input that are thrown away: more than a terminal's queue holds (4,096, termios(3)). */
const TYPED_AHEAD_MAX = 65_536;
/** Characters of an answer that are shown. */
const ECHO_MAX = 60;

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
    await typeInto(line, `${printable(question)}: `, false);
    if (line.state === 'cancelled') throw new CommandFailure(INTERRUPTED, 'interrupted; nothing was changed');
    if (line.fault) throw new CommandFailure(exitCodeOf('bad-request'), `cannot take ${what}: ${line.fault}`);
    return line.bytes();
  } finally {
    line.dispose();
  }
}

/**
 * Reads one visible line from the terminal; undefined at ctrl-C. A line with a control byte in it, or with a second line pasted
 * behind it, is the empty answer.
 */
export async function readAnswer(question: string): Promise<string | undefined> {
  const line = new HiddenLine();
  try {
    await typeInto(line, question, true);
    if (line.state === 'cancelled') return undefined;
    return line.fault ? '' : Buffer.from(line.bytes()).toString('latin1');
  } finally {
    line.dispose();
  }
}

/**
 * Throws away what was typed or pasted before now, also a line without its Enter: an answer belongs to the question that the
 * user has read. A prompt of another library calls it before it reads.
 */
export function dropTypedAhead(): void {
  const keys = new ReadStream(openTerminal());
  try {
    keys.setRawMode(true);
    drain();
  } finally {
    keys.setRawMode(false);
    keys.destroy();
  }
}

async function typeInto(line: HiddenLine, question: string, isShown: boolean): Promise<void> {
  const terminal = openTerminal();
  const keys = new ReadStream(terminal);
  try {
    keys.setRawMode(true);
    drain();
    writeSync(terminal, question);
    await new Promise<void>((resolve) => {
      let settling: NodeJS.Timeout | undefined;
      let shown = '';
      keys.on('data', (typed: Buffer) => {
        line.feed(typed);
        typed.fill(0);
        if (isShown) shown = echo(terminal, shown, line);
        if (line.state === 'open') return;
        clearTimeout(settling);
        settling = setTimeout(resolve, SETTLE);
      });
      // The terminal was closed: an answer cannot come any more.
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

/** Shows what changed of a visible line. Answers what stands on the screen now, one column for each character. */
function echo(terminal: number, before: string, line: HiddenLine): string {
  const after = Buffer.from(line.bytes())
    .toString('latin1')
    .slice(0, ECHO_MAX)
    .replace(/[^ -~]/g, '?');
  let common = 0;
  while (common < before.length && before[common] === after[common]) common++;
  writeSync(terminal, '\b \b'.repeat(before.length - common) + after.slice(common));
  return after;
}

/** Empties the terminal's input queue. In raw mode, where the queue holds also what has no Enter behind it. */
function drain(): void {
  const descriptor = openSync('/dev/tty', constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  const room = Buffer.alloc(4_096);
  try {
    for (let left = TYPED_AHEAD_MAX; left > 0; ) {
      const length = readSync(descriptor, room);
      if (length === 0) return;
      left -= length;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  } finally {
    room.fill(0);
    closeSync(descriptor);
  }
}

function openTerminal(): number {
  try {
    return openSync('/dev/tty', 'r+');
  } catch {
    throw nobodyToAsk('a secret', 'pass --stdin or --fd N');
  }
}
