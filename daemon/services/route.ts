import { lstatSync, readFileSync } from 'node:fs';
import type { Config } from '../../protocol/config.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Route } from '../upstream/plan.ts';

/** Bytes of a file of certificates: a machine's whole store is a quarter of it. */
const AUTHORITIES_MAX = 1_048_576;
/** Permissions to write, of others than the owner. */
const OTHERS_WRITE = 0o022;

/** How services are reached, as the person has configured it. Throws where they must not be, or cannot. */
export function routeOf(config: Config): Route {
  if (config.upstreamOffline === 'on') {
    throw new KeyholdError(
      'offline',
      'cannot call a service: upstream.offline is on; run: keyhold config set upstream.offline off',
    );
  }
  return {
    deadline: config.upstreamDeadline * 1_000,
    authorities: config.upstreamCa === undefined ? undefined : authoritiesIn(config.upstreamCa),
    proxy: config.upstreamProxy,
  };
}

/** Whoever may write this file may stand between us and every service: it is the person's own, or root's. */
function authoritiesIn(file: string): string {
  const refuse = (rule: string) => new KeyholdError('bad_config', `cannot use upstream.ca, ${file}: ${rule}`);
  try {
    const stats = lstatSync(file);
    if (!stats.isFile()) throw refuse('it is no plain file');
    if (stats.uid !== process.getuid!() && stats.uid !== 0) throw refuse(`it belongs to uid ${stats.uid}`);
    if ((stats.mode & OTHERS_WRITE) !== 0) throw refuse(`others may write it; run: chmod go-w ${file}`);
    if (stats.size > AUTHORITIES_MAX) throw refuse(`it is longer than ${AUTHORITIES_MAX} bytes`);
    const text = readFileSync(file, 'latin1');
    if (!text.includes('-----BEGIN CERTIFICATE-----')) throw refuse('it holds no certificate in PEM');
    return text;
  } catch (error) {
    if (error instanceof KeyholdError) throw error;
    throw refuse(`it cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
