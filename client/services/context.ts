import { addressOf, belongsTo, type ContextSource, type Manifest, serviceFor } from '../../protocol/services/index.ts';
import { runProgram } from '../programs.ts';
import { type Boundary, findUpward, safeFoldersFrom } from '../safe-paths.ts';
import { valueIn } from './context-file.ts';

/** A server that the working directory speaks of. */
export type Context = {
  readonly manifest: Manifest;
  /** As a URL: `pogo://pogo.example:8080`. */
  readonly url: string;
  /** Where it says so: a file, or `the remotes of git`. */
  readonly from: string;
};

/** What was found, what was looked for in vain, and files that another user could have put there. */
export type Looked = {
  readonly found: readonly Context[];
  readonly lookedFor: readonly string[];
  readonly refused: readonly Boundary[];
};

/** The servers that a folder and those above it speak of, by what the manifests know about finding them. Nothing is run but git. */
export function contextsIn(folder: string, manifests: readonly Manifest[]): Looked {
  const found = new Map<string, Context>();
  const lookedFor = new Set<string>();
  const refused = new Map<string, Boundary>();
  let remotes: readonly string[] | undefined;
  for (const manifest of manifests) {
    for (const source of manifest.context ?? []) {
      if (source.gives !== 'server' && source.gives !== 'registry') continue;
      lookedFor.add(source.from === 'file' ? source.path! : 'the remotes of git');
      if (source.from === 'git-remote') remotes ??= remotesIn(folder);
      const places = source.from === 'git-remote' ? remotes! : fromFile(folder, source, refused);
      for (const { url, from } of placesOf(places, manifest, manifests)) found.set(url, { manifest, url, from });
    }
  }
  return { found: [...found.values()], lookedFor: [...lookedFor], refused: [...refused.values()] };
}

type Place = { readonly url: string; readonly from: string };

/** Those that belong to a service: what a file says is no reason to keep a token for another's host. */
function placesOf(places: readonly (Place | string)[], manifest: Manifest, all: readonly Manifest[]): Place[] {
  return places.flatMap((place) => {
    const { url, from } = typeof place === 'string' ? { url: place, from: 'the remotes of git' } : place;
    const whole = url.includes('://') ? url : `${manifest.hosts[0]!.protocol ?? 'https'}://${url}`;
    const origin = originIn(whole);
    if (origin === undefined || !belongsTo(origin, manifest)) return [];
    // A remote names no service: one of people's own servers could be anybody's.
    const nearest = serviceFor(origin, all);
    const isOurs = nearest.status === 'found' && nearest.manifest.id === manifest.id;
    return typeof place !== 'string' || isOurs ? [{ url: origin, from }] : [];
  });
}

function originIn(url: string): string | undefined {
  const address = addressOf(url);
  if (!address) return undefined;
  const { protocol, host } = address;
  const port = /^[^:]+:\/\/[^/]*:([0-9]{1,5})(\/|$)/.exec(url)?.[1];
  return `${protocol}://${host}${port === undefined ? '' : `:${port}`}`;
}

/** What the nearest file of that name says, here or above, as far as no other user could have put it there. */
function fromFile(folder: string, { path, format, pointer }: ContextSource, refusals: Map<string, Boundary>): Place[] {
  const { file, refused } = findUpward(folder, path!);
  if (refused) refusals.set(refused.path, refused);
  const url = file && valueIn(file, format ?? 'json', pointer ?? '');
  return file === undefined || url === undefined ? [] : [{ url, from: file }];
}

/**
 * The servers of git's remotes by https; none where there is no repository or no git. git takes no repository of another
 * user since 2.35.2 (safe.directory); the ceiling keeps an older one from looking where another user could have put one.
 */
function remotesIn(folder: string): readonly string[] {
  const { folders, boundary } = safeFoldersFrom(folder);
  if (folders.length === 0) return [];
  const ceilings = [boundary?.path, process.env['GIT_CEILING_DIRECTORIES']].filter(Boolean).join(':');
  const { status, stdout } = runProgram('git', ['config', '--null', '--get-regexp', String.raw`^remote\..*\.url$`], {
    cwd: folder,
    environment: { ...process.env, GIT_CEILING_DIRECTORIES: ceilings },
  });
  if (status !== 0) return [];
  const urls = stdout.split('\0').flatMap((entry) => entry.split('\n')[1] ?? []);
  return [...new Set(urls.flatMap((url) => byHttps(url) ?? []))];
}

/** `git@host:path` and `ssh://host/path` are the same server by another door, whose keys are no tokens. */
function byHttps(url: string): string | undefined {
  if (/^https?:\/\//.test(url)) return url.replace(/^(https?:\/\/)[^/@]*@/, '$1');
  const [, host] = /^(?:ssh:\/\/)?(?:[^/@]+@)?([A-Za-z0-9.-]+)(?::\d+)?[:/]/.exec(url) ?? [];
  return host === undefined ? undefined : `https://${host}`;
}
