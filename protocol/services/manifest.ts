import type { Status } from '../status.ts';

/**
 * What a service is to us, as data: docs/services.md says what each field means, schema.ts how it is checked. A manifest
 * is plain JSON (people write it as YAML) and can't run code: its patterns are run by pattern.ts, its templates know the
 * placeholders of template.ts and nothing else.
 */
export type Manifest = {
  /** What commands call it: `a-z0-9-`, at most 32 characters. */
  readonly id: string;
  readonly title: string;
  readonly urls?: Urls;
  readonly hosts: readonly HostRule[];
  /** Whether people run servers of their own: then a token may be kept for hosts that `hosts` does not list. */
  readonly selfHosted?: boolean;
  /** The parts of a target that tell two tokens apart. */
  readonly scope: readonly ScopePart[];
  /** The first is the one that is meant when none is named. */
  readonly kinds: readonly Kind[];
  readonly auth: readonly Auth[];
  /** The username that git sends beside a token which is kept without one; a kind's own goes first. */
  readonly gitUsername?: string;
  readonly env?: Environment;
  readonly files?: readonly CredentialFile[];
  /** The item under which the service's own program keeps its token in a keyring. */
  readonly keyring?: { readonly service: string; readonly account: string };
  readonly context?: readonly ContextSource[];
  readonly login?: readonly Login[];
  readonly oauth?: OAuth;
  readonly rest?: Rest;
  readonly limits?: Limits;
  readonly life?: Life;
  readonly errors?: readonly ErrorRule[];
  readonly policy?: Policy;
};

/** Pages for people. */
export type Urls = {
  readonly dashboard?: string;
  /** Where a token is made. */
  readonly create?: string;
  readonly docs?: string;
  readonly status?: string;
  readonly support?: string;
};

/**
 * A place that belongs to the service. The host is exact, or `*.example.org` for one label before it; `*` alone only
 * behind a scheme that is the service's own. Without a port it is the scheme's default one (443, 80); `any` is every
 * port. With a path it is that path and what lies below it.
 */
export type HostRule = {
  /** `https` unless said otherwise. */
  readonly protocol?: string;
  readonly host: string;
  readonly port?: number | 'any';
  readonly path?: string;
};

export type ScopePart = 'host' | 'port' | 'path' | 'account' | 'tenant' | 'registry';

/** One kind of token: `session`, `pat`, `ci`, `service-key`, `oauth` and so on. */
export type Kind = {
  readonly name: string;
  readonly title?: string;
  readonly format?: Format;
  readonly lifetimes?: Lifetimes;
  /** Held in memory and never at rest. */
  readonly memoryOnly?: boolean;
  /** In place of the service's. */
  readonly gitUsername?: string;
  /** Calls for this kind, in place of the service's own. */
  readonly rest?: Operations;
};

/** How a value looks. Every part that is given must hold; nothing given lets every value pass. */
export type Format = {
  /** pattern.ts's language, over the whole value. */
  readonly pattern?: string;
  /** One of these begins it. */
  readonly prefixes?: readonly string[];
  /** Bytes. */
  readonly length?: { readonly min?: number; readonly max?: number };
  readonly alphabet?: Alphabet;
  /** `base64` takes both alphabets, with padding or without; they mean one token. */
  readonly decode?: 'base64' | 'jwt';
  /** Bytes that it decodes to. */
  readonly decodedLength?: number;
  /** The claims of a JWT that hold the token's id, and its expiry as epoch seconds. */
  readonly idClaim?: string;
  readonly expiryClaim?: string;
};

export type Alphabet = 'visible' | 'alphanumeric' | 'hex' | 'base64' | 'base64url';

/** How a token goes on the wire. The first that fits a kind is the one. */
export type Auth = {
  readonly scheme: 'bearer' | 'token' | 'basic' | 'header' | 'raw' | 'grpc';
  /** The header (`header`), or the message field (`grpc`). */
  readonly name?: string;
  /** What stands where the user name would (`basic`). */
  readonly username?: string;
  /** The kinds that go this way; all if absent. */
  readonly kinds?: readonly string[];
};

export type Environment = {
  /** Of several that hold the same, the one listed first wins in the service's own program. */
  readonly variables: readonly Variable[];
  /** Where the service's own program looks for a token, as it really does: the first that has one wins. */
  readonly precedence?: readonly Source[];
  /** Where documents and program differ. */
  readonly deviations?: readonly Deviation[];
};

export type Source = 'flag' | 'environment' | 'file' | 'keyring' | 'helper';

export type Variable = {
  readonly name: string;
  readonly holds: 'token' | 'endpoint' | 'username' | 'account' | 'project' | 'profile' | 'tenant' | 'output' | 'fixed';
  /**
   * What `fixed` holds, never a secret; of an `endpoint` how the service's own server is written: `{origin}` and `{host}` are
   * filled in.
   */
  readonly value?: string;
  /** How an `endpoint` writes a server. Without it: `origin`, and `url` for a server that the person's profile names. */
  readonly form?: EndpointForm;
  readonly kinds?: readonly string[];
  /** Set beside the first one that holds the same, for programs that read only this. */
  readonly alsoSet?: boolean;
  readonly note?: string;
};

/** `host`: HOST[:PORT]; `origin`: SCHEME://HOST[:PORT]; `url`: with the path; `path`: the path alone. */
export const endpointForms = ['host', 'origin', 'url', 'path'] as const;
export type EndpointForm = (typeof endpointForms)[number];

export type Deviation = { readonly documented: string; readonly real: string; readonly fix?: string };

/** A file in which the service's own program keeps a token. */
export type CredentialFile = {
  /** `~/…`; may hold `{config}`, the person's configuration folder, and `{profile}`. */
  readonly path: string;
  readonly format: 'json' | 'yaml' | 'toml' | 'ini' | 'netrc' | 'npmrc' | 'binary';
  /** JSON pointers to what it holds; `*` is every member. */
  readonly fields?: Readonly<Record<string, string>>;
  /** What it must not exceed, octal. */
  readonly mode?: string;
  /** Whether `auth logout` may take the fields out of it. */
  readonly clearable?: boolean;
};

/** How the server or project is found from the working directory. */
export type ContextSource = {
  readonly gives: 'server' | 'registry' | 'project' | 'account';
  /** A file here or in the nearest folder above that has it, or the remotes of git. */
  readonly from: 'file' | 'git-remote';
  readonly path?: string;
  /** `sqlite` is a table of keys and values. */
  readonly format?: 'json' | 'yaml' | 'toml' | 'ini' | 'npmrc' | 'sqlite';
  /** JSON pointer into the file; `/TABLE/KEY` for `sqlite`. */
  readonly pointer?: string;
};

export type Login = {
  readonly way: 'paste' | 'stdin' | 'password' | 'browser' | 'device';
  /** The kind that it yields. */
  readonly kind?: string;
  readonly secondFactor?: readonly ('totp' | 'recovery-code')[];
};

export type OAuth = {
  readonly issuer?: string;
  readonly authorize?: string;
  readonly device?: string;
  readonly token?: string;
  readonly revoke?: string;
  readonly introspect?: string;
  /** A public client's id; there is no field for a secret. */
  readonly clientId?: string;
  readonly grants: readonly ('authorization-code' | 'device' | 'client-credentials' | 'refresh' | 'token-exchange')[];
  readonly scopes?: readonly string[];
  /** Whether a refresh spends the refresh token. */
  readonly rotates?: boolean;
  readonly leeway?: Duration;
};

/** The calls that the upstream child may make. */
export type Rest = {
  /** `https://api.example.org`, or `{origin}`, the target's own protocol, host and port. */
  readonly base: string;
} & Operations;

export type Operations = { readonly [Name in Operation]?: Call | Refusal };

export const operations = [
  'login',
  'challenge',
  'create',
  'list',
  'listUser',
  'show',
  'revoke',
  'revokeSelf',
  'refresh',
  'rotate',
  'introspect',
  'whoami',
  'usage',
  'audit',
] as const;
export type Operation = (typeof operations)[number];

/** An operation that the service does not have, in words for people; it ends with exit 11. */
export type Refusal = { readonly none: string };

export type Call = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** The kinds that may make it; all if absent. */
  readonly kinds?: readonly string[];
  readonly query?: Readonly<Record<string, string>>;
  /** Members of the JSON body. A template that is one placeholder keeps its type; one without a value leaves its member out. */
  readonly body?: Readonly<Record<string, string | number | boolean>>;
  /** Statuses that mean success; any 2xx if absent. */
  readonly success?: readonly number[];
  /** JSON pointer to the array of a list. */
  readonly items?: string | undefined;
  /** JSON pointers into the answer, or into each of its items, by our names; of several pointers the first that leads to a value counts. */
  readonly fields?: { readonly [Name in Field]?: string | readonly string[] } | undefined;
  /** The answer holds token values that nobody asked for: they are dropped before anything else looks at it. */
  readonly leaks?: readonly string[] | undefined;
  readonly note?: string;
};

export const fields = [
  'id',
  'tokenId',
  'name',
  'value',
  'prefix',
  'kind',
  'scopes',
  'createdAt',
  'expiresAt',
  'expiresIn',
  'lastUsedAt',
  'uses',
  'user',
  'endpoint',
  'account',
  'tenant',
  'refreshToken',
  'challenge',
  'active',
  'action',
  'at',
] as const;
export type Field = (typeof fields)[number];

export type Limits = {
  /** Tokens that may be active at once. */
  readonly active?: number;
  readonly name?: NameRule;
  readonly lifetimes?: Lifetimes;
};

export type NameRule = {
  readonly min?: number;
  readonly max?: number;
  /** pattern.ts's language, over the whole name. */
  readonly pattern?: string;
};

/** `90d`, `24h`, `30m`, `45s`, or `never`. */
export type Duration = string;

export type Lifetimes = {
  /** The only ones that the service takes. */
  readonly allowed?: readonly Duration[];
  readonly default?: Duration;
  readonly max?: Duration;
};

export type Life = {
  /** The value is shown when it is made and never again. */
  readonly shownOnce?: boolean;
  readonly restorable?: boolean;
  readonly revoke?: 'immediate' | 'delayed';
  /** How long after a revocation to probe again that the token is dead. */
  readonly recheck?: readonly Duration[];
  readonly note?: string;
};

/** What an answer means. All that is given must hold; the first rule that does is the one. */
export type ErrorRule = {
  readonly operation?: Operation;
  readonly status?: number;
  /** The service's own code, exactly. */
  readonly code?: string;
  /** A part of the answer's text, whatever its case. */
  readonly text?: string;
  readonly cause: string;
  /** What to do next: a command, or a sentence. */
  readonly next?: string;
  readonly outcome: Outcome;
};

/** How it ends: a status with its exit code, or `done` (0): what was wanted is so already. */
export type Outcome = Exclude<Status, 'ok' | 'locked'> | 'done';

export type Policy = {
  readonly rotateEvery?: Duration;
  readonly warnBefore?: Duration;
  readonly unusedAfter?: Duration;
  /** A token for each environment (development, staging, production). */
  readonly perEnvironment?: boolean;
};
