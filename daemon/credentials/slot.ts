import type { EpochSeconds, Seconds, Target } from '../../protocol/credential.ts';
import type { DecodedRequest } from '../../protocol/handler.ts';
import { toWire } from '../../protocol/text.ts';
import type { Clock } from '../clock.ts';
import type { Entries } from './unlocked/set.ts';

/** The least by which the dates of two credentials of one host differ: their order outlives the process. */
const STORED_APART: Seconds = 0.001;

/**
 * Where a store goes. A token that has a label and no username goes where that label stands already, or else has the label
 * as its username: so that several tokens of one host do not take each other's place.
 */
export function slotOf(
  entries: Pick<Entries, 'find'>,
  { target, about }: Pick<DecodedRequest, 'target' | 'about'>,
): Target {
  if (target!.username !== undefined || about?.label === undefined) return target!;
  const { protocol, host, path } = target!;
  const labelled = entries.find(target!, (entry) => entry.path === path && entry.about?.label === about.label);
  return { protocol, host, path, username: labelled ? labelled.username : toWire(about.label) };
}

/** The date of what is stored now: later than any that a request could confuse it with, even in the same second. */
export function newestDate(entries: Pick<Entries, 'findAll'>, clock: Clock, { protocol, host }: Target): EpochSeconds {
  const newest = entries.findAll({ protocol, host }).reduce((latest, { storedAt }) => Math.max(latest, storedAt), 0);
  return Math.max(clock.now(), newest > 0 ? newest + STORED_APART : 0);
}
