/** The tenant of what belongs to none. */
export const NO_TENANT = '00000000-0000-0000-0000-000000000000';

export type Role = 'root' | 'tenant-admin' | 'tenant-user';

/** Who asks, once a token or a key was accepted. */
export type Session = {
  readonly userId: string;
  readonly username: string;
  readonly tenant: string | null;
  readonly role: Role;
  /** Of the token; undefined for a service key. */
  readonly tokenId: string | undefined;
};

/** Whether somebody may do what only an admin may. */
export function isAdmin({ role }: Session): boolean {
  return role !== 'tenant-user';
}
