import { KeyholdError } from '../../protocol/errors.ts';
import type { Environment } from '../install/ground.ts';
import { runProgram } from '../programs.ts';

/** Milliseconds that a program may take before it is killed. */
const DEADLINE = 20_000;
/** Bytes of its output that are read. */
const OUTPUT_MAX = 16 << 20;

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a program to its end. Throws `not_found` if there is none, `deadline` if it does not end in time. */
export function run(program: string, args: readonly string[], environment: Environment, cwd?: string): Ran {
  const { error, status, stdout, stderr } = runProgram(program, args, {
    environment: { ...environment, LC_ALL: 'C' },
    cwd,
    deadline: DEADLINE,
    outputMax: OUTPUT_MAX,
  });
  if (error?.code === 'ENOENT') {
    const rule = 'it is not installed, or lies in a folder that another user may write';
    throw new KeyholdError('not_found', `cannot run ${program}: ${rule}`);
  }
  if (error || status === null) {
    throw new KeyholdError('deadline', `cannot run ${program}: it did not end within ${DEADLINE / 1_000} s`);
  }
  return { code: status, stdout, stderr };
}
