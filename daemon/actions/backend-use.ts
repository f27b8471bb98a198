import { KeyholdError } from '../../protocol/errors.ts';
import { action, done } from './action.ts';
import { backendIn, type Carrying, carryTo } from './backend-migrate.ts';

export const backendUse = action('backend-use', backendIn, async (name, parts: Carrying, caller) => {
  const { credentials } = parts;
  await credentials.lifecycle.ready();
  const before = credentials.lifecycle.backend?.name;
  if (name === before) return done;
  if (credentials.entries.counts.held > 0) {
    const mend = `run: keyhold backend migrate ${name}`;
    throw new KeyholdError('bad_request', `cannot use ${name}: credentials rest in ${before}; ${mend}`);
  }
  await carryTo(name, parts, caller);
  return done;
});
