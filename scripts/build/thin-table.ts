import type { Adapter } from '../../protocol/tools/adapter.ts';

/** The thin client's table, as the C header that it is compiled with: data of the adapters, nothing of its own. */
export function thinTable(adapters: readonly Adapter[]): string {
  return `/* Made by scripts/build.ts from protocol/tools/. */
${adapters.map((adapter, index) => rowArrays(adapter, index)).join('\n')}
static const struct row rows[] = {
${adapters.map((adapter, index) => row(adapter, index)).join('\n')}
};
`;
}

/** Every executable name that the thin client answers to, with a file to be called by: `…@*` names have none. */
export function linkNames(adapters: readonly Adapter[]): string[] {
  return adapters
    .filter(({ apart }) => !apart)
    .flatMap(({ programs }) => programs)
    .filter((program) => !program.includes('@'));
}

function rowArrays(adapter: Adapter, index: number): string {
  const { programs, environment, folders = [], input, unavailable, unnameable = {} } = adapter;
  const named = [input, unavailable, unnameable].flatMap((table) => Object.keys(table));
  const operations = [...new Set(named)].filter((name) => name !== '*');
  // The last entry is for every other operation.
  const lines = [...operations, undefined].map((operation) => {
    const mode = input[operation ?? '*'] ?? input['*'];
    const answer = unavailable[operation ?? '*'] ?? unavailable['*'];
    const { stdout, explain, exitCode } = answer;
    const nothing = unnameable[operation ?? '*'] ?? unnameable['*'];
    const fields = [
      ...[orNull(operation), mode.toUpperCase(), text(stdout), explain ? 1 : 0, exitCode],
      orNull(nothing),
    ];
    return `  {${fields.join(', ')}},`;
  });
  return `static const char *const programs_${index}[] = {${[...programs.map(text), '0'].join(', ')}};
static const char *const environment_${index}[] = {${[...environment.map(text), '0'].join(', ')}};
static const char *const folders_${index}[] = {${[...folders.map(text), '0'].join(', ')}};
static const struct operation operations_${index}[] = {
${lines.join('\n')}
};
`;
}

function row({ name }: Adapter, index: number): string {
  return `  {${text(name)}, programs_${index}, environment_${index}, folders_${index}, operations_${index}},`;
}

function orNull(value: string | undefined): string {
  return value === undefined ? '0' : text(value);
}

function text(value: string): string {
  const escaped = [...Buffer.from(value, 'utf8')].map((byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c && byte !== 0x3f
      ? String.fromCharCode(byte)
      : `\\${byte.toString(8).padStart(3, '0')}`,
  );
  return `"${escaped.join('')}"`;
}
