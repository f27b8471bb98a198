import { type EpochSeconds, type Target, whyNoTarget } from '../../protocol/credential.ts';
import { heapSecret, type Secret } from '../../protocol/secret.ts';
import { isControl } from '../../protocol/writer.ts';
import type { Leaf, Read } from '../formats/leaf.ts';
import type { Format } from '../formats/read.ts';

/** Where a source looks: whose home, and what the person's variables say. */
export type Place = {
  readonly home: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads another file of the tool's, for what the first only names; nothing of one that is not there. */
  readonly leavesOf: (path: string, format: Format) => Promise<readonly Leaf[]>;
};

/** One token that lies in a file. */
export type Entry = {
  /** What it is for, as the tool's own adapter will ask. */
  readonly target: Target;
  /** The finder's to dispose of. */
  readonly secret: Secret;
  /** When it dies, where the file says so. */
  readonly expiresAt?: EpochSeconds | undefined;
  /** Everything of it that must go from the file, one of them the value. */
  readonly removes: readonly Leaf['path'][];
};

/** A token that a file holds and keyhold cannot take, and why. */
export type Passed = { readonly path: Leaf['path']; readonly why: string };

/** What a file has to give, in the order in which the tool's own program would choose: what it uses first stands first. */
export type Finds = { readonly entries: readonly Entry[]; readonly passed: readonly Passed[] };

/** A tool's file in which tokens lie in plaintext. One file of ours is one of these; index.ts lists them. */
export type Source = {
  /** What `--only` calls it. */
  readonly name: string;
  readonly title: string;
  readonly format: Format;
  /** The files in the order in which the tool's own program looks into them; most are not there. */
  readonly files: (place: Omit<Place, 'leavesOf'>) => readonly string[];
  /** What lies in one of them. Pure, but for the other files that it asks the place for. */
  readonly find: (leaves: readonly Leaf[], place: Place) => Promise<Finds> | Finds;
};

/** Gathers what a source finds, and refuses in one place what no tool could use. */
export class Found implements Finds {
  readonly entries: Entry[] = [];
  readonly passed: Passed[] = [];

  add(target: Target | undefined, value: string, removes: readonly Leaf['path'][], expiresAt?: EpochSeconds): void {
    const [path = []] = removes;
    const why = whyUnfit(target, value);
    if (why !== undefined) this.passed.push({ path, why });
    else this.entries.push({ target: target!, secret: secretOf(value), removes, expiresAt });
  }

  pass(path: Leaf['path'], why: string): void {
    this.passed.push({ path, why });
  }

  /** Puts what the program uses first before the others: the active account, the default profile. The rest keeps its order. */
  putFirst(isFirst: (entry: Entry) => boolean): void {
    this.entries.sort((one, other) => Number(isFirst(other)) - Number(isFirst(one)));
  }
}

function whyUnfit(target: Target | undefined, value: string): string | undefined {
  if (!target || whyNoTarget(target.protocol, target.host) !== undefined) return 'it does not say which host it is for';
  if (value === '') return 'it is empty';
  const text = `${value}${target.path ?? ''}${target.username ?? ''}`;
  return [...Buffer.from(text, 'latin1')].some(isControl) ? 'it holds a control byte' : undefined;
}

/** A value of a file as a secret of its own. */
export function secretOf(value: string): Secret {
  const bytes = Buffer.from(value, 'latin1');
  const secret = heapSecret(bytes);
  bytes.fill(0);
  return secret;
}

/** The value at a path; undefined if there is none. */
export function at(leaves: readonly Leaf[], ...path: readonly string[]): string | undefined {
  return leaves.find(
    (leaf) => leaf.path.length === path.length && path.every((name, place) => name === leaf.path[place]),
  )?.value;
}

/** `user:secret` in base64, as Basic authentication has it (RFC 7617); undefined where it is none. */
export function basicOf(value: string): { readonly username: string; readonly secret: string } | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return undefined;
  const text = Buffer.from(value, 'base64').toString('latin1');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { username: text.slice(0, colon), secret: text.slice(colon + 1) };
}

/**
 * The target of a URL as a tool writes it, without its path where `wholeHost`: nothing is decoded or lowered, because the
 * tool will ask with these bytes. Undefined for what is no such URL.
 */
export function targetOfUrl(url: string, username?: string, wholeHost = true): Target | undefined {
  const found = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(?:[^/?#@]*@)?([^/?#@\\ ]+)(?:\/([^?#\\ ]*))?$/.exec(url);
  if (!found) return undefined;
  const [, protocol, host, path = ''] = found;
  const trimmed = path.replace(/\/+$/, '');
  return { protocol: protocol!, host: host!, path: wholeHost || trimmed === '' ? undefined : trimmed, username };
}

/** Whether a file gave its values at all. */
export function leavesIn(read: Read): readonly Leaf[] {
  return read.status === 'ok' ? read.leaves : [];
}
