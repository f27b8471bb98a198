import type { Command } from 'commander';
import { LINE_MAX, REQUEST_MAX } from '../../protocol/limits.ts';
import { heapSecret } from '../../protocol/secret.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { keyhold } from '../../protocol/tools/keyhold.ts';
import { ByteWriter } from '../../protocol/writer.ts';
import { hereAndNow } from '../profiles/in-force.ts';
import { version } from '../version.ts';
import { withAgent } from './agent.ts';
import { CommandFailure } from './failure.ts';
import { remark } from './page.ts';

const actions = { get: 'the credential for a target', store: 'keep a credential', erase: 'forget what matches' };

/**
 * `keyhold get|store|erase`: the line protocol for scripts. The launcher hands these to keyhold-helper, which is much
 * faster; here they serve who runs the CLI without it, by the same adapter and so with the same answers.
 */
export function addLineProtocol(program: Command): void {
  for (const [action, summary] of Object.entries(actions)) {
    program
      .command(action)
      .description(`${summary}, as lines on standard input (for scripts)`)
      .option('--profile <name>', 'the profile to go by')
      .action(() => run(action));
  }
}

async function run(action: string): Promise<void> {
  const input = await readInput();
  const output = new ByteWriter();
  try {
    const code = await withAgent((agent) =>
      keyhold.converse(
        {
          program: 'keyhold-helper',
          arguments: [action],
          environment: new Map(),
          version,
          cwd: '',
          input: { all: () => input, next: async () => undefined },
          output,
          flush: () => {},
          warn: (line) => remark(`keyhold: ${line}`),
          keep: heapSecret,
        },
        (request) => agent({ ...request, ...hereAndNow() }),
      ),
    );
    await new Promise((resolve) => process.stdout.write(output.view(), resolve));
    if (code !== 0) throw new CommandFailure(code, '');
  } finally {
    input.fill(0);
    output.truncate();
  }
}

/** Standard input to its end, in memory that can be wiped. */
async function readInput(): Promise<Buffer> {
  const room = Buffer.allocUnsafeSlow(REQUEST_MAX + LINE_MAX);
  let length = 0;
  for await (const piece of process.stdin as AsyncIterable<Buffer>) {
    const fits = length + piece.length <= room.length;
    if (fits) room.set(piece, length);
    piece.fill(0);
    length += piece.length;
    if (!fits) {
      room.fill(0);
      throw new CommandFailure(
        exitCodeOf('bad-request'),
        `cannot read the request: it is longer than ${REQUEST_MAX} bytes`,
      );
    }
  }
  return room.subarray(0, length);
}
