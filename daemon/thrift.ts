/**
 * Tells V8 to be sparing from here on. By itself it lets the heap grow fourfold before it looks through all of it: fit
 * for a batch job, not for a process that stays. Without its middle compiler there is less code of it and by it in
 * memory. Measured, holding 10,000, after 30,000 gets: 108 MiB before and 90 after; neither costs speed under load.
 *
 * Not among the launcher's flags: V8 rejects compiled code that was made under other flags, node's own included, and
 * the start would take a quarter longer. So it is called once everything is loaded.
 */
export function beSparing(): void {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  setFlagsFromString('--heap-growing-percent=20');
  setFlagsFromString('--no-maglev');
}
