/** A member of an object where it stands in a text: its name's and its value's places. */
export type JsonMember = {
  readonly name: string;
  readonly nameStart: number;
  readonly start: number;
  /** Behind the value. */
  readonly end: number;
  readonly object: JsonObjectText | undefined;
};

/** An object where it stands: the places of its braces, and its members. */
export type JsonObjectText = { readonly open: number; readonly close: number; readonly members: readonly JsonMember[] };

/** The object that a text is, with the places of all in it; undefined if the text is no JSON object. Names are wire text. */
export function readJsonObject(text: string): JsonObjectText | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'latin1').toString('utf8'));
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  } catch {
    return undefined;
  }
  // It is known to be JSON, so its tokens need no further checking.
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g)].map(({ 0: token, index }) => ({
    token,
    index,
  }));
  let at = 0;
  const readObject = (): JsonObjectText => {
    const open = tokens[at++]!.index;
    const members: JsonMember[] = [];
    while (tokens[at]!.token !== '}') {
      const { token, index: nameStart } = tokens[at]!;
      at += 2;
      const start = tokens[at]!.index;
      const object = readValue();
      const last = tokens[at - 1]!;
      const name = Buffer.from(JSON.parse(Buffer.from(token, 'latin1').toString('utf8')) as string).toString('latin1');
      members.push({ name, nameStart, start, end: last.index + last.token.length, object });
      if (tokens[at]!.token === ',') at++;
    }
    return { open, close: tokens[at++]!.index, members };
  };
  /** Goes behind a value; answers it if it is an object. */
  const readValue = (): JsonObjectText | undefined => {
    if (tokens[at]!.token === '{') return readObject();
    if (tokens[at]!.token !== '[') {
      at++;
      return undefined;
    }
    for (at++; tokens[at]!.token !== ']'; ) {
      readValue();
      if (tokens[at]!.token === ',') at++;
    }
    at++;
    return undefined;
  };
  return readObject();
}
