/** What a figure counts: a ratio of two medians, mebibytes or milliseconds. */
export type Unit = 'x' | 'MiB' | 'ms';

export type Figure = {
  readonly id: string;
  readonly what: string;
  readonly unit: Unit;
  readonly better: 'less' | 'more';
  /** What must be reached. A row without one is told as it is. */
  readonly target?: number;
  /** What we would like to reach. */
  readonly aim?: number;
};

/** One figure as measured, or why it could not be. */
export type Measured = { readonly value: number; readonly note: string } | { readonly missing: string };

const ratio = { unit: 'x', better: 'less' } as const;
const get = 'one get, whole process, agent holding 10,000';
const peers = {
  cache: 'git credential-cache get',
  libsecret: 'git-credential-libsecret',
  docker: 'docker-credential-secretservice',
  gh: 'gh auth git-credential',
};
const tool = (name: string) => `one get by ${name}'s helper, whole process, agent holding 10,000`;
const rate = 'gets a second, 32 clients, a connection each, holding 10,000';

/** Every row of the table, in its order. */
export const figures: readonly Figure[] = [
  { id: 'get/cache', what: `${get}, against ${peers.cache}`, ...ratio, target: 0.35, aim: 0.24 },
  { id: 'get/libsecret', what: `${get}, against ${peers.libsecret}`, ...ratio, target: 0.05 },
  { id: 'get/docker', what: `${get}, against ${peers.docker}`, ...ratio, target: 0.04 },
  { id: 'get/gh', what: `${get}, against ${peers.gh}`, ...ratio, target: 0.015 },
  ...(['cache', 'libsecret', 'docker', 'gh'] as const).map((name) => ({
    id: `floor/${name}`,
    what: `the least that a get can cost here (a client and a server in C that look nothing up), against ${peers[name]}`,
    ...ratio,
  })),
  ...['docker', 'kubectl', 'aws', 'terraform', 'keyring', 'pnpm'].map((name) => ({
    id: `tool/${name}`,
    what: `${tool(name)}, against git's`,
    ...ratio,
    target: 1.5,
  })),
  { id: 'tool/cargo', what: `${tool('cargo')}, against git's`, ...ratio, target: 2 },
  {
    id: 'tool/docker-peer',
    what: `${tool('docker')}, against docker-credential-secretservice`,
    ...ratio,
    target: 0.05,
  },
  { id: 'tool/keyring-peer', what: `${tool('keyring')}, against Python's keyring get`, ...ratio, target: 0.005 },
  { id: 'fill/cache', what: 'git credential fill as set up, against helper=cache', ...ratio, target: 0.75, aim: 0.66 },
  { id: 'client/memory', what: "thin client: peak memory against git's", ...ratio, target: 0.25 },
  {
    id: 'rate/cache-10k',
    what: `${rate}, against git's cache daemon holding 10,000`,
    unit: 'x',
    better: 'more',
    target: 3.5,
    aim: 5.5,
  },
  {
    id: 'rate/cache-1',
    what: `${rate}, against git's cache daemon holding 1`,
    unit: 'x',
    better: 'more',
    target: 0.5,
    aim: 0.75,
  },
  { id: 'cpu/cache-1', what: "CPU a get, against git's cache daemon holding 1", ...ratio, target: 2.6, aim: 1.6 },
  { id: 'cpu/flat', what: 'CPU a get, holding 10,000 against holding 10', ...ratio, target: 1.1 },
  {
    id: 'rate/pipelined',
    what: 'gets a second, 32 persistent connections, depth 16, against a connection a request',
    unit: 'x',
    better: 'more',
    target: 10,
  },
  {
    id: 'refresh/rate',
    what: 'gets a second while a refresh is in flight, against plain gets',
    unit: 'x',
    better: 'more',
    target: 0.9,
    aim: 0.97,
  },
  {
    id: 'refresh/cpu',
    what: 'CPU of a get while a refresh is in flight, against a plain get',
    ...ratio,
    target: 1.1,
    aim: 1.03,
  },
  ...['list', 'explain'].map((verb) => ({
    id: `cli/${verb}`,
    what: `CPU of token ${verb} and of the agent for it, holding 10,000, against node empty.js`,
    ...ratio,
    target: 3,
  })),
  { id: 'memory/idle', what: "agent's resident memory, idle", unit: 'MiB', better: 'less', target: 56, aim: 48 },
  {
    id: 'memory/load',
    what: "agent's resident memory right after 30,000 gets, holding 10,000",
    unit: 'MiB',
    better: 'less',
    target: 90,
    aim: 63,
  },
  { id: 'memory/minute', what: 'the same, a minute later', unit: 'MiB', better: 'less', target: 70, aim: 58 },
  { id: 'start/node', what: 'spawn to first answer, against node empty.js', ...ratio, target: 2.0, aim: 1.4 },
  { id: 'start/launcher', what: "the launcher's own cost, not counted above", unit: 'ms', better: 'less' },
  {
    id: 'activation/node',
    what: 'first get through socket activation, against node empty.js',
    ...ratio,
    target: 3.0,
  },
  { id: 'get/static', what: 'client without musl (static glibc): get against git credential-cache get', ...ratio },
  { id: 'get/dynamic', what: 'client without musl (dynamic glibc): get against git credential-cache get', ...ratio },
  { id: 'get/typescript', what: 'client in TypeScript: get against git credential-cache get', ...ratio },
  { id: 'memory/static', what: "client without musl (static glibc): peak memory against git's", ...ratio },
  { id: 'memory/dynamic', what: "client without musl (dynamic glibc): peak memory against git's", ...ratio },
  { id: 'memory/typescript', what: "client in TypeScript: peak memory against git's", ...ratio },
  {
    id: 'scale/listen',
    what: 'vault of 100,000: from spawn to listening',
    unit: 'ms',
    better: 'less',
    target: 1_000,
  },
  {
    id: 'scale/first',
    what: 'vault of 100,000 as version 0.1 left it: the first get, which waits for the first opening',
    unit: 'ms',
    better: 'less',
  },
  ...['opening', 'backup', 'restore', 'migrate'].map((name) => ({
    id: `scale/${name}`,
    what: `vault of 100,000: p99 of gets during ${name}, against the same agent at rest`,
    ...ratio,
    target: 20,
  })),
];
