import type { AgentEvent, EventKind } from './events/agent-event.ts';
import type { Log, LogFields, LogLevel } from './log.ts';

/** The log's line for each event and its level. It is for people: nothing in the agent reads it. */
const lines: Readonly<Record<EventKind, readonly [level: LogLevel, line: string]>> = {
  stored: ['info', 'stored'],
  rotated: ['info', 'rotated'],
  refreshed: ['info', 'refreshed'],
  erased: ['info', 'erased'],
  annotated: ['info', 'annotated'],
  buried: ['info', 'buried'],
  'signed-in': ['info', 'signed-in'],
  ended: ['info', 'ended'],
  'taken-again': ['info', 'taken-again'],
  revoked: ['info', 'revoked'],
  rechecked: ['info', 'rechecked'],
  'refresh-failed': ['warn', 'refresh-failed'],
  'recheck-failed': ['warn', 'recheck-failed'],
  'verdict-failed': ['warn', 'verdict-failed'],
  opened: ['info', 'opened'],
  locked: ['info', 'locked'],
  wanted: ['info', 'wanted'],
  upgraded: ['info', 'upgraded'],
  'open-failed': ['warn', 'open-failed'],
  'upgrade-failed': ['warn', 'upgrade-failed'],
  'erased-failed': ['warn', 'erased-failed'],
  'approved-failed': ['warn', 'approved-failed'],
  'farewell-failed': ['warn', 'farewell-failed'],
  'migrate-recovered': ['info', 'migrate-recovered'],
  'migrate-journal': ['info', 'migrate-journal'],
  refused: ['warn', 'refused'],
  upstream: ['info', 'upstream'],
  'attendant-failed': ['warn', 'attendant-failed'],
  'audit-failed': ['warn', 'audit-failed'],
  'audit-written': ['info', 'audit-written'],
  'audit-pruned': ['info', 'audit-pruned'],
};

/** Writes every event to the log. */
export function logging(log: Log): (event: AgentEvent) => void {
  return ({ kind, ...fields }) => {
    const [level, line] = lines[kind];
    log(line, fields satisfies LogFields, level);
  };
}
