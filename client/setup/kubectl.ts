import { statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isServerOf } from '../../protocol/tools/url.ts';
import { CommandFailure } from '../cli/failure.ts';
import { readIfThere } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';
import { onPath } from './on-path.ts';
import { run } from './run.ts';
import { urlOption } from './target-option.ts';
import type { SetupTool } from './tool.ts';

const GROUP = 'client.authentication.k8s.io';
/** The first kubectl that can say to a plugin which server it asks for (`provideClusterInfo`). */
const MINOR_OF_CLUSTER = 20;
/**
 * Characters of a cluster's authority, as base64, with which kubectl can still say so: it hands all of it to the plugin in one
 * variable, of which a line of ours (65,535 bytes) must have room for the rest.
 */
const AUTHORITY_MAX = 56_000;
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
  account: 'named',
  options: [
    { flags: '--context <name>', summary: 'the context of your kubeconfig' },
    { flags: '--for <url>', summary: 'what the token is kept for; without it the address of the cluster' },
    { flags: '--server <url>', summary: 'where a token kept for another URL may go: the address of the cluster' },
  ],
  detect: (ground) => onPath(ground, 'kubectl', 'oc', 'k9s', 'helm'),
  async plan(ground, { option, account, program }) {
    const context = option('context');
    if (!context) {
      throw new CommandFailure(2, 'cannot set up kubectl: it needs --context; see: kubectl config get-contexts');
    }
    const file = fileOf(ground);
    const { user, server, authority, beside } = await contextIn(file, context);
    const given = option('for') ?? server;
    if (given === undefined) {
      throw new CommandFailure(2, `cannot set up kubectl: ${context} has no cluster with an address; give it by --for`);
    }
    const { url } = urlOption(given);
    const pinned = pinnedServer(context, url, server, option('server'));
    const name = `keyhold-${context}`;
    const minor = minorOf(ground);
    const isV1 = minor >= MINOR_OF_V1;
    const says = minor >= MINOR_OF_CLUSTER && authority <= AUTHORITY_MAX;
    const exec = {
      apiVersion: `${GROUP}/${isV1 ? 'v1' : 'v1beta1'}`,
      command: program('keyhold-helper'),
      args: [
        ...['kubectl', 'get', url],
        ...(says && pinned === url ? [] : ['--server', pinned]),
        ...(account === undefined ? [] : ['--account', account]),
      ],
      ...(isV1 ? { interactiveMode: 'Never' } : {}),
      ...(says ? { provideClusterInfo: true } : {}),
    };
    const why = minor < MINOR_OF_CLUSTER ? 'it is older than 1.20' : "the cluster's certificate authority is too long";
    const unchecked = `kubectl cannot say which server it asks for (${why}): keep others from changing the address of ${context} in ${file}`;
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
      notices: [
        ...(user === undefined || user === name ? [] : [`the user ${user} stays in ${file}, with all that it holds`]),
        ...(says ? [] : [unchecked]),
        ...(account === undefined && beside.length > 0 ? [sharedServer(context, beside)] : []),
      ],
    };
  },
};

function sharedServer(context: string, beside: readonly string[]): string {
  return `${context} has the server of ${beside.join(', ')}: where that server has a token for each, name the account by --account`;
}

/**
 * The server that the token may be sent to. Where it is kept for another URL than the cluster's address, the person has to say
 * so by naming that address, too.
 */
function pinnedServer(context: string, url: string, server: string | undefined, given: string | undefined): string {
  const wanted = given === undefined ? undefined : urlOption(given).url;
  if (server === undefined) return wanted ?? url;
  const { target, url: real } = urlOption(server);
  if (wanted !== undefined && wanted !== real) {
    throw new CommandFailure(
      2,
      `cannot set up kubectl: --server is ${wanted}, and the address of ${context} is ${real}`,
    );
  }
  if (wanted === undefined && !isServerOf(target, urlOption(url).target)) {
    throw new CommandFailure(
      2,
      `cannot set up kubectl: the token kept for ${url} would go to ${real}, the address of ${context}; if that is meant, add: --server ${real}`,
    );
  }
  return isServerOf(target, urlOption(url).target) ? url : real;
}

/** kubectl writes to the first file of KUBECONFIG. */
function fileOf({ environment, home }: Ground): string {
  const [first] = (environment['KUBECONFIG'] ?? '').split(':').filter((path) => path !== '');
  if (first !== undefined && !first.startsWith('/')) {
    throw new CommandFailure(2, 'cannot set up kubectl: KUBECONFIG begins with no absolute path');
  }
  return first ?? join(home, '.kube', 'config');
}

type Context = {
  readonly user: string | undefined;
  readonly server: string | undefined;
  /** Characters of the cluster's authority as base64. */
  readonly authority: number;
  /** Other contexts with that server. */
  readonly beside: readonly string[];
};

async function contextIn(file: string, name: string): Promise<Context> {
  const { parse } = await import('yaml');
  const document = readable(() => parse(readIfThere(file)?.toString('utf8') ?? ''), file) as Config | null;
  const context = document?.contexts?.find((one) => one.name === name)?.context;
  if (!context) throw new CommandFailure(2, `cannot set up kubectl: ${file} has no context of that name`);
  const clusterOf = (wanted: string | undefined) => document?.clusters?.find((one) => one.name === wanted)?.cluster;
  const cluster = clusterOf(context.cluster);
  const server = cluster?.server;
  const beside = (document?.contexts ?? []).flatMap((one) =>
    one.name !== name && server !== undefined && clusterOf(one.context?.cluster)?.server === server
      ? [String(one.name)]
      : [],
  );
  return { user: context.user, server, authority: authorityLength(cluster, dirname(file)), beside };
}

type Config = {
  readonly contexts?: readonly { name?: string; context?: { user?: string; cluster?: string } }[];
  readonly clusters?: readonly { name?: string; cluster?: Cluster }[];
};

type Cluster = {
  readonly server?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'certificate-authority'?: string;
};

function authorityLength(cluster: Cluster | undefined, folder: string): number {
  const data = cluster?.['certificate-authority-data'];
  if (data !== undefined) return data.length;
  const file = cluster?.['certificate-authority'];
  const size = file === undefined ? 0 : (statSync(resolve(folder, file), { throwIfNoEntry: false })?.size ?? 0);
  return Math.ceil(size / 3) * 4;
}

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
