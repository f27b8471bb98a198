import { target } from './fixture.ts';

/** One get as a tool's own client runs it. No word of it holds a blank: pbench splits there. */
export type HelperGet = {
  /** The name that the tool runs. */
  readonly program: string;
  /** `keyhold setup` links it to keyhold-helper in a folder of its own; the others stand beside the agent. */
  readonly isLink?: boolean;
  readonly args: readonly string[];
  /** Standard input; without it the client gives none. */
  readonly input?: string;
  /** What the client puts into the environment, as VAR=VALUE. */
  readonly environment?: readonly string[];
};

const { protocol, host, username } = target;
const url = `${protocol}://${host}`;
/** The index that pip asks for, in front of what keyring's own program is asked for too. */
export const INDEX = `${url}/simple/`;
/** What kubectl tells a plugin whose `interactiveMode` is Never and that wants to know nothing of the cluster. */
const EXEC_INFO =
  '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}';
/** A sparse index at the root of its host, as that of crates.io; cargo asks after a 401, and sends its headers along. */
const CARGO_GET = JSON.stringify({
  v: 1,
  registry: {
    'index-url': `sparse+${url}/`,
    name: 'example',
    headers: [`WWW-Authenticate: Cargo login_url="${url}/me"`, 'Content-Length: 0'],
  },
  kind: 'get',
  operation: 'read',
});

export const helperNames = ['docker', 'kubectl', 'aws', 'terraform', 'keyring', 'pnpm', 'cargo'] as const;
export type HelperName = (typeof helperNames)[number];

/** Each tool's get, with the program, arguments, input and environment that its own client gives to its helper. */
export const helperGets: Readonly<Record<HelperName, HelperGet>> = {
  docker: { program: 'docker-credential-keyhold', args: ['get'], input: host },
  kubectl: {
    program: 'keyhold-helper',
    args: ['kubectl', 'get', url],
    environment: [`KUBERNETES_EXEC_INFO=${EXEC_INFO}`],
  },
  aws: { program: 'keyhold-helper', args: ['aws', 'get', url] },
  terraform: { program: 'terraform-credentials-keyhold', args: ['get', host] },
  // pip up to 26.1 asks so; Python's program of that name takes the same words in every version.
  keyring: {
    program: 'keyring',
    isLink: true,
    args: ['get', INDEX, username],
    environment: ['PYTHONIOENCODING=utf-8'],
  },
  pnpm: { program: `keyhold-npm@${host}`, isLink: true, args: [] },
  cargo: { program: 'cargo-credential-keyhold', args: ['--cargo-plugin'], input: `${CARGO_GET}\n` },
};
