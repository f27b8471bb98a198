import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { flawOf } from '../../platform/own.ts';
import { type Places, SOCKET_FOLDER_LINK } from '../../protocol/places.ts';
import { whyNotOwn } from '../locate.ts';
import { type Finding, fine, mend } from './finding.ts';

/** Whether our folders are ours alone, and the files and sockets in them too. What is not there is no fault. */
export function checkPlaces({ config, state, run, agentSocket }: Places): Finding[] {
  const folders = [config, state, run];
  const faults = [
    ...folders.flatMap(checkFolder),
    ...[...new Set([...folders.flatMap(filesIn), agentSocket])].flatMap(checkFile),
  ];
  return faults.length > 0 ? faults : [fine('places', 'folders, files and sockets are yours alone')];
}

function checkFolder(folder: string): Finding[] {
  const stats = look(folder);
  const why = stats && whyNotOwn(stats);
  return why ? [mend('places', `${folder} is not yours alone`, why(folder))] : [];
}

/** Links that are meant to be links: to the agent's program, to its sockets' folder, and a client's that starts it. */
const LINKS: ReadonlySet<string> = new Set(['autostart', 'autostart.mark', SOCKET_FOLDER_LINK]);

/** What lies in a folder, without the folders in it and without our own links. */
function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !LINKS.has(entry.name))
      .map(({ name }) => `${folder}/${name}`);
  } catch {
    return [];
  }
}

function checkFile(file: string): Finding[] {
  const stats = look(file);
  if (!stats) return [];
  const flaw = flawOf(stats, 'any');
  if (flaw === 'link') return [mend('places', `${file} is a symbolic link`, 'put the real thing there')];
  if (flaw === 'owner') {
    return [mend('places', `${file} belongs to uid ${stats.uid}`, `run: sudo chown ${process.getuid!()} ${file}`)];
  }
  if (flaw === 'open') return [mend('places', `others may open ${file}`, `run: chmod 600 ${file}`)];
  return [];
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}
