import type { Adapter } from '../../protocol/tools/adapter.ts';
import { adapters as real } from '../../protocol/tools/index.ts';

/** A tool that talks both ways at once, and has a variable, a name with an argument and words for "no agent". */
const talker: Adapter = {
  name: 'talker',
  programs: ['talker-keyhold', 'talk@*'],
  specification: '',
  environment: ['TALKER_NAME', 'TALKER_MODE'],
  folders: ['TALKER_FOLDER', 'TALKER_OTHER'],
  input: { '*': 'stream', hush: 'none' },
  unavailable: { '*': { stdout: '{"error":"no \\ "}\n', explain: false, exitCode: 7 } },
  probe: { get: [] },
  converse: async () => 0,
};

/** The real adapters and one more: the table that the thin client's tests are built with. */
export const adapters: readonly Adapter[] = [...real, talker];

export function adapterFor(program: string): Adapter | undefined {
  const at = program.indexOf('@');
  const name = at > 0 ? `${program.slice(0, at)}@*` : program;
  return adapters.find(({ programs }) => programs.includes(program) || programs.includes(name));
}
