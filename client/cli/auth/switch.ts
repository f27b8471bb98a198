import type { Command } from 'commander';
import { checkProfileSetting, chooseProfile, type ProfileChoice } from '../../../protocol/profiles.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { printable } from '../../../protocol/text.ts';
import { changeAndReload } from '../../profiles/change.ts';
import { loadProfiles } from '../../profiles/file.ts';
import { profileInForce } from '../../profiles/in-force.ts';
import { withAgent } from '../agent.ts';
import { canAsk } from '../confirm.ts';
import { CommandFailure } from '../failure.ts';
import { show } from '../page.ts';
import { dropTypedAhead, INTERRUPTED, nobodyToAsk } from '../terminal.ts';
import { type TokenItem, tokenItems } from '../token/item.ts';
import { addServicePlace } from '../token/service-place.ts';
import { addVerb, type VerbOptions } from '../verb.ts';
import { accountsOf, type Current, currentOf, drawWho, spokenAccount, whoOf } from './current.ts';
import type { AuthOptions } from './options.ts';

/** The profile that is made where none is in force. */
const DEFAULT = 'default';

/** The accounts of one service and place that could act, and the one that does. */
type Place = {
  readonly accounts: ReadonlyMap<string, Current>;
  readonly acting: string | undefined;
};

type SwitchOptions = AuthOptions & VerbOptions;

/** `keyhold auth switch`: which of several logins acts. */
export function addSwitch(auth: Command): void {
  addServicePlace(addVerb(auth, 'switch [account]', 'choose which of several logins acts'))
    .option('--username <name>', 'the account, in place of the argument')
    .addHelpText(
      'after',
      `
Without an account: the other one where there are two; where there are more, it asks.
The choice is the setting account.HOST of the profile in force here. Where none is,
it goes into the profile "${DEFAULT}", which is made the default.`,
    )
    .action(switchAccount);
}

async function switchAccount(argument: string | undefined, options: SwitchOptions): Promise<void> {
  if (argument !== undefined && options.username !== undefined && argument !== options.username) {
    throw usage('the argument and --username name two accounts');
  }
  const held = await withAgent(tokenItems);
  const { username: _, ...where } = options;
  const place = placeMeant(placesOf(held, where), argument ?? options.username, options);
  const name = argument ?? options.username ?? (await anotherOf(place, options));
  const chosen = place.accounts.get(name)!;
  const key = `account.${chosen.item.host}`;
  checkProfileSetting(key, name);
  const { choice, made } = await write(key, name);
  const service = chosen.manifest && { service: chosen.manifest.id };
  const [now] = currentOf(held, { ...service, for: urlFor(chosen) });
  if (now?.item.id !== chosen.item.id) {
    throw new CommandFailure(
      1,
      `${name} is the account of the profile ${choice.name} now, and another one acts all the same`,
    );
  }
  const { name: profile, by, folder } = choice;
  const switched = { ...whoOf(chosen.item), service: chosen.manifest?.id };
  const before = place.acting;
  show(options.json, { switched, account: name, before, profile, by, folder, made: made || undefined }, (page) => {
    page.line(before === name ? `${name} acts, as before.` : `${name} acts now.`, 'green');
    drawWho(page, chosen.item, chosen.manifest?.title ?? chosen.item.host);
    page.line(whereText(choice, key, made), 'dim');
  });
}

/** Every place at which an account can be chosen, each account by the name that a profile has for it. */
function placesOf(held: readonly TokenItem[], where: AuthOptions): Place[] {
  const acting = new Set(currentOf(held, where).map(({ item }) => item.id));
  return accountsOf(held, where).flatMap((all): Place[] => {
    const accounts = new Map<string, Current>();
    for (const one of all) {
      const name = accountName(one, all);
      // Of several tokens of one account the one that acts stands for it.
      if (name !== undefined && (!accounts.has(name) || acting.has(one.item.id))) accounts.set(name, one);
    }
    const [name] = [...accounts].find(([, { item }]) => acting.has(item.id)) ?? [];
    return accounts.size === 0 ? [] : [{ accounts, acting: name }];
  });
}

/** What a profile calls an account: its username, or what its service calls it where several logins share one username. */
function accountName({ item: { username, account } }: Current, all: readonly Current[]): string | undefined {
  const isShared = all.some(({ item }) => item.username === username && item.account !== account);
  return isShared ? (account ?? username) : (username ?? account);
}

/** The one place that is meant: the only one that has the account, or at which there is a choice. */
function placeMeant(places: readonly Place[], name: string | undefined, options: SwitchOptions): Place {
  const found = places.filter(({ accounts }) => (name === undefined ? accounts.size > 1 : accounts.has(name)));
  if (found.length === 1) return found[0]!;
  const there = places.map(inWords).join('; ');
  if (found.length > 1)
    throw usage(
      `several services have ${name ?? 'more than one account'}: ${found.map(inWords).join('; ')}; give --service NAME or --for URL`,
    );
  if (places.length === 0) {
    const where = options.service ?? (options.for === undefined ? 'NAME' : undefined);
    const login = `keyhold auth login ${where === undefined ? `--for ${options.for}` : `--service ${where}`}`;
    throw new CommandFailure(exitCodeOf('interaction-required'), `no account is signed in there; run: ${login}`);
  }
  if (name !== undefined) {
    throw new CommandFailure(exitCodeOf('not-found'), printable(`cannot switch to ${name}: the accounts are ${there}`));
  }
  const [first] = [...places[0]!.accounts.values()];
  const where = `${first!.manifest ? `--service ${first!.manifest.id} ` : ''}--for ${urlFor(first!)}`;
  throw new CommandFailure(
    exitCodeOf('not-found'),
    printable(
      `cannot switch: there is one account only, ${there}; sign in with another: keyhold auth login ${where} --username NAME`,
    ),
  );
}

/** The account that is meant where none was named. */
async function anotherOf({ accounts, acting }: Place, { input }: SwitchOptions): Promise<string> {
  const names = [...accounts.keys()];
  const others = names.filter((name) => name !== acting);
  if (others.length === 1) return others[0]!;
  if (!canAsk(input)) throw nobodyToAsk('which account is meant', `name one of ${names.map(printable).join(', ')}`);
  const { select, isCancel } = await import('@clack/prompts');
  dropTypedAhead();
  const picked = await select({
    message: 'Which account shall act?',
    options: names.map((name) => ({ value: name, label: printable(name), hint: name === acting ? 'acts now' : '' })),
    ...(acting !== undefined && { initialValue: acting }),
    output: process.stderr,
  });
  if (isCancel(picked)) throw new CommandFailure(INTERRUPTED, 'interrupted; nothing was changed');
  return picked as string;
}

/** Writes the choice into the profile in force; where none is, into one that is the default from then on. */
async function write(key: string, name: string): Promise<{ readonly choice: ProfileChoice; readonly made: boolean }> {
  const before = loadProfiles();
  const inForce = profileInForce(before);
  if (!inForce && (before.profiles.get(DEFAULT)?.size ?? 0) > 0) {
    const why = `no profile is in force, and the profile "${DEFAULT}" has settings that would come into force with the choice`;
    throw usage(`${why}; to agree to that: keyhold profile use ${DEFAULT}`);
  }
  const profile = inForce?.name ?? DEFAULT;
  await changeAndReload((document) => {
    document.profiles[profile] = { ...document.profiles[profile], [key]: name };
    if (!inForce) document.default = profile;
  });
  return {
    choice: profileInForce(loadProfiles()) ?? chooseProfile(loadProfiles(), profile, undefined)!,
    made: !inForce,
  };
}

function whereText({ name, by, folder }: ProfileChoice, key: string, made: boolean): string {
  if (made)
    return `The profile ${name} was made for that, and is the default. To take it back: keyhold profile remove ${name}`;
  const why = { name: 'by name', folder: `by the folder ${folder}`, default: 'by default' }[by];
  return `${key} of the profile ${name}, in force ${why}.`;
}

/** `admin, ada of pangolin (https://pangolin.example)`. */
function inWords({ accounts }: Place): string {
  const [one] = accounts.values();
  return `${[...accounts.keys()].join(', ')} of ${spokenAccount(one!)}`;
}

function urlFor({ item: { protocol, host } }: Current): string {
  return `${protocol}://${host}`;
}

function usage(rule: string): CommandFailure {
  return new CommandFailure(exitCodeOf('bad-request'), printable(`cannot switch: ${rule}`));
}
