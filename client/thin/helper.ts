import type { Socket } from 'node:net';
import manifest from '../../package.json' with { type: 'json' };
import { KeyholdError } from '../../protocol/errors.ts';
import { printable } from '../../protocol/text.ts';
import { byOperation, type InputMode, operationOf } from '../../protocol/tools/adapter.ts';
import { adapterFor, adapters } from '../../protocol/tools/index.ts';
import { Answer } from './answer.ts';
import { END_OF_INPUT, encodeHeader, encodeInput, isUnnameable } from './ask.ts';
import { inputPieces, readInput, say, writeAll } from './descriptors.ts';
import { DEADLINE, Ending } from './ending.ts';
import { reach } from './reach.ts';

/**
 * `keyhold-helper` in TypeScript, for machines without a compiler: what keyhold-helper.c does, by the same table. Its
 * launcher tells it the name that it was called by as the first argument.
 */

/** How often an agent may close without a word. */
const ATTEMPTS = 2;

const [called = 'keyhold-helper', ...words] = process.argv.slice(2);
void run(called, words);

async function run(name: string, given: readonly string[]): Promise<void> {
  if (name === 'keyhold-helper' && given[0] === '--version') {
    process.exit(writeAll(1, Buffer.from(`keyhold-helper ${manifest.version}\n`)) ? 0 : 1);
  }
  const named = name === 'keyhold-helper' ? adapters.find((adapter) => adapter.name === given[0]) : undefined;
  const adapter = named ?? adapterFor(name);
  const program = named ? named.programs[0]! : name;
  const args = named ? given.slice(1) : given;
  if (!adapter) {
    say(`no tool's helper has the name ${printable(name)}`);
    process.exit(11);
  }
  const operation = operationOf(args);
  const nothing = adapter.unnameable && (adapter.unnameable[operation ?? '*'] ?? adapter.unnameable['*']);
  if (nothing !== undefined && args.some(isUnnameable)) process.exit(writeAll(1, Buffer.from(nothing)) ? 0 : 1);
  const mode = byOperation(adapter.input, operation);
  const ending = new Ending(byOperation(adapter.unavailable, operation), mode);
  try {
    const cwd = folderOfCaller();
    const { env: environment } = process;
    const header = encodeHeader({ program, arguments: args, adapter, environment, cwd, version: manifest.version });
    const request = await whatToSend(header, mode);
    ending.inputEnded();
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const socket = await reach({ environment, deadline: DEADLINE, mayStart: true });
      ending.connected();
      await converse(socket, request, mode, ending);
    }
    ending.unavailable(brokenOff());
  } catch (error) {
    ending.unavailable(error);
  }
}

async function whatToSend(header: Buffer, mode: InputMode): Promise<Buffer> {
  if (mode === 'stream') return header;
  if (mode === 'none') return Buffer.concat([header, END_OF_INPUT]);
  const pieces = await readInput();
  const input = encodeInput(pieces);
  const whole = Buffer.concat([header, input, END_OF_INPUT]);
  input.fill(0);
  for (const piece of pieces) piece.fill(0);
  return whole;
}

/** Settles only if the agent closed without a word, as one does that is just ending. */
function converse(socket: Socket, request: Buffer, mode: InputMode, ending: Ending): Promise<void> {
  return new Promise((resolve) => {
    const answer = new Answer(ending);
    let heard = mode === 'stream';
    socket.on('data', (bytes: Buffer) => {
      heard = true;
      request.fill(0);
      try {
        answer.receive(bytes);
      } catch (error) {
        ending.unavailable(error);
      } finally {
        bytes.fill(0);
      }
    });
    const closed = () => {
      socket.destroy();
      if (heard) ending.unavailable(brokenOff());
      resolve();
    };
    socket.on('end', closed);
    // What it answered before it stopped reading is still to be read.
    socket.on('error', () => {});
    socket.on('close', closed);
    socket.write(request);
    if (mode === 'stream') void pump(socket);
  });
}

function brokenOff(): KeyholdError {
  return new KeyholdError('closed', 'the agent broke off; run: keyhold doctor');
}

async function pump(socket: Socket): Promise<void> {
  for await (const piece of inputPieces()) {
    const frames = encodeInput([piece]);
    piece.fill(0);
    await new Promise<void>((resolve) => {
      socket.write(frames, () => {
        frames.fill(0);
        resolve();
      });
    });
  }
  socket.write(END_OF_INPUT);
}

function folderOfCaller(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}
