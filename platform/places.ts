import { lstatSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, dirname } from 'node:path';
import {
  foldersOf,
  homeIn,
  type Places,
  placesIn,
  placesOf,
  SOCKET_FOLDER_LINK,
  uidOutside,
  type Variables,
} from '../protocol/places.ts';
import { replaceLink } from './durable.ts';
import { makeFolders } from './folders.ts';
import { isOwnFolder } from './own.ts';

/** The places by the rules, as an agent that starts now would choose them. Undefined without HOME where it is needed. */
export function computePlaces(environment: Variables): Places | undefined {
  const uid = hostUid();
  return placesOf({ environment, uid, home: homeOf(uid), isOwn: isOwnFolder, realPath });
}

/**
 * The places of the agent that wrote STATE/socket-folder last; undefined where no such link can be trusted, and with
 * KEYHOLD_HOME, which has one place only.
 */
export function linkedPlaces(environment: Variables): Places | undefined {
  const folders = foldersOf(environment);
  if (!folders || folders.run !== undefined) return undefined;
  const run = linkedFolder(folders.state);
  return run === undefined ? undefined : placesIn(folders, run, environment);
}

/** The folder that STATE/socket-folder names, if link, state folder and target are ours alone. */
export function linkedFolder(state: string): string | undefined {
  const link = `${state}/${SOCKET_FOLDER_LINK}`;
  try {
    if (!isOwnFolder(state) || lstatSync(link).uid !== process.getuid!()) return undefined;
    const folder = readlinkSync(link);
    return folder.startsWith('/') && isOwnFolder(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** Makes STATE/socket-folder name `folder`, in one step: a client reads the old target or the new one. */
export function writeSocketFolder(state: string, folder: string): void {
  makeFolders(state);
  replaceLink(`${state}/${SOCKET_FOLDER_LINK}`, folder);
}

/**
 * Whether this process lives in a user namespace that its own user made (rootless podman's helper, a sandbox). An agent
 * started there would see other uids than every later client and end with the container: none is started.
 */
export function inOwnUserNamespace(): boolean {
  return uidOutside(uidMap(), process.getuid!()).isMapped && !isSystemsNamespace();
}

/**
 * The runtime folder that the system has for this user, `/run/user/UID`, whatever XDG_RUNTIME_DIR says. Undefined where it
 * is not there, and for any other than the default state folder: what is set apart looks at nothing of the user's session.
 */
export function userRuntimeFolder(environment: Variables): string | undefined {
  const runtime = `/run/user/${hostUid()}`;
  return computePlaces(environment)?.run === `${runtime}/keyhold` ? runtime : undefined;
}

/** Our uid as the rest of the machine sees it. */
function hostUid(): number {
  const uid = process.getuid!();
  const outside = uidOutside(uidMap(), uid);
  return outside.isMapped && !isSystemsNamespace() ? outside.uid : uid;
}

/** Whether the first process that we see shares our user namespace: then it is a container's whole system. */
function isSystemsNamespace(): boolean {
  try {
    return readlinkSync('/proc/1/ns/user') === readlinkSync('/proc/self/ns/user');
  } catch {
    return false;
  }
}

function uidMap(): string {
  try {
    return readFileSync('/proc/self/uid_map', 'latin1');
  } catch {
    return '';
  }
}

/** /etc/passwd first, as the native client does; a user of a directory service has no line there. */
function homeOf(uid: number): string | undefined {
  try {
    const home = homeIn(readFileSync('/etc/passwd', 'utf8'), uid);
    if (home !== undefined || uid !== process.getuid!()) return home;
    return userInfo().homedir;
  } catch {
    return undefined;
  }
}

/** The path without links of a folder, which need not be there. */
function realPath(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    const parent = dirname(folder);
    return parent === folder ? folder : `${realPath(parent).replace(/\/$/, '')}/${basename(folder)}`;
  }
}
