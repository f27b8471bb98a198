import type { Target } from '../credential.ts';
import { targetOfUrl } from './url.ts';

const SPARSE = 'sparse+';

/** What cargo calls crates.io, whichever way it reads its index; and the hosts that are all of that registry. */
const CRATES_IO: ReadonlySet<string> = new Set([
  'https://github.com/rust-lang/crates.io-index',
  'sparse+https://index.crates.io/',
]);
const CRATES_IO_TARGETS: readonly Target[] = ['index.crates.io', 'crates.io'].map((host) => ({
  protocol: 'https',
  host,
}));

/** Where the token of an index is kept. */
export type IndexKeys = {
  /** Its own: `login` keeps it at the first, `logout` forgets it. */
  readonly own: readonly Target[];
  /** What also serves it, and is not its to forget. */
  readonly others: readonly Target[];
};

/**
 * The keys of an index, byte by byte: `sparse+https`, host and path. A sparse index always ends in a slash, which
 * `token set` leaves out as it does with every path; undefined for one that does not, and for what is no URL.
 *
 * What is kept for the whole host serves an index at its root only. The host of any other may let strangers put files
 * there, and an index says itself where cargo sends the token. For the same reason crates.io, which cargo calls by an
 * address at GitHub, is never served what is kept for GitHub.
 */
export function keysOfIndex(url: string): IndexKeys | undefined {
  if (CRATES_IO.has(url)) return { own: CRATES_IO_TARGETS, others: [] };
  const target = targetOfUrl(url);
  if (!target || target.username !== undefined) return undefined;
  const { protocol, host, path } = target;
  const isSparse = protocol.startsWith(SPARSE);
  const slashes = /\/*$/.exec(url.slice(url.indexOf('://') + 3))![0].length;
  if (slashes !== (isSparse ? 1 : 0)) return undefined;
  const isRoot = isSparse && path === undefined;
  return { own: [target], others: isRoot ? [{ protocol: protocol.slice(SPARSE.length), host }] : [] };
}
