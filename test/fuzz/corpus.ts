import { helperHeader, said, scenes } from '../transcripts/play.ts';

/** What the callers of the transcripts say: each connection and each helper run is one input. */
export function corpus(longest = 4_096): Buffer[] {
  const inputs: Buffer[] = [];
  for (const { lines } of scenes()) {
    let connection: Buffer[] = [];
    const end = () => {
      if (connection.length > 0) inputs.push(Buffer.concat(connection));
      connection = [];
    };
    for (let at = 0; at < lines.length; at++) {
      const line = lines[at]!;
      if (line.startsWith('$ ')) {
        end();
        const input: Buffer[] = [];
        while (lines[at + 1]?.startsWith('>')) input.push(said(lines[++at]!));
        const whole = Buffer.concat(input);
        inputs.push(Buffer.concat([helperHeader(line), Buffer.from(`i${whole.length}\n`), whole, Buffer.from('i0\n')]));
      } else if (line.startsWith('>')) connection.push(said(line));
      else if (line.startsWith('@ ')) end();
    }
    end();
  }
  return inputs.filter(({ length }) => length > 0 && length <= longest);
}
