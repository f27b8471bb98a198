import { join } from 'node:path';
import { CommandFailure } from '../cli/failure.ts';
import { readIfThere } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';
import { onPath } from './on-path.ts';
import { run } from './run.ts';
import { urlOption } from './target-option.ts';
import type { SetupTool } from './tool.ts';

const GROUP = 'client.authentication.k8s.io';
/** The first kubectl that knows version v1 of the protocol. */
const MINOR_OF_V1 = 22;

/**
 * kubectl and all that read a kubeconfig: a user of its own for one context, whose token or certificate keyhold gives.
 * The user that the context had stays where it is.
 */
export const kubectl: SetupTool = {
  name: 'kubectl',
  summary: 'kubectl takes the token or certificate of a cluster from keyhold',
  gain: 'no token or key in a kubeconfig in plain text',
  options: [
    { flags: '--context <name>', summary: 'the context of your kubeconfig' },
    { flags: '--for <url>', summary: 'what the token is kept for; without it the address of the cluster' },
  ],
  detect: (ground) => onPath(ground, 'kubectl', 'oc', 'k9s', 'helm'),
  async plan(ground, { option, program }) {
    const context = option('context');
    if (!context) {
      throw new CommandFailure(2, 'cannot set up kubectl: it needs --context; see: kubectl config get-contexts');
    }
    const file = fileOf(ground);
    const { user, server } = await contextIn(file, context);
    const given = option('for') ?? server;
    if (given === undefined) {
      throw new CommandFailure(2, `cannot set up kubectl: ${context} has no cluster with an address; give it by --for`);
    }
    const { url } = urlOption(given);
    const name = `keyhold-${context}`;
    const isV1 = minorOf(ground) >= MINOR_OF_V1;
    const exec = {
      apiVersion: `${GROUP}/${isV1 ? 'v1' : 'v1beta1'}`,
      command: program('keyhold-helper'),
      args: ['kubectl', 'get', url],
      ...(isV1 ? { interactiveMode: 'Never' } : {}),
    };
    return {
      files: [
        {
          file,
          edits: [
            { kind: 'yaml', path: ['users', `name=${name}`], value: { name, user: { exec } } },
            { kind: 'yaml', path: ['contexts', `name=${context}`, 'context', 'user'], value: name, replaces: true },
          ],
        },
      ],
      links: [],
      notices: user === undefined || user === name ? [] : [`the user ${user} stays in ${file}, with all that it holds`],
    };
  },
};

/** kubectl writes to the first file of KUBECONFIG. */
function fileOf({ environment, home }: Ground): string {
  const [first] = (environment['KUBECONFIG'] ?? '').split(':').filter((path) => path !== '');
  if (first !== undefined && !first.startsWith('/')) {
    throw new CommandFailure(2, 'cannot set up kubectl: KUBECONFIG begins with no absolute path');
  }
  return first ?? join(home, '.kube', 'config');
}

type Context = { readonly user: string | undefined; readonly server: string | undefined };

async function contextIn(file: string, name: string): Promise<Context> {
  const { parse } = await import('yaml');
  const document = readable(() => parse(readIfThere(file)?.toString('utf8') ?? ''), file) as Config | null;
  const context = document?.contexts?.find((one) => one.name === name)?.context;
  if (!context) throw new CommandFailure(2, `cannot set up kubectl: ${file} has no context of that name`);
  const cluster = document?.clusters?.find((one) => one.name === context.cluster)?.cluster;
  return { user: context.user, server: cluster?.server };
}

type Config = {
  readonly contexts?: readonly { name?: string; context?: { user?: string; cluster?: string } }[];
  readonly clusters?: readonly { name?: string; cluster?: { server?: string } }[];
};

function readable<T>(read: () => T, file: string): T {
  try {
    return read();
  } catch {
    throw new CommandFailure(1, `cannot set up kubectl: ${file} is not YAML that can be read`);
  }
}

/** kubectl's minor version; that of version v1 where it cannot be asked. */
function minorOf({ environment }: Ground): number {
  try {
    const { stdout } = run('kubectl', ['version', '--client', '-o', 'json'], environment);
    const { clientVersion } = JSON.parse(stdout) as { clientVersion: { minor: string } };
    return Number.parseInt(clientVersion.minor, 10) || MINOR_OF_V1;
  } catch {
    return MINOR_OF_V1;
  }
}
