import { KeyholdError } from '../protocol/errors.ts';

/** A line of a stack: a function's name and a place in the code. */
const FRAME = /^ {4}at [^\n]*:\d+:\d+\)?$/;
/** Frames that are told. */
const FRAMES_MAX = 8;

/**
 * What may be said about an error that nobody handled: of which kind it is and where in the code. Never its message:
 * a library's may quote what it was about (JSON.parse quotes what it could not read, and that may be a secret).
 */
export function describeFatal(error: unknown): { readonly code: string; readonly where: string } {
  if (!(error instanceof Error)) return { code: typeof error, where: '' };
  const code = error instanceof KeyholdError ? error.code : ((error as NodeJS.ErrnoException).code ?? error.name);
  const frames = (error.stack ?? '').split('\n').filter((line) => FRAME.test(line));
  const where = frames.slice(0, FRAMES_MAX).map((line) => line.trim());
  return { code: String(code), where: where.join(' ') };
}
