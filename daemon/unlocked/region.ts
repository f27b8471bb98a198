import { heapSecret } from '../../protocol/secret.ts';
import type { Native } from '../native/native.ts';
export function openRegion(_options: { native: Native | undefined }) {
  return { keep: heapSecret, protection: 'plain', used: 0, dispose() {} };
}
