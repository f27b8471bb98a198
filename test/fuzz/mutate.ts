/** Chance that can be repeated: numbers from 0 to 2³²−1 (mulberry32). */
export type Chance = () => number;

export function chanceFrom(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

const tokens = [
  '\n',
  '\n\n',
  '\r\n',
  '=',
  '\0',
  '\x1b[2J',
  '\x7f',
  '\xff',
  '\xe2\x80\xa8',
  'action=run\n',
  'action=get\n',
  'capability[]=\n',
  'capability[]=keyhold\n',
  'host=a.example\n',
  'password=\n',
  'i0\n',
  'i5\nhello',
  'i999999\n',
  'x0\n',
  'argument[]=\n',
  '__proto__=1\n',
  'min_ttl=999999999999\n',
  'password_expiry_utc=-1\n',
].map((text) => Buffer.from(text, 'latin1'));

/** One of the corpus, changed in one to eight places. */
export function mutate(corpus: readonly Buffer[], chance: Chance, longest = 4_096): Buffer {
  let bytes: Buffer = Buffer.from(corpus[chance() % corpus.length]!);
  for (let changes = 1 + (chance() % 8); changes > 0; changes--) {
    const at = bytes.length === 0 ? 0 : chance() % bytes.length;
    const kind = chance() % 8;
    if (kind === 0 && bytes.length > 0) bytes[at]! ^= 1 << (chance() % 8);
    else if (kind === 1 && bytes.length > 0) bytes[at] = chance() & 0xff;
    else if (kind === 2) bytes = bytes.subarray(0, at);
    else if (kind === 3) bytes = spliced(bytes, at, at + (chance() % 16), undefined);
    else if (kind === 4) bytes = spliced(bytes, at, at, bytes.subarray(at, at + (chance() % 64)));
    else if (kind === 5) bytes = spliced(bytes, at, bytes.length, corpus[chance() % corpus.length]!);
    else bytes = spliced(bytes, at, at + (kind === 6 ? 0 : 4), tokens[chance() % tokens.length]!);
  }
  return bytes.length > longest ? bytes.subarray(0, longest) : bytes;
}

function spliced(bytes: Buffer, start: number, end: number, put: Buffer | undefined): Buffer {
  return Buffer.concat([bytes.subarray(0, start), put ?? Buffer.alloc(0), bytes.subarray(end)]);
}
