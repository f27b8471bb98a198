import { version, WIRE_VERSION } from '../version.ts';
import { action, nothing } from './action.ts';

export const capability = action('capability', nothing, async () => {
  return {
    status: 'ok',
    details: [
      ['wire', WIRE_VERSION],
      ['version', version],
      ['capability[]', 'authtype'],
      ['capability[]', 'state'],
      ['capability[]', 'keyhold'],
    ],
  };
});
