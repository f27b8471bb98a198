import type { Adapter } from './adapter.ts';
import { askpass } from './askpass.ts';
import { aws } from './aws.ts';
import { bazel } from './bazel.ts';
import { cargo } from './cargo.ts';
import { docker } from './docker.ts';
import { git } from './git.ts';
import { goauth } from './goauth.ts';
import { header } from './header.ts';
import { keyhold } from './keyhold.ts';
import { keyring } from './keyring.ts';
import { kubectl } from './kubectl.ts';
import { pnpm } from './pnpm.ts';
import { terraform } from './terraform.ts';

/** Every adapter, listed by hand. The build makes the thin client's table from this list. */
export const adapters: readonly Adapter[] = [
  git,
  askpass,
  aws,
  bazel,
  cargo,
  docker,
  goauth,
  header,
  keyhold,
  keyring,
  kubectl,
  pnpm,
  terraform,
];

const byProgram = new Map(
  adapters.flatMap((adapter) => adapter.programs.map((program) => [program, adapter] as const)),
);

/** The adapter that answers to the name a helper was called by; undefined if none does. */
export function adapterFor(program: string): Adapter | undefined {
  const at = program.indexOf('@');
  return byProgram.get(program) ?? (at > 0 ? byProgram.get(`${program.slice(0, at)}@*`) : undefined);
}
