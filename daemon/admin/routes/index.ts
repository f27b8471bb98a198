import type { Route } from '../route.ts';
import { audit } from './audit.ts';
import { health } from './health.ts';
import { metrics } from './metrics.ts';
import { deletedTokens, tokens } from './tokens.ts';
import { usage, usageOf } from './usage.ts';

/** Every view, listed by hand. /openapi.json is made from it. */
export const routes: readonly Route[] = [health, metrics, tokens, deletedTokens, usage, usageOf, audit];
