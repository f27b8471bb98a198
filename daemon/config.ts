import { readFileSync } from 'node:fs';
import type { BackendName, Degradation } from './backends/backend.ts';
import type { LeasePolicy } from './unlocked/lease.ts';

export type AgentConfig = {
  readonly backend: BackendName | 'auto';
  readonly lease: LeasePolicy | undefined;
  readonly logLevel: string;
};

const defaults: AgentConfig = { backend: 'auto', lease: undefined, logLevel: 'info' };

export function readConfig(file: string): { config: AgentConfig; degradations: Degradation[] } {
  try {
    readFileSync(file);
  } catch {
    // none
  }
  return { config: defaults, degradations: [] };
}
