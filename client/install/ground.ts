import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Places } from '../../protocol/places.ts';
import { locate } from '../locate.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything an installation stands on: whose it is and where its parts lie. All paths are absolute. */
export type Ground = {
  readonly environment: Environment;
  readonly home: string;
  /** Looked up anew at each use: an agent that starts says where its sockets are. */
  readonly places: Places;
  /** Versions are kept here: `$XDG_DATA_HOME/keyhold`, else `~/.local/share/keyhold`. */
  readonly data: string;
  /** Names are linked here: `~/.local/bin`, as the XDG base directory specification and systemd's file-hierarchy(7) have it. */
  readonly bin: string;
  /** User units lie here: `$XDG_CONFIG_HOME/systemd/user`. */
  readonly units: string;
};

/** The ground as this environment describes it. Throws `unsafe_place` without an absolute `HOME`. */
export function groundOf(environment: Environment = process.env): Ground {
  const home = absolute(environment['HOME']);
  locate(environment);
  if (!home) {
    throw new KeyholdError('unsafe_place', 'cannot tell where things belong: HOME is not an absolute path');
  }
  const config = absolute(environment['XDG_CONFIG_HOME']) ?? `${home}/.config`;
  return {
    environment,
    home,
    get places() {
      return locate(environment);
    },
    data: `${absolute(environment['XDG_DATA_HOME']) ?? `${home}/.local/share`}/keyhold`,
    bin: `${home}/.local/bin`,
    units: `${config}/systemd/user`,
  };
}

/** The folders of `paths` and above, up to the home folder, that are not there yet; the outermost first. */
export function absentFolders({ home }: Pick<Ground, 'home'>, paths: readonly string[]): string[] {
  const absent = new Set<string>();
  for (const path of paths) {
    for (let folder = path; folder !== home && folder !== dirname(folder); folder = dirname(folder)) {
      if (lstatSync(folder, { throwIfNoEntry: false })) break;
      absent.add(folder);
    }
  }
  return [...absent].sort((one, other) => one.length - other.length);
}

function absolute(value: string | undefined): string | undefined {
  return value?.startsWith('/') ? value.replace(/(?<=.)\/+$/, '') : undefined;
}
