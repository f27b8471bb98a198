import type { EpochSeconds, Target } from '../../protocol/credential.ts';
import { belongsTo, type CredentialFile, type Manifest } from '../../protocol/services/index.ts';
import { toWire } from '../../protocol/text.ts';
import type { Leaf } from '../formats/leaf.ts';
import { pick } from '../formats/read.ts';
import { pathsOf } from '../services/paths.ts';
import { sources } from './index.ts';
import { Found, type Source, targetOfUrl } from './source.ts';

/** The files of services, as their manifests describe them: one source for each, called by the service's id. */
export function serviceSources(manifests: readonly Manifest[]): Source[] {
  return manifests.flatMap((manifest) => {
    const files = (manifest.files ?? []).filter(({ format, fields }) => format !== 'binary' && fields?.['value']);
    const paths = [...new Set(files.map(({ path }) => path))];
    return paths.map((path) =>
      sourceOf(
        manifest,
        files.filter((file) => file.path === path),
      ),
    );
  });
}

/** `files` are the places in one file. */
function sourceOf(manifest: Manifest, files: readonly CredentialFile[]): Source {
  const { path, format } = files[0]!;
  return {
    name: manifest.id,
    title: manifest.title,
    format: format as Source['format'],
    files(place) {
      // What a tool's own source reads better: docker's value is base64, npm's file has other registries too.
      const taken = new Set(sources.flatMap((source) => source.files(place)));
      return pathsOf(path, { ...place.environment, HOME: place.home }).filter((one) => !taken.has(one));
    },
    find(leaves) {
      const found = new Found();
      for (const { fields = {} } of files) {
        for (const leaf of pick(leaves, fields['value']!)) {
          const beside = (field: string) => besideOf(leaves, leaf, fields['value']!, fields[field])?.value;
          const target = targetOf(manifest, nameIn(leaf, fields['value']!), beside('user'), beside('endpoint'));
          if (typeof target === 'string') found.pass(leaf.path, target);
          else found.add(target, leaf.value, [leaf.path], dateOf(beside('expiresAt')));
        }
      }
      // What stands outside of profiles is in force where none is chosen, as is the profile of that name.
      const named = (path: Leaf['path']) => path.length > 2 && !path.includes('default');
      found.putFirst(({ removes: [path = []] }) => !named(path));
      return found;
    },
  };
}

/** What stands where a pointer has its first `*`: a host, or what the service calls a profile. */
function nameIn({ path }: Leaf, pointer: string): string | undefined {
  const at = pointer.split('/').slice(1).indexOf('*');
  return at < 0 ? undefined : path[at];
}

/** Another field of the same entry, which a pointer leads to: with the same name in the place of its `*`. `own` leads to `leaf`. */
export function besideOf(
  leaves: readonly Leaf[],
  leaf: Leaf,
  own: string,
  pointer: string | undefined,
): Leaf | undefined {
  if (pointer === undefined) return undefined;
  const name = nameIn(leaf, own);
  return pick(leaves, pointer).find((other) => nameIn(other, pointer) === name);
}

/**
 * Where a token of the file belongs: the server that the file names beside it; else a name that is itself a server of the
 * service; else the service's one certain host, for the account of that name. A text says why it cannot be told, or must not
 * be: a token that the file gives to another server is not kept for the service's own.
 */
function targetOf(
  manifest: Manifest,
  name: string | undefined,
  user: string | undefined,
  endpoint: string | undefined,
): Target | string {
  const own = user ?? name;
  if (endpoint !== undefined && endpoint !== '') {
    const place = targetOfUrl(endpoint, own);
    if (!place || !belongsTo(endpoint, manifest)) return `the server that its file names is none of ${manifest.title}`;
    return place;
  }
  if (name?.includes('.') && belongsTo(`https://${name}`, manifest)) {
    return { protocol: 'https', host: name, username: user };
  }
  const rule = manifest.hosts.find(({ host, port }) => !host.startsWith('*') && port !== 'any');
  if (!rule) return `it does not say which server of ${manifest.title} it is for`;
  const { protocol = 'https', host, port } = rule;
  return { protocol, host: toWire(port === undefined ? host : `${host}:${port}`), username: own };
}

/** A date as people and programs write it; undefined where it is none. */
function dateOf(text: string | undefined): EpochSeconds | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9]{9,11}$/.test(text)) return Number(text);
  const parsed = /^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isFinite(parsed) ? Math.floor(parsed / 1_000) : undefined;
}
