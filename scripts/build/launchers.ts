import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A program that needs Node: what it runs of dist/lib, and node's flags for it. This is the only list of flags. */
export type Launched = {
  readonly program: string;
  readonly bundle: string;
  readonly flags: readonly string[];
  /** Files that it has to be able to open: with fewer Node crashes, or an agent accepts and never answers. */
  readonly files: number;
  /** Shell lines between finding node and running it. */
  readonly before?: readonly string[];
  /** A flag that one command goes without. */
  readonly unless?: { readonly command: string; readonly flag: string };
  /** Passes the name that it was called by as the first argument. */
  readonly passName?: boolean;
};

/** No inspector by a signal (the same user could read every secret through it), and no way to swap prototypes. */
const closed = ['--disable-sigusr1', '--disable-proto=delete'];

export const agent: Launched = {
  program: 'keyhold-agent',
  bundle: 'agent.cjs',
  // 33 at rest with a vault, and some for callers and a child.
  files: 64,
  // A small young generation and one helper thread: 96 -> 72 MiB under load, without a cost in speed. Of 1 MiB it would
  // promote more: 94 MiB right after 30,000 gets in place of 91, and 63 to 70 a minute later in place of 59.
  // From the first: to grow it, a collection would look through what the start has made, of which nearly all stays.
  flags: [...closed, '--min-semi-space-size=2', '--max-semi-space-size=2', '--v8-pool-size=1'],
  before: ['ulimit -c 0 2>/dev/null || :'],
};

export const cli: Launched = {
  program: 'keyhold',
  bundle: 'cli.cjs',
  files: 32,
  // A young generation that a list of 10,000 fits in, and no threads that collect and compile beside it: what they do
  // costs a short run more than it saves. Each of these flags leaves the code that node keeps of its own modules good,
  // which --single-threaded does not: V8 takes kept code only under the flags that it was made with.
  flags: [
    ...closed,
    '--min-semi-space-size=16',
    '--max-semi-space-size=16',
    '--single-threaded-gc',
    '--no-concurrent-recompilation',
    '--no-concurrent-sparkplug',
  ],
  // It leaves SIGUSR1 blocked, and what `exec` becomes could never hear it. Who may send it may as well read the token
  // in /proc a moment later.
  unless: { command: 'exec', flag: '--disable-sigusr1' },
  before: [
    // The line protocol for scripts is the thin client's, which needs no Node.
    'case "$*" in get | store | erase) exec "$bin/keyhold-helper" "$@" ;; esac',
    // The program that `exec` becomes gets the environment that we were started with, whatever node may not see of it.
    // Longer than one variable may be, or without base64, it is left empty: then `exec` says what does not reach it.
    'unset KEYHOLD_ENVIRONMENT',
    `case \${1-} in exec)`,
    '  system_program base64',
    '  KEYHOLD_ENVIRONMENT=$("$program" </proc/$$/environ 2>/dev/null) || KEYHOLD_ENVIRONMENT=',
    `  [ "\${#KEYHOLD_ENVIRONMENT}" -lt 130000 ] || KEYHOLD_ENVIRONMENT=`,
    '  export KEYHOLD_ENVIRONMENT ;;',
    'esac',
  ],
};

/** The thin client where there was no compiler. */
export const helper: Launched = {
  program: 'keyhold-helper',
  bundle: 'helper.cjs',
  files: 32,
  flags: [...closed, '--no-addons', '--max-semi-space-size=1', '--v8-pool-size=1'],
  passName: true,
};

/** What could steer node, or load code into it, from outside. */
const steering = [
  'NODE_OPTIONS NODE_PATH NODE_DEBUG NODE_DEBUG_NATIVE NODE_V8_COVERAGE NODE_EXTRA_CA_CERTS NODE_ICU_DATA',
  'NODE_REDIRECT_WARNINGS NODE_COMPILE_CACHE NODE_DISABLE_COMPILE_CACHE NODE_PRESERVE_SYMLINKS',
  'OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES SSLKEYLOGFILE LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH',
];

/** The oldest Node that is good enough (package.json, engines). */
const NODE_MAJOR = 24;
const NODE_MINOR = 19;

/** Writes the launcher of `launched` into the folder `bin`. */
export async function writeLauncher(bin: string, launched: Launched): Promise<void> {
  const path = join(bin, launched.program);
  await writeFile(path, launcherOf(launched));
  await chmod(path, 0o755);
}

/**
 * The shell functions of a launcher. They run nothing but built-ins and programs of the system's own folders, because the
 * working directory and folders of PATH may be another user's.
 *
 * - `system_program NAME`: its absolute path in `program`, or what cannot be run.
 * - `is_safe FILE OWNER…`: whether FILE belongs to one of the owners and no other user may write it. The group may, where
 *   it is the user's private one, which has the user's own number and no other member (Debian's and Fedora's default).
 */
const functions = `system_program() {
  for program in /usr/bin /bin /usr/local/bin; do
    program=$program/$1
    [ -x "$program" ] && return
  done
  program=/nonexistent/$1
}
is_safe() {
  file=$1
  shift
  read_owner "$file"
  case $mode in
    ????????w*) return 1 ;;
    ?????w*) [ "$group" = "$uid" ] && [ "$group" = "$gid" ] || [ "$group" = 0 ] || return 1 ;;
  esac
  for one in "$@"; do [ "$owner" = "$one" ] && return; done
  return 1
}
read_owner() {
  mode=????????w owner=none group=none
  while read -r mode links owner group more; do break; done <<EOF
$("$ls" -ldnL -- "$1" 2>/dev/null || echo '????????w - none none')
EOF
}
read_own_ids() {
  uid=none gid=none
  while read -r name real effective more; do
    case $name in Uid:) uid=$effective ;; Gid:) gid=$effective && break ;; esac
  done </proc/self/status
  system_program ls
  ls=$program
}`;

/**
 * A POSIX sh script that finds its own folder through links, then Node: `../node` (an installed copy), else
 * node_modules/node-linux-… of the package's own root, else the same beside the root where npm put the two packages side
 * by side, else `node` on PATH, else the system's. What it takes belongs to this user, to root or (not on PATH) to the
 * root's owner, and other users cannot write it: an ancestor folder may be another user's. What LD_PRELOAD put into the shell
 * itself has run by then, and no script can undo it; it goes no further than that.
 */
function launcherOf({ program, bundle, flags, files, before = [], unless, passName = false }: Launched): string {
  const always = flags.filter((flag) => flag !== unless?.flag);
  const some = unless ? `flag=${unless.flag}\ncase \${1-} in ${unless.command}) flag= ;; esac\n` : '';
  return `#!/bin/sh
# ${program}: finds Node ${NODE_MAJOR} and runs ../lib/${bundle} under it. Made by scripts/build.ts.
unset ${steering.join(' \\\n  ')}

${functions}

self=$0
called=\${0##*/}
case $self in */*) ;; *) [ -f "./$self" ] && self=./$self || self=$(command -v -- "$self") ;; esac
while [ -h "$self" ]; do
  system_program readlink
  link=$("$program" "$self") || exit 1
  case $link in /*) self=$link ;; *) self=\${self%/*}/$link ;; esac
done
bin=$(CDPATH='' cd -- "\${self%/*}" && pwd -P) || exit 1
${before.map((line) => `${line}\n`).join('')}
# Node raises the soft limit by itself. Where there is no such line, nothing is refused.
while read -r one two three soft hard unit; do
  case "$one $two $three $hard" in
    'Max open files unlimited') break ;;
    'Max open files '*)
      [ "$hard" -ge ${files} ] && break
      echo "${program}: cannot start: it may open $hard files and needs ${files}; raise the hard limit: ulimit -Hn, limits.conf(5), or LimitNOFILE= of the unit" >&2
      exit 1 ;;
  esac
done </proc/self/limits

for file in "$bin"/../lib/*; do
  [ -r "$file" ] && continue
  echo "${program}: cannot start: $file may not be read by this user; let its owner run: chmod -R a+rX \${bin%/*}" >&2
  exit 1
done

node= skipped= uid=
if [ -f "$bin/../node" ] && [ -x "$bin/../node" ]; then
  node=$bin/../node
else
  root=\${bin%/*/*}
  beside=\${root%/*}
  [ "\${beside##*/}" = node_modules ] || beside=/nonexistent
  for found in "$root"/node_modules/node-linux-*/bin/node "$beside"/node-linux-*/bin/node; do
    [ -f "$found" ] && [ -x "$found" ] || continue
    # What this user owns in the own root needs no look at its mode, which costs a process.
    case $found in
      "$root"/*) [ -O "$found" ] && [ -O "\${found%/*}" ] && node=$found && break ;;
    esac
    [ -n "$uid" ] || read_own_ids
    read_owner "$root"
    root_owner=$owner
    if is_safe "$found" "$uid" 0 "$root_owner" && is_safe "\${found%/*}" "$uid" 0 "$root_owner"; then
      node=$found
      break
    fi
    skipped=$found
  done
fi
if [ -z "$node" ]; then
  [ -n "$uid" ] || read_own_ids
  here=$(pwd -P)
  rest=\${PATH-}:
  while [ -n "$rest" ]; do
    folder=\${rest%%:*}
    rest=\${rest#*:}
    found=\${folder%/}/node
    case $folder in /*) ;; *) continue ;; esac
    [ -f "$found" ] && [ -x "$found" ] || continue
    [ "$(CDPATH='' cd -- "$folder" && pwd -P)" != "$here" ] || continue
    if is_safe "$found" "$uid" 0 && is_safe "\${folder%/}/." "$uid" 0; then
      node=$found
      break
    fi
    skipped=$found
  done
  [ -n "$node" ] || system_program node
  [ -n "$node" ] || [ ! -x "$program" ] || node=$program
  version=
  [ -n "$node" ] && version=$("$node" --version 2>/dev/null)
  version=\${version#v}
  major=\${version%%.*}
  minor=\${version#*.}
  minor=\${minor%%.*}
  case $major$minor in '' | *[!0-9]*) major=0 minor=0 ;; esac
  if [ "$major" -lt ${NODE_MAJOR} ] || { [ "$major" -eq ${NODE_MAJOR} ] && [ "$minor" -lt ${NODE_MINOR} ]; }; then
    echo "${program}: cannot start: it needs Node ${NODE_MAJOR}.${NODE_MINOR} or newer and found \${version:-none}; run npm ci in its folder, or put a newer node on PATH" >&2
    [ -z "$skipped" ] || echo "${program}: not run, because another user may change it or its folder: $skipped" >&2
    exit 1
  fi
fi
${some}exec "$node" ${unless ? '$flag ' : ''}${always.join(' ')} "$bin/../lib/${bundle}" ${passName ? '"$called" ' : ''}"$@"
`;
}
