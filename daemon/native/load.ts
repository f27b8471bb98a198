import type { Native } from './native.ts';
export function loadNative(): Native | undefined {
  return undefined;
}
