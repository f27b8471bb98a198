/**
 * What may be logged about an event, and nothing else: an allow-list by type and, for what comes from outside the type
 * system, once more at run time. No host, no user, no value.
 */
const loggable = [
  'id',
  'backend',
  'held',
  'code',
  'signal',
  'pid',
  'uid',
  'version',
  'state',
  'socket',
  'reason',
  'count',
  'where',
  'service',
  'operation',
  'outcome',
] as const;

export type LogFields = Partial<Record<(typeof loggable)[number], string | number | boolean | undefined>>;
export type LogLevel = 'fatal' | 'warn' | 'info';
/** Writes a line; `level` is info where it is left out. */
export type Log = (line: string, fields: LogFields, level?: LogLevel) => void;

/** Lines that come before the logger is there are kept, up to so many. */
const EARLY_MAX = 200;

export type LogSink = { write(line: string): void };

/**
 * A log that can be written to at once and gets its writer later: pino is loaded after the agent listens, because it
 * must not stand on the path to the first answer.
 */
export function openLog(): { readonly log: Log; attach(sink: LogSink, level: string): Promise<void> } {
  const early: [line: string, fields: LogFields, level: LogLevel | undefined, time: number][] = [];
  let happened: number | undefined;
  let write: Log = (line, fields, level) => {
    if (early.length < EARLY_MAX) early.push([line, fields, level, Date.now()]);
  };
  return {
    log: (line, fields, level) => write(line, pick(fields), level),
    async attach(sink, leastLevel) {
      const { default: pino } = await import('pino');
      const timestamp = () => `,"time":"${new Date(happened ?? Date.now()).toISOString()}"`;
      const logger = pino({ base: null, level: leastLevel, timestamp, messageKey: 'event' }, sink);
      write = (line, fields, level = 'info') => logger[level](fields, line);
      for (const [line, fields, level, time] of early.splice(0)) {
        happened = time;
        write(line, fields, level);
      }
      happened = undefined;
    },
  };
}

function pick(fields: LogFields): LogFields {
  const picked: LogFields = {};
  for (const name of loggable) {
    const value = fields[name];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}
