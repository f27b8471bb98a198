import { readFileSync } from 'node:fs';
import { replaceDurably } from '../../platform/durable.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { SecretKeeper } from '../../protocol/secret.ts';
import type { Clock } from '../clock.ts';
import { type Backend, type BackendName, backendNames, isBackendName } from './backend.ts';
import { storageFault } from './vault/storage-fault.ts';
import type { KeySource } from './vault/vault-key.ts';

export type BackendsOptions = {
  /** The folder that the vault and the keyring's index lie in. */
  readonly state: string;
  readonly configured: BackendName | 'auto';
  /** The program of the keyring child. */
  readonly keyringChild: string;
  /** Told what each keyring child says of itself when it is up. */
  readonly onChildUp?: ((parts: readonly Buffer[]) => void) | undefined;
  readonly keep: SecretKeeper;
  readonly clock: Clock;
};

/** Milliseconds that a keyring gets to say how it is. */
const SURVEY_DEADLINE = 900;
/** Milliseconds that it gets when the answer decides where credentials come to rest: a first login is a busy time. */
const CHOICE_DEADLINE = 3_000;

/** What one backend could do here, now. */
export type Survey = { readonly name: BackendName; readonly usable: boolean; readonly what: string };

/** The backends, and the choice between them. */
export type Backends = {
  /** Opens the one that is configured, else the one where credentials rest already, else this machine's best. */
  openChosen(): Promise<Backend>;
  open(name: BackendName): Promise<Backend>;
  /** Notes durably that credentials rest there; the next start looks there first. */
  remember(name: BackendName): void;
  survey(): Promise<readonly Survey[]>;
};

/** Each member is loaded when it is opened: what is not used costs nothing. */
const openers: Record<BackendName, (options: BackendsOptions, isExpected: boolean) => Promise<Backend>> = {
  keyring: async ({ state, keyringChild, onChildUp, keep, clock }, isExpected) =>
    (await import('./keyring/keyring.ts')).openKeyring({
      file: `${state}/keyring.db`,
      childPath: keyringChild,
      onUp: onChildUp,
      keep,
      clock,
      isExpected,
    }),
  vault: async (options, isExpected) =>
    (await import('./vault/vault.ts')).openVault({
      folder: options.state,
      keep: options.keep,
      keySource: keyInKeyring(options),
      keyPlace: 'key-file',
      isExpected,
      clock: options.clock,
    }),
  memory: async ({ keep }) => (await import('./memory.ts')).openMemory({ keep }),
};

/** The vault's key in the keyring, for who chose that: what speaks to a keyring is loaded when it is needed. */
function keyInKeyring({ keyringChild, onChildUp, keep }: BackendsOptions): KeySource {
  let loading: Promise<KeySource> | undefined;
  const source = () => {
    loading ??= import('./keyring/key-source.ts').then((m) =>
      m.keyringKeySource({ childPath: keyringChild, onUp: onChildUp, keep }),
    );
    return loading;
  };
  return {
    read: async () => (await source()).read(),
    write: async (key) => (await source()).write(key),
    unlock: async () => (await source()).unlock?.(),
  };
}

export function openBackends(options: BackendsOptions): Backends {
  const note = `${options.state}/backend`;
  let { name: remembered, inPlaceOf } = read(note);

  const probe = async (deadline: number) =>
    (await import('./keyring/probe.ts')).probeKeyring(deadline, {
      childPath: options.keyringChild,
      onUp: options.onChildUp,
    });

  const remember = (name: BackendName): void => {
    if (name === 'memory') return;
    const isOther = options.configured !== 'auto' && options.configured !== name;
    const instead = isOther ? options.configured : undefined;
    if (name === remembered && instead === inPlaceOf) return;
    try {
      replaceDurably(note, instead ? `${name}\nin place of ${instead}\n` : `${name}\n`);
    } catch (error) {
      throw storageFault(error, 'note the backend in', note).fault;
    }
    remembered = name;
    inPlaceOf = instead;
  };

  const choose = async (): Promise<BackendName> => {
    const { configured } = options;
    if (configured !== 'auto' && configured !== inPlaceOf) {
      // A setting that was changed since the migrate is newer than that, also if it is changed back later.
      if (inPlaceOf !== undefined) remember(configured);
      return configured;
    }
    if (remembered) return remembered;
    const keyring = await probe(CHOICE_DEADLINE);
    // No answer is not the answer that there is no keyring: the first store would bind the user to the vault for good.
    if (keyring === 'hung') {
      throw new KeyholdError(
        'backend_hung',
        'cannot choose where credentials rest: the keyring does not answer in time; restart your keyring, or choose the vault: keyhold config set backend vault && keyhold restart',
      );
    }
    return keyring === 'usable' || keyring === 'locked' ? 'keyring' : 'vault';
  };

  return {
    async openChosen() {
      // Where credentials rested when this agent started; the choice may note another place.
      const before = remembered;
      const name = await choose();
      return openers[name](options, name === before);
    },
    open: (name) => openers[name](options, name === remembered),
    remember,
    async survey() {
      const keyring = await probe(SURVEY_DEADLINE);
      return backendNames.map((name) => {
        if (name === 'keyring') return { name, usable: keyring === 'usable', what: `the OS keyring is ${keyring}` };
        if (name === 'vault') return { name, usable: true, what: 'our own encrypted file' };
        return { name, usable: true, what: 'nothing rests anywhere; everything goes when the agent ends' };
      });
    },
  };
}

/** The backend that the note names, and the setting that stood in the configuration when a migrate left it. */
function read(note: string): { name: BackendName | undefined; inPlaceOf: string | undefined } {
  try {
    const [name = '', more = ''] = readFileSync(note, 'latin1').split('\n');
    if (isBackendName(name)) return { name, inPlaceOf: /^in place of (\w+)$/.exec(more)?.[1] };
  } catch {}
  return { name: undefined, inPlaceOf: undefined };
}
