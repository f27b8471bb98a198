/** What stat(2) says of a file or folder: its owner, its group, and its permission bits. */
export type Owned = { readonly uid: number; readonly gid: number; readonly mode: number };

/** The effective user and group of a process. */
export type Identity = { readonly uid: number; readonly gid: number };

/**
 * Why another user could have put something there: it belongs to neither this user nor root, or another user may write it.
 * Undefined where it is safe. A group may write where it is root's, or this user's private one: the one with the user's own
 * number, which has no other member (Debian's and Fedora's default). What is found by looking upward or along PATH must
 * pass this, because an ancestor folder may be another user's (CVE-2022-24765).
 */
export function whyUnsafe({ uid, gid, mode }: Owned, self: Identity): string | undefined {
  if (uid !== self.uid && uid !== 0) return `it belongs to user ${uid}`;
  if ((mode & 0o002) !== 0) return 'every user may write it';
  const isPrivate = gid === 0 || (gid === self.gid && gid === self.uid);
  return (mode & 0o020) !== 0 && !isPrivate ? `group ${gid} may write it` : undefined;
}
