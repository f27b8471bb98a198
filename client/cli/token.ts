import type { Command } from 'commander';
import { addExplain } from './explain.ts';
import { addReminders } from './reminders.ts';
import { addSecretOptions } from './secret-input.ts';
import { addCreate } from './token/create.ts';
import { history } from './token/history.ts';
import { list } from './token/list.ts';
import { print } from './token/print.ts';
import { refresh } from './token/refresh.ts';
import { listRemote } from './token/remote.ts';
import { remove } from './token/remove.ts';
import { rename } from './token/rename.ts';
import { addRevoke } from './token/revoke.ts';
import { addRotate } from './token/rotate.ts';
import { set } from './token/set.ts';
import { show } from './token/show.ts';
import { addDestructiveVerb, addNoun, addVerb } from './verb.ts';

/** `keyhold token`: what is held, and the way in and out for a single value. A TOKEN is an id, a label, or how one begins. */
export function addToken(program: Command): void {
  const token = addNoun(program, 'token', 'the tokens that are held');
  addReminders(addVerb(token, 'list', 'what is held, never a value'))
    .option('--deleted', 'what was revoked, when and why')
    .option('--user <name>', 'only those of this account or username; with --remote whose')
    .option('--remote', "the service's own list, beside what is held")
    .option('--service <id>', 'of --remote: the service')
    .option('--for <url>', 'of --remote: its server, protocol://host[:port]')
    .option('--kind <kind>', 'of --remote: tokens of this kind')
    .action((options) => (options.remote ? listRemote(options) : list(options)));
  addSecretOptions(addTarget(addVerb(token, 'set', 'keep a token (hidden prompt, or standard input)')), 'the token')
    .option('--service <name>', 'the service that it is for; else found by --for or in this folder')
    .option('--kind <name>', 'of this kind of the service')
    .option('--label <text>', 'what to call it')
    .option('--account <name>', 'who it stands for at the service')
    .option('--origin <text>', 'where it came from: an administrator, a page, a colleague')
    .option('--force', 'keep it although its form is not the usual one, or it was revoked')
    .option('--yes', 'replace one without asking')
    .action(set);
  addTarget(addVerb(token, 'show [token]', 'everything known of one, and who used it; never its value'))
    .option('--remote', 'also what its service says of it')
    .action(show);
  addCreate(token);
  addRevoke(token);
  addRotate(token);
  addTarget(addVerb(token, 'refresh [token]', 'trade one for a fresh one, where its service does that')).action(
    refresh,
  );
  addTarget(addVerb(token, 'print [token]', 'print one value to standard output')).action(print);
  addVerb(token, 'rename <token> <label>', 'give it another label, here').action(rename);
  addTarget(addVerb(token, 'history [token]', 'what the audit log says of one')).action(history);
  const explained = addVerb(token, 'explain', 'which token would be given and why; never a value');
  addExplain(explained.requiredOption('--for <url>', FOR).option('--username <name>', 'whose it is'));
  addTarget(addDestructiveVerb(token, 'remove [tokens...]', 'forget them here, in memory and at rest'))
    .option('--reason <text>', 'why, for the audit log')
    .option('--revoked', 'they were revoked at the service: remember them as dead')
    .action(remove);
}

const FOR = 'what it is for: protocol://[user@]host[:port][/path]';

function addTarget(command: Command): Command {
  return command.option('--for <url>', FOR).option('--username <name>', 'whose it is');
}
