import { Argument, type Command } from 'commander';
import { addNoun } from './verb.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/** Commands whose argument is a file. */
const takeFiles = ['backup', 'restore', 'service add', 'service check'];

/** One place in the tree of commands: the words that lead there, and what may follow. */
type Place = { readonly path: string; readonly nouns: readonly Candidate[]; readonly others: readonly Candidate[] };
type Candidate = { readonly word: string; readonly summary: string };

/** `keyhold completion SHELL`: a script made from the commands as they are. It runs nothing when a word is completed. */
export function addCompletion(program: Command): void {
  addNoun(program, 'completion', 'a completion script for your shell')
    .addArgument(new Argument('<shell>', 'which one').choices(shells))
    .addHelpText(
      'after',
      '\nbash: source <(keyhold completion bash)\nzsh: source <(keyhold completion zsh)\nfish: keyhold completion fish | source',
    )
    .action((shell: Shell) => {
      process.stdout.write(writers[shell](placesOf(program)));
    });
}

function placesOf(command: Command, path = ''): Place[] {
  const visible = command.commands.filter((child) => !(child as Command & { _hidden?: boolean })._hidden);
  const others = [
    ...command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices.map((word) => ({ word, summary: '' }))),
    ...command.options
      .filter(({ hidden }) => !hidden)
      .map(({ long, description }) => ({ word: long!, summary: description })),
    { word: '--help', summary: 'help for this command' },
  ];
  const nouns = visible.map((child) => ({ word: child.name(), summary: child.description() }));
  return [{ path, nouns, others }, ...visible.flatMap((child) => placesOf(child, `${path} ${child.name()}`))];
}

const writers: Record<Shell, (places: readonly Place[]) => string> = { bash, zsh, fish };

/** Shell lines that set `place` to the words which lead to the word being completed. */
function findPlace(places: readonly Place[]): string {
  const inner = places.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);
  return `    case "$place $word" in
      ${inner.join('|')}) place="$place $word" ;;
    esac`;
}

function bash(places: readonly Place[]): string {
  return `# bash completion for keyhold
_keyhold() {
  local current=\${COMP_WORDS[COMP_CWORD]} place='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
${findPlace(places)}
  done
  case "$place" in
${places.map(({ path, nouns, others }) => `    '${path}') words='${words(nouns, others)}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _keyhold keyhold
`;
}

function words(...lists: readonly (readonly Candidate[])[]): string {
  return lists
    .flat()
    .map(({ word }) => word)
    .join(' ');
}

function zsh(places: readonly Place[]): string {
  return `#compdef keyhold
# zsh completion for keyhold
_keyhold() {
  local place='' word
  local -a candidates
  for word in "\${(@)words[2,CURRENT-1]}"; do
${findPlace(places)}
  done
  case "$place" in
${places.map((place) => `    '${place.path}') candidates=(${described(place)}) ;;`).join('\n')}
  esac
  _describe -t commands keyhold candidates
  if [[ "$place" == (${takeFiles.map((place) => `' ${place}'`).join('|')}) ]]; then _files; fi
}
if [ "$funcstack[1]" = "_keyhold" ]; then _keyhold "$@"; else compdef _keyhold keyhold; fi
`;
}

function described({ nouns, others }: Place): string {
  return [...nouns, ...others].map(({ word, summary }) => quote(`${word}${summary ? `:${summary}` : ''}`)).join(' ');
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, nouns, others }) =>
    [...nouns, ...others].map(({ word, summary }) => {
      const about = summary ? ` -d ${quote(summary)}` : '';
      const option = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
      return `complete -c keyhold -f -n ${quote(`test (__keyhold_place) = "${path}"`)} ${option}${about}`;
    }),
  );
  return `# fish completion for keyhold
function __keyhold_place
  set -l place ''
  set -l words (commandline -opc)
  for word in $words[2..-1]
    switch "$place $word"
      case ${places.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`])).join(' ')}
        set place "$place $word"
    end
  end
  echo "$place"
end
complete -c keyhold -n '${takeFiles.map((place) => `test (__keyhold_place) = " ${place}"`).join('; or ')}' -F
${lines.join('\n')}
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
