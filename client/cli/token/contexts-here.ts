import type { Manifest } from '../../../protocol/services/index.ts';
import { contextsIn, type Looked } from '../../services/context.ts';
import { remark } from '../page.ts';

/**
 * The servers that the working directory and those above it speak of. Files that another user could have put there are left
 * out, and named on stderr with the reason.
 */
export function contextsHere(manifests: readonly Manifest[]): Looked {
  const looked = contextsIn(process.cwd(), manifests);
  for (const { path, why } of looked.refused) {
    remark(`keyhold: not read, because another user could have written it: ${path} (${why})`);
  }
  return looked;
}
