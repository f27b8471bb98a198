import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

type Import = { readonly from: string; readonly typeOnly: boolean };
type Source = { readonly path: string; readonly text: string; readonly imports: readonly Import[] };

/** Code without its comments; strings stay, which is where the names of modules are. */
const withoutComments = (text: string) => text.replace(/\/\*.*?\*\//gs, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');

function sourcesIn(folder: string): Source[] {
  let entries: string[];
  try {
    entries = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
  return entries
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.generated.ts'))
    .map((name) => {
      const path = join(folder, name);
      const text = withoutComments(readFileSync(join(root, path), 'utf8'));
      const statements = text.matchAll(/^(?:import|export)( type)? [^;'"=]*?\bfrom '([^']+)'/gm);
      const others = text.matchAll(/^import '([^']+)'|\bimport\('([^']+)'\)/gm);
      const imports = [
        ...[...statements].map(([, type, from]) => ({ from: from!, typeOnly: type !== undefined })),
        ...[...others].map(([, bare, dynamic]) => ({ from: (bare ?? dynamic)!, typeOnly: false })),
      ];
      return { path, text, imports };
    });
}

const protocol = sourcesIn('protocol');
const client = sourcesIn('client');
const daemon = sourcesIn('daemon');
const platform = sourcesIn('platform');
const ours = [...protocol, ...platform, ...client, ...daemon];

const isRelative = ({ from }: Import) => from.startsWith('.');
/** Where a relative import leads, from the root of the repository. */
const target = ({ path }: Source, { from }: Import) => relative(root, resolve(root, dirname(path), from));

/** The import cycles: of each the files that reach one another, sorted. Files reach what their imports lead to. */
function cyclesOf(sources: readonly Source[]): string[] {
  const next = new Map(
    sources.map((source) => [source.path, source.imports.filter(isRelative).map((one) => target(source, one))]),
  );
  const reached = new Map<string, ReadonlySet<string>>();
  for (const path of next.keys()) {
    const seen = new Set(next.get(path));
    for (const each of seen) for (const one of next.get(each) ?? []) seen.add(one);
    reached.set(path, seen);
  }
  const cycles = new Set<string>();
  for (const [path, seen] of reached) {
    const others = [...seen].filter((other) => reached.get(other)?.has(path));
    if (others.length > 0) cycles.add(others.sort().join(' '));
  }
  return [...cycles].sort();
}

/** `path: what` for every import of `sources` that `allowed` turns down. */
function turnedDown(sources: readonly Source[], allowed: (one: Import, source: Source) => boolean): string[] {
  return sources.flatMap((source) =>
    source.imports.filter((one) => !allowed(one, source)).map(({ from }) => `${source.path}: ${from}`),
  );
}

const containing = (sources: readonly Source[], what: RegExp) =>
  sources.filter(({ text }) => what.test(text)).map(({ path }) => path);

describe('imports', () => {
  it('are found at all', () => {
    expect(protocol.length).toBeGreaterThan(15);
    expect(ours.reduce((count, { imports }) => count + imports.length, 0)).toBeGreaterThan(50);
  });

  it('of protocol/ are its own files, node:util, node:crypto, node:buffer and the types of streams', () => {
    const allowed = (one: Import, source: Source) =>
      isRelative(one)
        ? target(source, one).startsWith('protocol/')
        : ['node:util', 'node:crypto', 'node:buffer'].includes(one.from) ||
          (one.from === 'node:stream' && one.typeOnly);
    expect(turnedDown(protocol, allowed)).toEqual([]);
  });

  it('of platform/ are its own files, protocol/ and node', () => {
    const allowed = (one: Import, source: Source) =>
      isRelative(one) ? /^(platform|protocol)\//.test(target(source, one)) : one.from.startsWith('node:');
    expect(platform.length).toBeGreaterThan(0);
    expect(turnedDown(platform, allowed)).toEqual([]);
  });

  it('of client/ are its own files, platform/ and protocol/', () => {
    const allowed = (one: Import, source: Source) =>
      !isRelative(one) || /^(client|platform|protocol)\/|^package\.json$/.test(target(source, one));
    expect(turnedDown(client, allowed)).toEqual([]);
  });

  it('of daemon/ are its own files, platform/ and protocol/', () => {
    const allowed = (one: Import, source: Source) =>
      !isRelative(one) || /^(daemon|platform|protocol)\/|^package\.json$/.test(target(source, one));
    expect(turnedDown(daemon, allowed)).toEqual([]);
  });

  it('from npm stand in the one part that may load them', () => {
    const homes: Record<string, RegExp> = {
      // The agent holds the secrets, so it loads our code, node and pino; the keyring's library runs in a child.
      pino: /^daemon\/log\.ts$/,
      '@napi-rs/keyring': /^daemon\/backends\/keyring\/child\.ts$/,
      'openid-client': /^daemon\/upstream\/operations\/oauth\.ts$/,
      // Each of these in a process of its own, which the agent starts when somebody connects.
      fastify: /^daemon\/admin\/app\.ts$/,
      'node-ipc': /^daemon\/events\/child\.ts$/,
      commander: /^client\//,
      '@clack/prompts': /^client\//,
      conf: /^client\//,
      'jsonc-parser': /^client\/formats\/json\.ts$/,
      'string-width': /^client\/cli\/width\.ts$/,
      yaml: /^client\/(services\/compile|setup\/kubectl|formats\/yaml)\.ts$/,
    };
    const allowed = (one: Import, { path }: Source) =>
      isRelative(one) || one.from.startsWith('node:') || homes[one.from]?.test(path) === true;
    expect(turnedDown(ours, allowed)).toEqual([]);
    const empty = Object.entries(homes).filter(([, home]) => !ours.some(({ path }) => home.test(path)));
    expect(empty).toEqual([]);
  });

  it('lead from the agent to pino and to no other package, and to no file of its children', () => {
    const byPath = new Map(ours.map((source) => [source.path, source]));
    const seen = new Set(['daemon/main.ts']);
    const packages = new Set<string>();
    for (const path of seen) {
      const source = byPath.get(path)!;
      for (const one of source.imports.filter(({ typeOnly }) => !typeOnly)) {
        if (!isRelative(one)) packages.add(one.from);
        else if (one.from.endsWith('.ts')) seen.add(target(source, one));
      }
    }
    expect([...packages].filter((name) => !name.startsWith('node:'))).toEqual(['pino']);
    // The supervisor is the agent's; each other child.ts is the program of a child.
    seen.delete('daemon/processes/child.ts');
    expect([...seen].filter((path) => /^daemon\/admin\/|\/child\.ts$|\/attend\.ts$/.test(path))).toEqual([]);
    expect(seen.size).toBeGreaterThan(50);
  });

  it('have no cycles, types included', () => {
    expect(cyclesOf(ours)).toEqual([]);
  });

  it('that make a cycle are found, directly and over several files', () => {
    const source = (path: string, ...to: string[]): Source => ({
      path,
      text: '',
      imports: to.map((from) => ({ from, typeOnly: false })),
    });
    const files = [
      source('any/a.ts', './b.ts'),
      source('any/b.ts', './c/c.ts', './d.ts'),
      source('any/c/c.ts', '../a.ts', 'node:fs'),
      source('any/d.ts', './e.ts'),
      source('any/e.ts', './d.ts'),
      source('any/f.ts', './a.ts'),
    ];
    expect(cyclesOf(files)).toEqual(['any/a.ts any/b.ts any/c/c.ts', 'any/d.ts any/e.ts']);
  });

  it('say .ts where they mean a file, and node: where they mean node', () => {
    const builtin = /^(fs|path|os|net|http|https|util|crypto|stream|events|child_process|readline|url|tty)$/;
    const allowed = (one: Import) => (isRelative(one) ? /\.(ts|json|node)$/.test(one.from) : !builtin.test(one.from));
    expect(turnedDown(ours, allowed)).toEqual([]);
  });
});

describe('programs', () => {
  /** Who starts a program without client/programs.ts, and why its path is absolute. */
  const mayStart: Record<string, string> = {
    'client/programs.ts': 'finds the program on PATH, for all the others',
    'client/autostart.ts': 'the agent by the link that install made, or by the caller’s own path',
    'daemon/successor.ts': '/bin/sh, for the agent by its own path',
    'daemon/processes/child.ts': 'process.execPath, for every child',
    'scripts/build.ts': 'process.execPath',
    'scripts/dev.ts': 'process.execPath',
    'scripts/build/warm.ts': 'process.execPath',
  };
  const all = [...ours, ...sourcesIn('scripts')];

  it('are started by client/programs.ts, which looks in no folder that another user may write', () => {
    const starters = all.filter(({ imports }) =>
      imports.some(({ from, typeOnly }) => /^(node:)?(child_process|cluster)$/.test(from) && !typeOnly),
    );
    const names = starters.map(({ path }) => path);
    expect(names.filter((path) => !(path in mayStart))).toEqual([]);
    expect(Object.keys(mayStart).filter((path) => !names.includes(path))).toEqual([]);
  });

  it('are not started by a bare name anywhere, nor through a shell', () => {
    const bareName = /\b(?:spawn|spawnSync|execFile|execFileSync|exec|execSync|fork)\(\s*['"`](?!\/)|shell: true/;
    expect(
      containing(
        all.filter(({ path }) => path in mayStart),
        bareName,
      ),
    ).toEqual([]);
  });
});

describe('a file', () => {
  /** Tables: a reader looks something up in them, and none reads them from front to end. */
  const tables = new Set([
    'protocol/wire/actions.ts',
    'protocol/services/manifest.ts',
    'protocol/services/schema.ts',
    'client/cli/help-topics.ts',
  ]);
  const folders = ['protocol', 'platform', 'client', 'daemon', 'scripts'];
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|c|h)$/.test(name) && !/\.generated\./.test(name))
      .map((name) => join(folder, name)),
  );
  const lengthOf = (path: string) => readFileSync(join(root, path), 'utf8').trimEnd().split('\n').length;

  it('has at most 300 lines, unless it is a table', () => {
    expect(files.length).toBeGreaterThan(500);
    expect(files.filter((path) => !tables.has(path) && lengthOf(path) > 300)).toEqual([]);
    expect([...tables].filter((path) => lengthOf(path) <= 300)).toEqual([]);
  });
});

describe('the pure files', () => {
  /** Values and `now` in, values out: no I/O, no timers, no clock and no chance of their own. */
  const pure = [
    'daemon/credentials/explain.ts',
    'daemon/credentials/fronts.ts',
    'daemon/credentials/unlocked/match.ts',
    'daemon/credentials/unlocked/lease.ts',
    'daemon/history/audit/entry.ts',
    'daemon/oauth/schedule.ts',
    'daemon/history/tombstones/recheck.ts',
  ];
  const files = daemon.filter(({ path }) => pure.includes(path));

  it('import protocol/, each other, and otherwise types only', () => {
    const allowed = (one: Import, source: Source) =>
      one.typeOnly ||
      ['node:util', 'node:crypto'].includes(one.from) ||
      (isRelative(one) && (target(source, one).startsWith('protocol/') || pure.includes(target(source, one))));
    expect(turnedDown(files, allowed)).toEqual([]);
  });

  it('and protocol/ have no clock, chance, timer, process or console of their own', () => {
    const impure =
      /\b(Date\.now|new Date\(|Math\.random|set(Timeout|Interval|Immediate)|process\.|console\.|performance\.)/;
    expect(containing([...files, ...protocol], impure)).toEqual([]);
  });
});

describe('secrets', () => {
  /** Who may call expose(), and what for. */
  const mayExpose: Record<string, string> = {
    'protocol/secret.ts': 'defines it, and compares in constant time',
    'protocol/tools/ask.ts': 'looks for control bytes on the way to a tool',
    'protocol/tools/json-secret.ts': 'looks whether a secret is a JSON object of several parts',
    'protocol/tools/json.ts': 'writes a secret as a JSON string',
    'protocol/tools/authorization.ts': 'writes a secret in base64, as Basic authentication has it',
    'client/cli/token/print.ts': 'prints a token that was asked for',
    'client/cli/token/set.ts': 'looks at the form of a token before it is stored',
    'client/import/prefix.ts': 'looks at how a token begins',
    'client/exec/fetch.ts': 'hands tokens to the environment of exec, or to the lines of env',
    'daemon/backends/secrets.ts': 'joins the secrets of a credential into what a backend keeps',
    'daemon/backends/vault/passphrase.ts': 'derives a key from a passphrase',
    'daemon/backends/keyring/write.ts': 'hands a secret to the keyring',
    'daemon/backends/keyring/item-key.ts': 'writes the key of the index or of a vault into its item',
  };

  it('are exposed only where the list says why', () => {
    expect(containing(ours, /\bexpose\(/).filter((path) => !(path in mayExpose))).toEqual([]);
  });
});

describe('the door to secrets', () => {
  it('is release: nothing else takes a value out of what is held', () => {
    const takes = /\b(secretsInMemory|secretsAside|secretsAtRest|inMemory)\b|(?<!#)\bsecretsOf\b/;
    const mayTake: Record<string, string> = {
      'daemon/access/release.ts': 'the door',
      'daemon/credentials/held/values.ts': 'keeps the values behind it',
      'daemon/credentials/unlocked/set.ts': 'keeps and wipes them in memory',
      'daemon/credentials/held-item.ts': 'tells whether a value is in memory',
      'daemon/actions/list-columns.ts': 'tells whether a value is in memory',
    };
    expect(containing(daemon, takes).filter((path) => !(path in mayTake))).toEqual([]);
  });

  it('is passed by the parts that the list names, and what for', () => {
    const mayPass: Record<string, string> = {
      'daemon/credentials/get.ts': 'answers a get',
      'daemon/credentials/store.ts': 'compares what is stored',
      'daemon/credentials/erase.ts': 'compares what is erased',
      'daemon/credentials/git-form.ts': 'compares what git stores and erases',
      'daemon/credentials/front-slot.ts': 'compares what a front stores; moves what a front alone has brought',
      'daemon/actions/same.ts': 'compares',
      'daemon/backends/backup-pages.ts': 'seals a backup',
      'daemon/backends/restore.ts': 'compares with what a backup has',
      'daemon/backends/migrate.ts': 'carries to another backend',
      'daemon/credentials/standing.ts': 'compares with what a store may replace',
      'daemon/services/call.ts': 'calls services, for the caller that it acts for',
      'daemon/services/provider.ts': 'asks and ends a login at its provider',
      'daemon/services/refresh.ts': 'trades a token',
      'daemon/services/remote.ts': 'compares with how a service shows a token',
      'daemon/services/revoke.ts': 'ends a token, and proves that it is dead',
      'daemon/services/rotate/rotate.ts': 'compares with a pasted token',
      'daemon/services/rotate/turn.ts': 'compares the place with the old and the new value',
      'daemon/services/rotate/steps.ts': 'keeps the old value beside the new one',
      'daemon/history/tombstones/tombstones.ts': 'marks what is dead',
      'daemon/oauth/adopt.ts': 'takes over what another program has put at rest',
      'daemon/oauth/drop-access.ts': 'keeps the refresh token alone',
      'daemon/oauth/refresher.ts': 'refreshes',
    };
    const passing = containing(daemon, /\/release\.ts'/);
    expect(passing.filter((path) => !(path in mayPass))).toEqual([]);
    expect(Object.keys(mayPass).filter((path) => !passing.includes(path))).toEqual([]);
  });

  it('is asked by permit, and by nothing beside it', () => {
    expect(containing(daemon, /\bpermit\(/)).toEqual(['daemon/access/permit.ts', 'daemon/access/release.ts']);
  });
});

describe('what parses', () => {
  /** `new URL` on something that is no key, and why it is none. */
  const mayUseUrl: Record<string, string> = {
    'client/doctor/build.ts': 'a file beside the module',
    'daemon/upstream/operations/oauth.ts': 'openid-client takes addresses in no other form',
  };

  it('does not use new URL, which drops tabs and rewrites hosts, but for files beside a module', () => {
    expect(containing(ours, /\bnew URL\((?![^)]*import\.meta\.url)/).filter((path) => !(path in mayUseUrl))).toEqual(
      [],
    );
  });

  it('does not use readline, which ends a line at a lone CR', () => {
    expect(turnedDown([...ours, ...sourcesIn('scripts')], ({ from }) => !/^(node:)?readline/.test(from))).toEqual([]);
  });
});

describe('the lists of this file', () => {
  it('name files that exist', () => {
    const text = readFileSync(fileURLToPath(import.meta.url), 'utf8');
    const named = [...text.matchAll(/\b(?:protocol|platform|client|daemon|scripts)\/[\w./-]+\.ts(?=[' ])/g)].map(
      ([path]) => path,
    );
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

describe('the language', () => {
  it('has no enum, namespace or parameter property: node strips types and nothing else', () => {
    const unstrippable =
      /^\s*(export )?(declare )?(const )?(enum|namespace) \w|constructor\((?:[^)]*,)?\s*(private|public|protected|readonly) /m;
    expect(containing([...ours, ...sourcesIn('scripts'), ...sourcesIn('test')], unstrippable)).toEqual([]);
  });

  it('has no escape hatch from its types', () => {
    expect(containing(ours, /:\s*any\b|\bas any\b|@ts-(ignore|nocheck)/)).toEqual([]);
  });
});
