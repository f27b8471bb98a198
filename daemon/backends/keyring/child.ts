import { AsyncEntry } from '@napi-rs/keyring';
import { protectChild } from '../../native/child-walls.ts';
import { frame, framesOf, partsOf, REPLY_KEY_LENGTH, sealReply } from '../../processes/frames.ts';
import { BusError } from './bus.ts';
import { type Operation, type Outcome, operations } from './operations.ts';
import { openSecretService, type SecretService } from './secret-service.ts';

/**
 * The keyring child: the only program that loads the keyring library. It lives for a burst of operations on its
 * standard input and output, ends when its input ends, whatever it does then, and is killed from outside when something
 * takes too long: a Secret Service may never answer.
 */

/** Longest secret that is handed over; what other programs put into an item of ours may be longer. */
const VALUE_MAX = 65_535;

/** Pinned: unpinned, the library falls back to the kernel's keyring in silence and the secret is gone at reboot. */
const STORE = { linux: { store: 'secret-service' } } as const;

type Answer = readonly [Outcome, ...Uint8Array[]];

let service: SecretService | undefined;
let input: Buffer = Buffer.alloc(0);
let last: Promise<void> = Promise.resolve();

process.stdin.on('data', (bytes: Buffer) => {
  const frames = framesOf(Buffer.concat([input, bytes]));
  let next = frames.next();
  for (; !next.done; next = frames.next()) {
    const parts = partsOf(next.value);
    last = last.then(() => answer(parts));
  }
  input = next.value;
});
// Whoever started this waits for its answers before it ends the input. If it died instead, nothing may be changed any
// more behind the back of the next one; exit() would wait for the library's thread, which may wait for ever.
process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));

// The library is loaded, and no secret has come before this frame. An empty one in front of each operation: from there on the time is
// the keyring's.
process.stdout.write(frame(protectChild()));

async function answer([operation, key, ...parts]: readonly Buffer[]): Promise<void> {
  if (key?.length !== REPLY_KEY_LENGTH) process.exit(1);
  const name = operations.find((name) => name === operation?.toString('latin1'));
  process.stdout.write(frame([]));
  const [outcome, ...values] = name === undefined ? (['failed'] as const) : await perform(name, parts);
  process.stdout.write(sealReply(key, [Buffer.from(outcome), ...values]));
  for (const value of values) value.fill(0);
}

async function perform(operation: Operation, parts: readonly Buffer[]): Promise<Answer> {
  try {
    service ??= await openSecretService(process.env.DBUS_SESSION_BUS_ADDRESS ?? '');
    if (operation === 'unlock') return answerOf(await service.unlock());
    const state = await service.lockState();
    if (state !== 'usable' || operation === 'probe') return answerOf(state);
    if (operation === 'count') return await count(service, parts);
    if (operation === 'list') return await list(service, parts);
    return await access(service, operation, parts);
  } catch (error) {
    return [outcomeOfBus(error)];
  }
}

function answerOf(state: 'usable' | 'locked' | 'absent' | 'dismissed'): Answer {
  return [state === 'usable' ? 'ok' : state];
}

/** For each pair of a service and an account: a byte that says how many items there are, 255 for more. */
async function count(service: SecretService, parts: readonly Buffer[]): Promise<Answer> {
  const counts = new Uint8Array(parts.length / 2);
  for (let i = 0; i < counts.length; i++) {
    const { open, locked } = await service.count(text(parts[2 * i]), text(parts[2 * i + 1]));
    counts[i] = Math.min(open + locked, 255);
  }
  return ['ok', counts];
}

/** Items that one answer describes: a question must be short enough that its answer comes within a call's deadline. */
const PAGE = 64;
/** The attributes that the library gives an item, and one that gnome-keyring adds. */
const attributesOfOurs: ReadonlySet<string> = new Set(['service', 'username', 'xdg:schema']);
/** The paths of all items, asked for with the first page. */
let paths: readonly string[] = [];

/**
 * The names and dates of the items from a number on, as JSON: `{ total, items: [[service, account, modified], …] }`. Only what looks
 * like the library's own is named: what other programs put in for themselves has other attributes.
 */
async function list(service: SecretService, [from]: readonly Buffer[]): Promise<Answer> {
  const start = Number(text(from));
  if (start === 0) paths = await service.items();
  const described = await Promise.all(paths.slice(start, start + PAGE).map((path) => service.describe(path)));
  const items = described.flatMap((one) => {
    const [name, account] = ['service', 'username'].map((key) => one?.attributes.get(key));
    const isOurs = [...(one?.attributes.keys() ?? [])].every((key) => attributesOfOurs.has(key));
    return isOurs && one !== undefined && name !== undefined && account !== undefined
      ? [[name, account, one.modified]]
      : [];
  });
  return ['ok', Buffer.from(JSON.stringify({ total: paths.length, next: start + PAGE, items }))];
}

async function access(service: SecretService, operation: Operation, parts: readonly Buffer[]): Promise<Answer> {
  const [name, account] = [text(parts[0]), text(parts[1])];
  const { open, locked } = await service.count(name, account);
  // The library would open a locked one by a prompt, in whichever collection it stands.
  if (locked > 0) return ['locked'];
  if (open > 1) return ['ambiguous'];
  if (open === 0 && operation !== 'set') return ['missing'];
  try {
    const entry = new AsyncEntry(name, account, STORE);
    if (operation === 'set') {
      await entry.setSecret(parts[2]!);
      return ['ok'];
    }
    if (operation === 'remove') return [(await entry.deleteCredential()) ? 'ok' : 'missing'];
    const value = await entry.getSecret();
    if (value === null) return ['missing'];
    return value.length > VALUE_MAX ? ['too-long'] : ['ok', Uint8Array.from(value)];
  } catch {
    // Its texts name attributes and say nothing that is sure about what was changed.
    return ['failed'];
  }
}

function text(bytes: Buffer | undefined): string {
  return bytes?.toString('utf8') ?? '';
}

function outcomeOfBus(error: unknown): Outcome {
  if (error instanceof BusError) {
    if (error.name === 'org.freedesktop.Secret.Error.IsLocked') return 'locked';
    return /\.(ServiceUnknown|NameHasNoOwner|NoReply|Disconnected|Spawn\.\w+)$/.test(error.name) ? 'absent' : 'failed';
  }
  // Nobody to connect to, or the connection broke before anything was changed.
  return 'absent';
}
