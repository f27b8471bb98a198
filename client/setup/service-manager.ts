import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
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
  const environment = withRuntimeFolder(ground);
  const runtime = environment['XDG_RUNTIME_DIR'];
  if (!runtime || !existsSync(join(runtime, 'systemd', 'private'))) return undefined;
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

/** systemctl finds its manager by XDG_RUNTIME_DIR, which a plain shell of `su` or cron has not. */
function withRuntimeFolder({ environment, places }: Ground): Record<string, string | undefined> {
  const isRuntime = !places.run.startsWith(`${places.state}/`);
  const runtime = isRuntime ? dirname(places.run) : undefined;
  return { ...environment, XDG_RUNTIME_DIR: environment['XDG_RUNTIME_DIR'] || runtime };
}
