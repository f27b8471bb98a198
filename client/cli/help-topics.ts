import { exitCodeOf, type Status, statuses } from '../../protocol/status.ts';
import { actions } from '../../protocol/wire/actions.ts';
import { auditTopic, eventsTopic } from './help-events.ts';
import { importTopic } from './help-import.ts';
import { loginTopic } from './help-login.ts';
import { Page } from './page.ts';

export type Topic = { readonly summary: string; readonly text: () => string };

/** What `keyhold help` tells beside its commands, by example: a table of texts. */
export const topics: Readonly<Record<string, Topic>> = {
  start: {
    summary: 'the first five minutes',
    text: () => `
Install a copy that outlives this folder, and let git ask it:

  $ keyhold install
  $ keyhold setup git

Keep a token. It is asked for without being shown:

  $ keyhold token set --for https://git.example --username ada

See what is held, and how the agent is:

  $ keyhold token list
  $ keyhold status

Something is not right:

  $ keyhold doctor

Take everything back, as if it had never been there:

  $ keyhold uninstall --purge
`,
  },
  tokens: {
    summary: 'keeping, finding and ending tokens',
    text: () => `
Keep one. In a repository the server is found by itself; the form is looked at
first, and nothing of the token is ever shown:

  $ keyhold token set
  $ keyhold token set --service podstack --label ci --origin "from Grace"
  $ keyhold token set --for https://git.example --username ada

A token is named by its label or id, or by how one of them begins:

  $ keyhold token list
  $ keyhold token show ci
  $ keyhold token print ci
  $ keyhold token rename ci pipeline
  $ keyhold token history pipeline

A new one in its place, under the same label: first a look, then it is made,
proved, swapped in, and the old one dies. What stopped goes on, or back:

  $ keyhold token rotate pipeline --dry-run
  $ keyhold token rotate pipeline
  $ keyhold token rotate pipeline --undo

Forget it here. If you have revoked it on the service's page, say so: it is
remembered as dead, and not kept again by mistake:

  $ keyhold token remove pipeline --reason "the project ended"
  $ keyhold token remove pipeline --revoked
  $ keyhold token list --deleted

What a tool erased (a server answered 401, or podman logout --all) can be
brought back for seven days; keyhold config set erase.keep 0 turns that off:

  $ keyhold token list --erased
  $ keyhold token restore pipeline
`,
  },
  git: {
    summary: 'git and its tokens',
    text: () => `
Let git ask keyhold, after a look at what would be written:

  $ keyhold setup git --dry-run
  $ keyhold setup git

The empty line that it writes takes out the helpers that git asked until then,
your system's too, so that nobody else is told your tokens. From then on git
stores what a server accepted, and erases what it refused.
You may also put a token in before git asks:

  $ keyhold token set --for https://git.example --username ada

What git would get, said by git itself:

  $ printf 'protocol=https\\nhost=git.example\\n\\n' | git credential fill

Undo it:

  $ keyhold setup git --undo
`,
  },
  backends: {
    summary: 'where tokens rest',
    text: () => `
keyring   the keyring of your desktop
vault     an encrypted file of keyhold's own
memory    nothing rests anywhere; gone when the agent ends

  $ keyhold backend list
  $ keyhold backend migrate keyring

Where the keyring has gone, and what it keeps cannot be carried over:

  $ keyhold config set backend vault
  $ keyhold restart

A vault's key lies in a file beside it, until you give it a passphrase:

  $ keyhold backend passphrase
  $ keyhold backend passphrase --remove
  $ keyhold backend passphrase --keyring

For a day a change of the key can be undone, also by who does not know the new
passphrase:

  $ keyhold backend undo

A copy of everything, sealed by a passphrase:

  $ keyhold backup tokens.keyhold
  $ keyhold restore tokens.keyhold
`,
  },
  locking: {
    summary: 'lock, unlock and leases',
    text: () => `
Forget everything in memory, and serve nothing until unlock:

  $ keyhold lock
  $ keyhold unlock

Only unlock may make your desktop ask for a password. In a script:

  $ keyhold unlock --stdin < passphrase-file

How long a token stays in memory unused, and at all:

  $ keyhold config set lease.idle 30m
  $ keyhold config set lease.max 8h
  $ keyhold restart
`,
  },
  audit: auditTopic,
  tools: {
    summary: 'cargo, pip, curl and others with the same tokens',
    text: () => `
Which tools are here, and what each would gain:

  $ keyhold setup --list

Wire one, after a look at what would be written, and take it back:

  $ keyhold setup cargo --dry-run
  $ keyhold setup cargo
  $ keyhold setup cargo --undo

What is kept for a host serves all of them; what is kept for a path comes first
for that path. cargo takes it for an index below a path only by the index's URL:

  $ keyhold token set --for https://crates.example
  $ keyhold token set --for sparse+https://crates.example/team/index/

Which one would a tool get, and why?

  $ keyhold token explain --for https://crates.example --tool cargo

A header for curl, a passphrase for whatever runs a command to get it:

  $ keyhold-helper header https://api.example | curl -H @- https://api.example
  $ RESTIC_PASSWORD_COMMAND='keyhold token print --for restic://backup' restic ...
`,
  },
  login: loginTopic,
  import: importTopic,
  events: eventsTopic,
  services: {
    summary: 'what keyhold knows about a service, and how to add one',
    text: () => `
What there is, and what is known about one:

  $ keyhold service list
  $ keyhold service show apkg

The page where its tokens are made:

  $ keyhold service open pogodoc

A server of your own that speaks as a known service does is four lines:

  $ cat work-gitlab.yaml
  id: work-gitlab
  title: GitLab at work
  like: gitlab
  hosts: [{ host: gitlab.work.example }]

  $ keyhold service check work-gitlab.yaml
  $ keyhold service add work-gitlab.yaml

A manifest only describes: it cannot run anything. Every field of it stands in
docs/services.md. To take one back, remove the file that add names.
`,
  },
  exec: {
    summary: 'tokens for one command, in its environment only',
    text: () => `
Run a command with the token of a service, or one that you name:

  $ keyhold exec --service npm -- npm publish
  $ keyhold exec --env T=https://git.example -- ./deploy

First see what it would get, and from where:

  $ keyhold exec --service npm --dry-run -- npm publish

It ends as the command does; 125 is a failure of keyhold itself, 126 and 127 as
env(1) has them. For a shell, which then has the token in all it runs:

  $ eval "$(keyhold env --shell bash --service npm)"

Which token would that be, and why?

  $ keyhold token explain --for https://git.example --tool git
`,
  },
  profiles: {
    summary: 'several accounts, and which one is meant where',
    text: () => `
Settings under a name:

  $ keyhold profile set account ada --profile work
  $ keyhold profile set project.podstack p-42 --profile work

In force in this folder and below, or by default:

  $ keyhold profile use work --here
  $ keyhold profile use work

For one command, or for a shell and all its tools:

  $ keyhold token print --for https://git.example --profile work
  $ export KEYHOLD_PROFILE=work

Which is in force here, and why?

  $ keyhold profile list
`,
  },
  scripts: {
    summary: 'keyhold from a script',
    text: () => `
One value:

  $ token=$(keyhold token print --for https://git.example)

The line protocol, much faster (a thin native program, no Node):

  $ printf 'protocol=https\\nhost=git.example\\n\\n' | keyhold get

A token comes in by standard input or a file descriptor, never as an argument:

  $ keyhold token set --for https://git.example --stdin < token-file
  $ keyhold token set --for https://git.example --fd 3 3< token-file

Every other verb takes --json (one JSON document) and --no-input (never asks;
what would ask ends with ${exitCodeOf('interaction-required')}). See: keyhold help exit-codes
Each document has a JSON Schema in docs/schemas; a failure is {"error": …}.
`,
  },
  wire: { summary: 'the actions of the wire', text: wireTable },
  'exit-codes': { summary: 'what each exit code means', text: exitCodes },
};

/** The action table of protocol/wire/actions.ts, so that this page cannot differ from it. */
function wireTable(): string {
  const page = new Page();
  page
    .line('Requests are key=value lines on the socket agent.sock, ended by an empty line; the first is action=NAME.')
    .line();
  for (const [name, { summary, reads, answers, statuses: ends }] of Object.entries(actions)) {
    page.line(`${name}: ${summary}`, 'bold', '  ');
    if (reads) page.line(`  reads ${reads}`, undefined, '    ');
    if (answers) page.line(`  answers ${answers}`, undefined, '    ');
    page.line(`  ends ${ends.join(', ')}`, undefined, '    ');
  }
  return page.text();
}

function exitCodes(): string {
  const ordered = (Object.keys(statuses) as Status[]).sort((a, b) => exitCodeOf(a) - exitCodeOf(b));
  const rows = ordered.map((status) => [String(exitCodeOf(status)), status, statuses[status].meaning]);
  return new Page()
    .table(
      ['CODE', 'STATUS', 'MEANING'],
      [rows[0]!, ['1', '', 'the command failed, or a person said no'], ...rows.slice(1)],
    )
    .line('130 follows ctrl-C.')
    .text();
}
