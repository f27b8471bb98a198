/** A date as services write it, in epoch seconds; undefined if it is none. */
export function dateIn(value: unknown): number | undefined {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) {
    // Milliseconds, where seconds would be beyond the year 5000.
    return Math.floor(value > 100_000_000_000 ? value / 1_000 : value);
  }
  if (typeof value !== 'string') return undefined;
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) ? undefined : Math.floor(parsed / 1_000);
}
