import { readdirSync, readFileSync } from 'node:fs';
import type { Handler } from '../../protocol/handler.ts';
import { placesOf } from '../../protocol/places.ts';
import type { Wire, WireConnection } from './wires.ts';

/**
 * Plays transcripts. A file is prose, then scenes; a scene begins with `##` and its title, and has a stage of its own.
 *
 *     # remark            @ stage direction     > caller says        < agent says
 *     $ helper program    ! its standard error  ? its exit code, if it is not 0
 *
 * Before the helper may stand variables, `NAME=value`; in its words `~` is a blank.
 *
 * `>|` and `<|` are bytes without a LF behind them. In what is said, `\xNN` is a byte and `{a*70000}` is repetition.
 * Directions: `clock +61 s` | `clock ISO-8601` | `deny HOST` | `revoke HOST REASON` |
 * `profiles JSON` | `new connection` | `end` (the caller closes its side) |
 * `closed` (the agent has closed) | `places NAME=value …` (where things are for uid 1000 in this environment).
 */
export interface Stage {
  readonly handler: Handler;
  readonly clock: { advance(seconds: number): void; set(at: string): void };
  /** Makes policy refuse a host. A stage without it skips the scenes that need it. */
  deny?(host: string): void;
  /** Notes that what is held for a host is revoked for certain. */
  revoke(host: string, reason: string): void | Promise<void>;
  /** Gives the person profiles: what profiles.json holds. */
  profiles(document: unknown): void | Promise<void>;
}

export type Scene = { readonly file: string; readonly title: string; readonly lines: readonly string[] };

const folder = new URL('./', import.meta.url);

/** Every scene of every transcript in a folder. */
export function scenes(from: URL = folder): Scene[] {
  const found: Scene[] = [];
  for (const file of transcripts(from)) {
    let lines: string[] | undefined;
    for (const line of readFileSync(new URL(file, from), 'utf8').split('\n')) {
      if (line.startsWith('## ')) {
        lines = [];
        found.push({ file, title: line.slice(3).replace(/ {2,}.*$/, ''), lines });
      } else if (line !== '' && !line.startsWith('#')) lines?.push(line);
    }
  }
  return found;
}

export function transcripts(from: URL = folder): string[] {
  return readdirSync(from).filter((name) => name.endsWith('.txt'));
}

/** All text of the transcripts, for what looks through it. */
export function transcriptText(): string {
  return transcripts()
    .map((file) => readFileSync(new URL(file, folder), 'utf8'))
    .join('\n');
}

export function needsDenial(scene: Scene): boolean {
  return scene.lines.some((line) => line.startsWith('@ deny '));
}

/** Plays a scene and answers it as it went: the same lines, with what the agent really said. */
export async function play(scene: Scene, stage: Stage, wire: Wire): Promise<string[]> {
  const went: string[] = [];
  let connection: WireConnection | undefined;
  let seen = 0;

  const open = async () => {
    connection ??= await wire(stage.handler);
    return connection;
  };
  const leave = async () => {
    if (!connection) return;
    connection.end();
    await connection.until(() => connection!.closed);
    went.push(...shown('<', connection.received().subarray(seen)));
    connection = undefined;
    seen = 0;
  };

  for (let at = 0; at < scene.lines.length; ) {
    const line = scene.lines[at]!;
    if (line.startsWith('$ ')) {
      await leave();
      const end = endOfHelper(scene.lines, at + 1);
      went.push(...(await playHelper(scene.lines.slice(at, end), await open())));
      connection = undefined;
      at = end;
    } else if (line.startsWith('@ places')) {
      went.push(line, ...playPlaces(line));
      at = endOfBlock(scene.lines, at + 1, /^</);
    } else if (line.startsWith('>')) {
      (await open()).send(said(line));
      went.push(line);
      at++;
    } else if (line.startsWith('<')) {
      const end = endOfBlock(scene.lines, at, /^</);
      const expected = Buffer.concat(scene.lines.slice(at, end).map(said));
      const agent = await open();
      await agent.until(() => agent.received().length >= seen + expected.length || agent.closed);
      const all = agent.received().subarray(seen);
      const heard = all.indexOf(expected) === 0 ? all.subarray(0, expected.length) : all;
      went.push(...shown('<', heard));
      seen += heard.length;
      at = end;
    } else if (line.startsWith('@ ')) {
      went.push(line);
      await direct(line.slice(2));
      at++;
    } else throw new Error(`cannot play ${scene.file}: no such line: ${line}`);
  }
  await leave();
  return went;

  async function direct(direction: string): Promise<void> {
    const [verb, what] = direction.split(/ (.*)/) as [string, string | undefined];
    if (direction === 'new connection') await leave();
    else if (verb === 'end') (await open()).end();
    else if (verb === 'closed') {
      const agent = await open();
      await agent.until(() => agent.closed);
      went.splice(went.length - 1, 0, ...shown('<', agent.received().subarray(seen)));
      seen = agent.received().length;
      if (!agent.closed) went.push('@ (the agent did not close)');
      connection = undefined;
      seen = 0;
    } else if (verb === 'deny') stage.deny!(what!);
    else if (verb === 'revoke') {
      const [host, reason] = what!.split(/ (.*)/) as [string, string];
      await stage.revoke(host, reason);
    } else if (verb === 'profiles') await stage.profiles(JSON.parse(what!));
    else if (verb === 'clock' && what!.startsWith('+')) stage.clock.advance(Number.parseFloat(what!.slice(1)));
    else if (verb === 'clock') stage.clock.set(what!);
    else throw new Error(`cannot play ${scene.file}: no such direction: ${direction}`);
  }
}

/** Runs a helper by `action=run`, as the thin client does, and answers its lines as they went. */
async function playHelper(lines: readonly string[], agent: WireConnection): Promise<string[]> {
  const input = Buffer.concat(lines.filter((line) => line.startsWith('>')).map(said));
  agent.send(helperHeader(lines[0]!));
  for (let at = 0; at < input.length; at += 65_536) {
    const piece = input.subarray(at, at + 65_536);
    agent.send(Buffer.concat([Buffer.from(`i${piece.length}\n`), piece]));
  }
  agent.send(Buffer.from('i0\n'));
  await agent.until(() => agent.closed);
  const { stdout, stderr, exitCode } = readFrames(agent.received());
  const went = [
    lines[0]!,
    ...lines.filter((line) => line.startsWith('>')),
    ...shown('<', stdout),
    ...shown('!', stderr),
  ];
  if (exitCode !== 0) went.push(`? ${exitCode}`);
  return went;
}

/** The lines of `action=run` for a `$` of the play. */
export function helperHeader(line: string): Buffer {
  const call = line.slice(2).split(' ').map(wordOf);
  const variables = call.slice(
    0,
    call.findIndex((word) => !/^[A-Z_]+=/.test(word)),
  );
  const [program = '', ...words] = call.slice(variables.length);
  const header = [
    ...['action=run', `name=${program}`],
    ...words.map((word) => `argument[]=${word === "''" ? '' : word}`),
    ...variables.map((variable) => `env[]=${variable}`),
  ];
  return Buffer.from(`${header.join('\n')}\n\n`, 'latin1');
}

/** A word of a helper's command line: `~` for a blank, and what `said` understands. */
function wordOf(word: string): string {
  return said(`>| ${word.replaceAll('~', ' ')}`).toString('latin1');
}

/**
 * Where things are in an environment: `own=FOLDER` stands for a folder that is the user's and closed to others,
 * `passwd=FOLDER` for the home of the password database, `link=FROM:TO` for a symbolic link on the way to a folder.
 */
function playPlaces(line: string): string[] {
  const words = line.split(' ').slice(2);
  const own = words.filter((word) => word.startsWith('own=')).map((word) => word.slice(4));
  const environment = Object.fromEntries(words.map((word) => word.split(/=(.*)/).slice(0, 2)));
  const [, from = '\0', to = ''] = words.map((word) => /^link=(.*):(.*)$/.exec(word)).find((link) => link) ?? [];
  const places = placesOf({
    environment,
    uid: 1_000,
    home: environment['passwd'],
    isOwn: (folder) => own.includes(folder),
    realPath: (folder) => (folder.startsWith(`${from}/`) ? `${to}${folder.slice(from.length)}` : folder),
  });
  return Object.entries(places ?? { nowhere: '' }).map(([what, where]) => `< ${what} ${where}`.trimEnd());
}

/** What the frames of a helper run carry. */
export function readFrames(bytes: Buffer): { stdout: Buffer; stderr: Buffer; exitCode: number | undefined } {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lf = bytes.indexOf(0x0a, at);
    const letter = String.fromCharCode(bytes[at]!);
    const number = Number(bytes.toString('latin1', at + 1, lf));
    if (letter === 'x') {
      if (lf + 1 !== bytes.length) throw new Error('something follows the exit code');
      return { stdout: Buffer.concat(out), stderr: Buffer.concat(err), exitCode: number };
    }
    if (!Number.isInteger(number) || (letter !== 'o' && letter !== 'e')) {
      throw new Error(`no frame: ${bytes.toString('latin1', at, at + 80)}`);
    }
    (letter === 'o' ? out : err).push(bytes.subarray(lf + 1, lf + 1 + number));
    at = lf + 1 + number;
  }
  return { stdout: Buffer.concat(out), stderr: Buffer.concat(err), exitCode: undefined };
}

/** A helper's part: what it is told, what it says on either output, and its exit code, in this order. */
function endOfHelper(lines: readonly string[], start: number): number {
  return ['>', '<', '!', '?'].reduce((end, mark) => endOfBlock(lines, end, new RegExp(`^\\${mark}`)), start);
}

function endOfBlock(lines: readonly string[], start: number, kind: RegExp): number {
  let end = start;
  while (end < lines.length && kind.test(lines[end]!)) end++;
  return end;
}

/** The bytes of a line of the play. */
export function said(line: string): Buffer {
  const cut = line[1] === '|';
  const text = line.slice(cut ? 2 : 1).replace(/^ /, '');
  const bytes = text
    .replace(/\{(.)\*(\d+)\}/g, (_, character: string, times: string) => character.repeat(Number(times)))
    .replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(cut ? bytes : `${bytes}\n`, 'latin1');
}

/** Bytes as lines of the play. */
function shown(mark: string, bytes: Buffer): string[] {
  if (bytes.length === 0) return [];
  const lines = bytes.toString('latin1').split('\n');
  const last = lines.pop()!;
  const visible = (text: string) =>
    text
      .replace(/[^\x20-\x7e]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
      .replace(/(.)\1{63,}/g, (run, character: string) => `{${character}*${run.length}}`);
  const all = lines.map((line) => (line === '' ? mark : `${mark} ${visible(line)}`));
  return last === '' ? all : [...all, `${mark}| ${visible(last)}`];
}
