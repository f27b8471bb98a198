import { conform, PROBLEMS_MAX, type Problem } from './conform.ts';
import { collide } from './find.ts';
import type { Manifest } from './manifest.ts';
import { brokenRules } from './rules.ts';
import { manifestSchema } from './schema.ts';

export type CheckedManifest =
  | { readonly status: 'ok'; readonly manifest: Manifest }
  /** At most 50 of them. */
  | { readonly status: 'unfit'; readonly problems: readonly Problem[] };

/** Bytes of a manifest as JSON or YAML. */
export const MANIFEST_MAX = 65_536;

/** Checks a document against the schema, then against what the schema can't say. */
export function checkManifest(document: unknown): CheckedManifest {
  const slips = conform(document, manifestSchema);
  if (slips.length > 0) return { status: 'unfit', problems: slips };
  const manifest = document as Manifest;
  const problems = brokenRules(manifest).slice(0, PROBLEMS_MAX);
  return problems.length > 0 ? { status: 'unfit', problems } : { status: 'ok', manifest };
}

/** `hosts[0].port`; empty for the document itself. */
export function pathText(path: Problem['path']): string {
  return path.map((key, at) => (typeof key === 'number' ? `[${key}]` : at === 0 ? key : `.${key}`)).join('');
}

/** A problem as one line: `hosts[0].port must be …`. */
export function problemText({ path, rule }: Problem): string {
  return path.length === 0 ? `the manifest ${rule}` : `${pathText(path)} ${rule}`;
}

/** The first of `others` that claims a place of `manifest`, so that neither would be found there. */
export function rivalOf(manifest: Manifest, others: readonly Manifest[]): Manifest | undefined {
  return others.find(
    (other) => other.id !== manifest.id && other.hosts.some((rule) => manifest.hosts.some((own) => collide(own, rule))),
  );
}

/** What a set of manifest files comes to. */
export type Catalogue = {
  /** By id; one of the person's own stands in place of a built-in one. */
  readonly manifests: readonly Manifest[];
  readonly own: ReadonlySet<string>;
  /** Files that could not be used, and why; the others are. */
  readonly faults: readonly { readonly file: string; readonly why: string }[];
};

export type ManifestFile = { readonly file: string; readonly text: string };

/**
 * The services that there are: the built-in ones (a JSON list that the build made and checked), and the person's own,
 * one JSON file each, named `ID.json` and checked again, because a hand may have been at them.
 */
export function gatherManifests(builtIn: string, own: readonly ManifestFile[]): Catalogue {
  const byId = new Map((JSON.parse(builtIn) as Manifest[]).map((manifest) => [manifest.id, manifest]));
  const ownIds = new Set<string>();
  const faults: { file: string; why: string }[] = [];
  for (const { file, text } of own) {
    const read = readOwn(text);
    if (typeof read === 'string') faults.push({ file, why: read });
    else if (file.split('/').at(-1) !== `${read.id}.json`)
      faults.push({ file, why: `it must be named ${read.id}.json` });
    else {
      byId.set(read.id, read);
      ownIds.add(read.id);
    }
  }
  const manifests = [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { manifests, own: ownIds, faults };
}

function readOwn(text: string): Manifest | string {
  if (text.length > MANIFEST_MAX) return `it is longer than ${MANIFEST_MAX} bytes`;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return 'it is not JSON; add it again: keyhold service add FILE';
  }
  const checked = checkManifest(document);
  return checked.status === 'ok' ? checked.manifest : problemText(checked.problems[0]!);
}
