import { refuseForeignHome } from '../platform/foreign-home.ts';

/** Commands that write below HOME by themselves, as they are named behind `keyhold`. */
const WRITING =
  /^(install|uninstall|start|restart|setup|import|config (set|unset)|profile (set|use|remove)|service add)\b/;

let isAllowed = false;

/** Takes `--as-root` out of a command's words, wherever it stands before `--`, and remembers that it was there. */
export function takeAsRoot(words: readonly string[]): readonly string[] {
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  const kept = words.filter((word, at) => word !== '--as-root' || at > end);
  isAllowed = kept.length < words.length;
  return kept;
}

/** The words for an agent that this command starts. */
export function agentWords(): readonly string[] {
  return isAllowed ? ['--as-root'] : [];
}

/** Refuses a command that would write below another user's HOME as root. Throws `unsafe_place`. */
export function refuseWriting(command: string): void {
  if (WRITING.test(command)) refuseForeignHome(process.env, isAllowed);
}
