import { KeyholdError } from '../../protocol/errors.ts';
import { action, done } from './action.ts';
import { backendIn, type Carrying, carryTo } from './backend-migrate.ts';

export const backendUse = action('backend-use', backendIn, async (name, parts: Carrying, caller) => {
  const { custody } = parts;
  await custody.ready();
  const before = custody.backend?.name;
  if (name === before) return done;
  if (custody.counts.held > 0) {
    const mend = `run: keyhold backend migrate ${name}`;
    throw new KeyholdError('bad_request', `cannot use ${name}: credentials rest in ${before}; ${mend}`);
  }
  await carryTo(name, parts, caller);
  return done;
});
