import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailure } from '../cli/failure.ts';
import type { Ground } from '../install/ground.ts';
import { type Ran, run } from './run.ts';

/** The person's own systemd, as `systemctl --user` talks to it. */
export type ServiceManager = {
  /** Runs `systemctl --user …`. Exit 10 with what it said if it fails. */
  call(...arguments_: string[]): string;
  /** Runs it and answers its standard output, whatever its exit code. */
  ask(...arguments_: string[]): string;
};

/** The service manager of this session; undefined where none answers. */
export function findServiceManager(ground: Ground): ServiceManager | undefined {
  const runtime = runtimeFolder(ground);
  if (!runtime) return undefined;
  const environment = { ...ground.environment, XDG_RUNTIME_DIR: runtime };
  const systemctl = (arguments_: string[]): Ran => run('systemctl', ['--user', ...arguments_], environment);
  try {
    if (systemctl(['show', '--property=Version']).code !== 0) return undefined;
  } catch {
    return undefined;
  }
  return {
    call(...arguments_) {
      const { code, stdout, stderr } = systemctl(arguments_);
      if (code !== 0) {
        const why = stderr.trim().split('\n')[0];
        throw new CommandFailure(10, `cannot go on: systemctl --user ${arguments_.join(' ')} says "${why}"`);
      }
      return stdout.trim();
    },
    ask: (...arguments_) => systemctl(arguments_).stdout.trim(),
  };
}

/**
 * The runtime folder of the service manager: systemctl finds it by XDG_RUNTIME_DIR, which a plain shell of `su` or cron
 * does not have, or has from another user. Undefined where no manager is.
 */
export function runtimeFolder({ environment }: Pick<Ground, 'environment'>): string | undefined {
  const given = environment['XDG_RUNTIME_DIR'];
  const usual = `/run/user/${process.getuid!()}`;
  return [...(given?.startsWith('/') ? [given] : []), usual].find((folder) =>
    existsSync(join(folder, 'systemd', 'private')),
  );
}
