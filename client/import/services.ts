import type { EpochSeconds, Target } from '../../protocol/credential.ts';
import { belongsTo, type CredentialFile, type Manifest } from '../../protocol/services/index.ts';
import { toWire } from '../../protocol/text.ts';
import type { Leaf } from '../plaintext/leaf.ts';
import { pathsOf } from '../plaintext/paths.ts';
import { pick } from '../plaintext/read.ts';
import { sources } from './index.ts';
import { Found, type Source } from './source.ts';

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
          const beside = (field: string) => besideOf(leaves, leaf, fields['value']!, fields[field]);
          const target = targetOf(manifest, nameIn(leaf, fields['value']!), beside('user'));
          if (target) found.add(target, leaf.value, [leaf.path], dateOf(beside('expiresAt')));
          else found.pass(leaf.path, `it does not say which server of ${manifest.title} it is for`);
        }
      }
      return found;
    },
  };
}

/** What stands where a pointer has its first `*`: a host, or what the service calls a profile. */
function nameIn({ path }: Leaf, pointer: string): string | undefined {
  const at = pointer.split('/').slice(1).indexOf('*');
  return at < 0 ? undefined : path[at];
}

/** The value of another field of the same entry: with the same names in the place of each `*`. */
function besideOf(leaves: readonly Leaf[], leaf: Leaf, own: string, pointer: string | undefined): string | undefined {
  if (pointer === undefined) return undefined;
  const name = nameIn(leaf, own);
  return pick(leaves, pointer).find((other) => nameIn(other, pointer) === name)?.value;
}

/** A name that is a server of the service is the host; else the one certain host, for the account of that name. */
function targetOf(manifest: Manifest, name: string | undefined, user: string | undefined): Target | undefined {
  if (name?.includes('.') && belongsTo(`https://${name}`, manifest)) {
    return { protocol: 'https', host: name, username: user };
  }
  const rule = manifest.hosts.find(({ host, port }) => !host.startsWith('*') && port !== 'any');
  if (!rule) return undefined;
  const { protocol = 'https', host, port } = rule;
  return { protocol, host: toWire(port === undefined ? host : `${host}:${port}`), username: user ?? name };
}

/** A date as people and programs write it; undefined where it is none. */
function dateOf(text: string | undefined): EpochSeconds | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9]{9,11}$/.test(text)) return Number(text);
  const parsed = /^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isFinite(parsed) ? Math.floor(parsed / 1_000) : undefined;
}
