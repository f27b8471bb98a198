import type { ChildProcess } from 'node:child_process';
import { startProgram } from '../programs.ts';

/** Milliseconds in which the opener must have started. */
const DEADLINE = 2_000;

/** Whether a page could be shown: a display is there. */
export function hasDisplay(environment: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(environment['WAYLAND_DISPLAY'] || environment['DISPLAY']);
}

/** Hands a URL to the desktop and does not wait for what it does with it. False where it has no `xdg-open`. */
export function openPage(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    let opener: ChildProcess;
    try {
      opener = startProgram('xdg-open', [url], { stdio: 'ignore', detached: true });
    } catch {
      resolve(false);
      return;
    }
    const late = setTimeout(() => resolve(false), DEADLINE);
    const ended = (opened: boolean) => {
      clearTimeout(late);
      opener.unref();
      resolve(opened);
    };
    opener.on('error', () => ended(false));
    opener.on('spawn', () => ended(true));
  });
}
