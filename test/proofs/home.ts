import { mkdirSync, writeFileSync } from 'node:fs';

/** Writes the settings of an agent's home: which backend, and what else. */
export function configure(home: string, backend: 'auto' | 'vault' | 'keyring', more: object = {}): void {
  mkdirSync(`${home}/config`, { recursive: true, mode: 0o700 });
  writeFileSync(`${home}/config/config.json`, JSON.stringify({ backend, ...more }), { mode: 0o600 });
}
