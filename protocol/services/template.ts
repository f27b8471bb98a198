/** What a `{…}` in a manifest may stand for. Nothing else is, so that a template can neither compute nor look around. */
export const placeholders = {
  origin: { meaning: 'protocol, host and port of the target', secret: false },
  host: { meaning: 'its host', secret: false },
  port: { meaning: 'its port', secret: false },
  id: { meaning: "the token's id", secret: false },
  name: { meaning: "the token's name", secret: false },
  scopes: { meaning: 'the list of scopes', secret: false },
  lifetime: { meaning: 'the lifetime as a duration (`90d`)', secret: false },
  'lifetime.days': { meaning: 'the lifetime in days', secret: false },
  'lifetime.hours': { meaning: 'the lifetime in hours', secret: false },
  'lifetime.seconds': { meaning: 'the lifetime in seconds', secret: false },
  expiresAt: { meaning: 'the date that it expires on (`2026-12-31`)', secret: false },
  limit: { meaning: 'what `--limit` narrows it to', secret: false },
  user: { meaning: "another user's id", secret: false },
  username: { meaning: 'who signs in', secret: false },
  tenant: { meaning: 'the tenant', secret: false },
  config: { meaning: "the person's configuration folder", secret: false },
  profile: { meaning: "the profile of the service's own program", secret: false },
  token: { meaning: 'the token itself', secret: true },
  refreshToken: { meaning: 'the refresh token', secret: true },
  password: { meaning: 'what was typed at the prompt', secret: true },
  code: { meaning: 'the second factor', secret: true },
  challenge: { meaning: 'what the first step of a login answered', secret: true },
} as const satisfies Record<string, { readonly meaning: string; readonly secret: boolean }>;

export type Placeholder = keyof typeof placeholders;
/** What stands for what. A list is only for a template that is that one placeholder. */
export type Values = { readonly [Name in Placeholder]?: string | number | readonly string[] };

const HOLE = /\{([^{}]*)\}/g;

/** The names in a template, known or not; undefined if its braces do not fit. */
export function placeholdersIn(template: string): string[] | undefined {
  if (/[{}]/.test(template.replace(HOLE, ''))) return undefined;
  return [...template.matchAll(HOLE)].map(([, name]) => name!);
}

export function isPlaceholder(name: string): name is Placeholder {
  return Object.hasOwn(placeholders, name);
}

/**
 * A template with its values. `encode` is put on each value (`encodeURIComponent` in a path), never on the template;
 * half a surrogate pair in a value, which nothing could encode, becomes U+FFFD. Undefined where a value is missing, or is
 * a list that stands inside text.
 */
export function fill(template: string, values: Values, encode = (text: string) => text): string | undefined {
  let whole = true;
  const text = template.replace(HOLE, (_, name: string) => {
    const value = isPlaceholder(name) ? values[name] : undefined;
    if (typeof value === 'string' || typeof value === 'number') return encode(String(value).toWellFormed());
    whole = false;
    return '';
  });
  return whole ? text : undefined;
}

/**
 * One member of a JSON body. A template that is a single placeholder keeps its value's type, so that a number stays a
 * number and a list a list; undefined leaves the member out.
 */
export function fillMember(
  template: string | number | boolean,
  values: Values,
): string | number | boolean | readonly string[] | undefined {
  if (typeof template !== 'string') return template;
  const [, only = ''] = /^\{([^{}]*)\}$/.exec(template) ?? [];
  return isPlaceholder(only) ? values[only] : fill(template, values);
}
