import type { Ground } from '../install/ground.ts';
import { askpass } from './askpass.ts';
import { aws } from './aws.ts';
import { bazel } from './bazel.ts';
import { cargo } from './cargo.ts';
import { docker } from './docker.ts';
import { go } from './go.ts';
import { kubectl } from './kubectl.ts';
import { onPath } from './on-path.ts';
import { undo } from './planned.ts';
import { pnpm } from './pnpm.ts';
import { podman } from './podman.ts';
import { pip, twine, uv } from './python.ts';
import { findServiceManager } from './service-manager.ts';
import { terraform } from './terraform.ts';
import type { KnownTool, SetupTool } from './tool.ts';

/** Every tool that is set up by a plan, listed by hand: a new one is its file here and its line. */
export const setupTools: readonly SetupTool[] = [
  docker,
  podman,
  cargo,
  kubectl,
  aws,
  terraform,
  pnpm,
  pip,
  uv,
  twine,
  go,
  bazel,
  askpass,
];

/** The tools that have a way of their own. */
export const gitTool: KnownTool = {
  name: 'git',
  summary: 'git asks keyhold for every credential over HTTP',
  gain: 'no password prompt, and no token in ~/.git-credentials',
  detect: (ground) => onPath(ground, 'git'),
};
export const systemdTool: KnownTool = {
  name: 'systemd',
  summary: 'the agent starts by a socket of your service manager',
  gain: 'the agent is there from the first request on, and its log is in the journal',
  detect: (ground) => (findServiceManager(ground) ? 'systemctl --user' : undefined),
};

/** All of them, in the order in which `setup --list` shows them. */
export const knownTools: readonly KnownTool[] = [gitTool, ...setupTools, systemdTool];

/** Takes back every planned setup. Answers what was done, in words for people. */
export async function undoAll(ground: Ground): Promise<string[]> {
  const done: string[] = [];
  for (const { name } of setupTools) {
    const { files, links } = await undo(ground, name, { dryRun: false });
    const paths = [...files.filter(({ how }) => how !== 'nothing').map(({ file }) => file), ...links];
    if (paths.length > 0) done.push(`${name} set up no more: ${paths.join(', ')}`);
  }
  return done;
}
