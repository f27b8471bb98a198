import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DecodedRequest } from '../../protocol/handler.ts';
import { type Owned, whyUnsafe } from '../../protocol/ownership.ts';
import { boundFolder, type Profiles } from '../../protocol/profiles.ts';
import { placeOf } from './profiles.ts';

/** Milliseconds that a file system may take to say who owns the folders: one of a network may never answer. */
const DEADLINE = 1_000;
/** Milliseconds for which an answer stands, so that a tool which asks again and again costs no file access. */
const KEPT = 10_000;
const KEPT_MAX = 256;

type Answer = { readonly boundary: string | undefined; readonly until: number };
export type LookAt = (path: string) => Promise<Owned>;

/**
 * Finds out, before a request is answered, whether a profile that is bound to a folder may be chosen by the caller's
 * working directory: it is not taken across a folder that belongs to another user or that others may write
 * (CVE-2022-24765). Looks only where a binding would decide, never blocks, and answers the request with its `boundary`.
 */
export class WorkingFolders {
  readonly #profiles: () => Profiles;
  readonly #lookAt: LookAt;
  readonly #kept = new Map<string, Answer>();
  readonly #underWay = new Map<string, Promise<string | undefined>>();

  /** Tests give `lookAt` in place of stat(2). */
  constructor(profiles: () => Profiles, lookAt: LookAt = stat) {
    this.#profiles = profiles;
    this.#lookAt = lookAt;
  }

  /**
   * The request with its `boundary`: itself where no binding would decide, or a promise where the folders are looked at first. The
   * promise never rejects.
   */
  bounded<Request extends DecodedRequest>(request: Request): Request | Promise<Request> {
    const { folders } = this.#profiles();
    if (folders.size === 0 || request.profile !== undefined) return request;
    const cwd = placeOf(this.#profiles(), request);
    if (cwd === undefined) return request;
    const bound = boundFolder(folders, cwd);
    if (bound === undefined) return request;
    const key = `${bound}\0${cwd}`;
    const kept = this.#kept.get(key);
    if (kept && performance.now() < kept.until) {
      return { ...request, boundary: kept.boundary };
    }
    return this.#boundaryOf(key, cwd, bound).then((boundary) => ({ ...request, boundary }));
  }

  /** Callers that ask for the same folder share one look; its result is what the deadline left of it. */
  #boundaryOf(key: string, cwd: string, bound: string): Promise<string | undefined> {
    let walk = this.#underWay.get(key);
    if (walk === undefined) {
      walk = this.#walk(cwd, bound);
      this.#underWay.set(key, walk);
      void walk.then((boundary) => {
        this.#underWay.delete(key);
        if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
        this.#kept.set(key, { boundary, until: performance.now() + KEPT });
      });
    }
    return within(walk, cwd);
  }

  async #walk(cwd: string, bound: string): Promise<string | undefined> {
    const self = { uid: process.geteuid!(), gid: process.getegid!() };
    for (let folder = cwd; ; folder = dirname(folder)) {
      try {
        if (whyUnsafe(await this.#lookAt(folder), self) !== undefined) return folder;
      } catch {
        return folder;
      }
      if (folder === bound || folder === dirname(folder)) return undefined;
    }
  }
}

/** No answer in time is not an answer: then no binding counts. */
function within(walk: Promise<string | undefined>, cwd: string): Promise<string | undefined> {
  let timer: NodeJS.Timeout;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(cwd), DEADLINE);
  });
  return Promise.race([walk, late]).finally(() => clearTimeout(timer));
}
