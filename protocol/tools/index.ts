import type { Adapter } from './adapter.ts';
import { git } from './git.ts';
import { keyhold } from './keyhold.ts';

/** Every adapter, listed by hand. The build makes the thin client's table from this list. */
export const adapters: readonly Adapter[] = [git, keyhold];

const byProgram = new Map(
  adapters.flatMap((adapter) => adapter.programs.map((program) => [program, adapter] as const)),
);

/** The adapter that answers to the name a helper was called by; undefined if none does. */
export function adapterFor(program: string): Adapter | undefined {
  const at = program.indexOf('@');
  return byProgram.get(program) ?? (at > 0 ? byProgram.get(`${program.slice(0, at)}@*`) : undefined);
}
