import { addressOf, isLoopback } from './address.ts';
import type { Problem } from './conform.ts';
import { secondsOf } from './durations.ts';
import { collide } from './find.ts';
import { authOf } from './kinds.ts';
import type { Format, HostRule, Lifetimes, Manifest } from './manifest.ts';
import { patternOf } from './pattern.ts';
import { badTemplate, oauth, problem, rest, unknownKinds, urls } from './sending.ts';

type Path = Problem['path'];

/**
 * What of a manifest that conforms to the schema is wrong all the same: what the parts have to do with one another, and
 * what would let a manifest do more than describe. Empty if nothing is.
 */
export function brokenRules(manifest: Manifest): Problem[] {
  return [hosts, kinds, auth, environment, files, context, urls, login, oauth, rest, limits, errors, durations].flatMap(
    (rule) => rule(manifest),
  );
}

function hosts({ hosts: all, selfHosted }: Manifest): Problem[] {
  if (all.length === 0 && !selfHosted) return [problem(['hosts'], 'must not be empty without selfHosted: true')];
  return all.flatMap((rule, at) => {
    const path = ['hosts', at];
    const why = whyNoHost(rule);
    if (why) return [problem([...path, 'host'], why)];
    if (rule.path !== undefined && !addressOf(`https://x/${rule.path.replace(/^\/+/, '')}`)) {
      return [problem([...path, 'path'], 'must be a plain path, without "..", "?" and spaces')];
    }
    if (all.slice(0, at).some((earlier) => collide(earlier, rule)))
      return [problem(path, 'is a place that stands above')];
    return [];
  });
}

function whyNoHost({ protocol = 'https', host }: HostRule): string | undefined {
  const isWeb = protocol === 'https' || protocol === 'http';
  if (host === '*') {
    return isWeb ? `must not be every host of ${protocol}; name the hosts, and say selfHosted: true` : undefined;
  }
  const plain = host.startsWith('*.') ? host.slice(2) : host;
  if (plain.includes('*')) return 'may have one "*", as the whole first label: *.example.org';
  if (host.startsWith('*.') && !plain.includes('.')) return 'must name more than a top-level domain behind "*."';
  const address = addressOf(`${protocol}://${plain}`);
  if (!address || address.host !== plain.toLowerCase())
    return 'must be a host name alone; the port is a field of its own';
  if (protocol === 'http' && !isLoopback(address.host)) return 'must not be http: only this machine (localhost) may be';
  return undefined;
}

function kinds({ kinds: all, auth: ways, title }: Manifest): Problem[] {
  return all.flatMap((kind, at) => {
    const path = ['kinds', at];
    const problems = kind.format ? format(kind.format, [...path, 'format']) : [];
    if (all.findIndex(({ name }) => name === kind.name) < at)
      problems.push(problem(path, 'has a name that stands above'));
    if (!authOf({ auth: ways } as Manifest, kind)) {
      problems.push(problem(path, `has no way to ${title}: "auth" has none that fits it`));
    }
    return problems;
  });
}

function format({ pattern, length, decode, decodedLength, idClaim, expiryClaim }: Format, path: Path): Problem[] {
  const problems = pattern === undefined ? [] : unreadable(pattern, [...path, 'pattern']);
  if ((length?.min ?? 1) > (length?.max ?? Number.POSITIVE_INFINITY)) {
    problems.push(problem([...path, 'length'], 'has a min above its max'));
  }
  if (decodedLength !== undefined && decode !== 'base64') {
    problems.push(problem([...path, 'decodedLength'], 'is for decode: base64'));
  }
  if ((idClaim ?? expiryClaim) !== undefined && decode !== 'jwt') {
    problems.push(problem([...path, idClaim === undefined ? 'expiryClaim' : 'idClaim'], 'is for decode: jwt'));
  }
  return problems;
}

function unreadable(pattern: string, path: Path): Problem[] {
  try {
    patternOf(pattern);
    return [];
  } catch (error) {
    return [problem(path, (error as Error).message)];
  }
}

function auth(manifest: Manifest): Problem[] {
  return manifest.auth.flatMap((way, at) => {
    const path = ['auth', at];
    const problems = unknownKinds(manifest, way.kinds, [...path, 'kinds']);
    const needsName = way.scheme === 'header' || way.scheme === 'grpc';
    if (needsName && way.name === undefined)
      problems.push(problem(path, `lacks the field "name": of the ${way.scheme}`));
    if (!needsName && way.name !== undefined) problems.push(problem([...path, 'name'], 'is for header and grpc'));
    if (way.username !== undefined && way.scheme !== 'basic')
      problems.push(problem([...path, 'username'], 'is for basic'));
    return problems;
  });
}

/**
 * Variables that make a program load code, run a command, or trust and talk to somebody else: a manifest that set them
 * would run code after all.
 */
const STEERING =
  /^(?:PATH|HOME|SHELL|ENV|IFS|CDPATH|TMPDIR|TERMINFO|EDITOR|VISUAL|PAGER|BROWSER|MANPAGER|LESSOPEN|LESSCLOSE|SSLKEYLOGFILE|OPENSSL_.*|SSL_CERT.*|CURL_.*|REQUESTS_CA_BUNDLE|.*_PROXY|LD_.*|DYLD_.*|GLIBC_.*|MALLOC_.*|LC_.*|LANG|BASH_.*|ZDOTDIR|PROMPT_COMMAND|PS[0-9]|NODE_(?!AUTH_TOKEN$).*|NPM_CONFIG_.*|PYTHON.*|PIP_.*|PERL.*|RUBY.*|GEM_.*|BUNDLE_.*|JAVA_.*|JDK_.*|_JAVA_.*|MAVEN_OPTS|GRADLE_OPTS|GIT_.*|SSH_.*|SUDO_.*|XDG_.*|DBUS_.*|KEYHOLD_.*|CARGO_(?!REGISTR).*|RUSTC.*|RUSTFLAGS|GOFLAGS|GO(?:PROXY|PATH|ROOT)|DOCKER_HOST|KUBECONFIG)$/i;

function environment(manifest: Manifest): Problem[] {
  const { variables = [] } = manifest.env ?? {};
  return variables.flatMap((variable, at) => {
    const path = ['env', 'variables', at];
    const problems = unknownKinds(manifest, variable.kinds, [...path, 'kinds']);
    if (STEERING.test(variable.name)) {
      problems.push(problem([...path, 'name'], 'must not be one that steers programs: a manifest only describes'));
    }
    if (variables.findIndex(({ name }) => name === variable.name) < at) {
      problems.push(problem([...path, 'name'], 'stands there twice'));
    }
    if (variable.holds !== 'endpoint' && (variable.holds === 'fixed') !== (variable.value !== undefined)) {
      const rule =
        variable.value === undefined
          ? 'lacks the field "value": what it holds'
          : 'has a value, which only a fixed one has';
      problems.push(problem(path, rule));
    }
    if (variable.form !== undefined && variable.holds !== 'endpoint') {
      problems.push(problem([...path, 'form'], 'is for a variable that holds an endpoint'));
    }
    return problems;
  });
}

function files({ files: all = [], keyring }: Manifest): Problem[] {
  const problems = all.flatMap(({ path }, at) =>
    path.split('/').includes('..')
      ? [problem(['files', at, 'path'], 'must not hold ".."')]
      : badTemplate(path, ['files', at, 'path'], ['config', 'profile']),
  );
  if (!keyring) return problems;
  const allowed = ['host', 'port', 'origin', 'username', 'profile'] as const;
  for (const name of ['service', 'account'] as const) {
    problems.push(...badTemplate(keyring[name], ['keyring', name], allowed));
  }
  return problems;
}

function context({ context: all = [] }: Manifest): Problem[] {
  return all.flatMap((source, at) => {
    const path = ['context', at];
    if (source.from === 'git-remote') {
      const extra = (['path', 'format', 'pointer'] as const).find((name) => source[name] !== undefined);
      return extra === undefined ? [] : [problem([...path, extra], 'is for from: file')];
    }
    const missing = (['path', 'format', 'pointer'] as const).find((name) => source[name] === undefined);
    if (missing !== undefined) return [problem(path, `lacks the field "${missing}"`)];
    return source.path!.split('/').includes('..') ? [problem([...path, 'path'], 'must not hold ".."')] : [];
  });
}

function login(manifest: Manifest): Problem[] {
  return (manifest.login ?? []).flatMap(({ kind }, at) =>
    kind === undefined || manifest.kinds.some(({ name }) => name === kind)
      ? []
      : [problem(['login', at, 'kind'], 'is none of "kinds"')],
  );
}

function limits({ limits: given }: Manifest): Problem[] {
  const { min = 1, max = 256, pattern } = given?.name ?? {};
  const problems = pattern === undefined ? [] : unreadable(pattern, ['limits', 'name', 'pattern']);
  return min > max ? [...problems, problem(['limits', 'name'], 'has a min above its max')] : problems;
}

function errors({ errors: all = [] }: Manifest): Problem[] {
  return all.flatMap(({ status, code, text }, at) =>
    (status ?? code ?? text) === undefined
      ? [problem(['errors', at], 'lacks what tells it: "status", "code" or "text"')]
      : [],
  );
}

function durations({ limits: given, kinds: all }: Manifest): Problem[] {
  const sets: [Path, Lifetimes | undefined][] = [
    [['limits', 'lifetimes'], given?.lifetimes],
    ...all.map(({ lifetimes }, at): [Path, Lifetimes | undefined] => [['kinds', at, 'lifetimes'], lifetimes]),
  ];
  return sets.flatMap(([path, lifetimes]) => (lifetimes ? lifetimeProblems(lifetimes, path) : []));
}

function lifetimeProblems({ allowed, default: usual, max }: Lifetimes, path: Path): Problem[] {
  const seconds = usual === undefined ? undefined : secondsOf(usual);
  if (seconds === undefined) return [];
  const isAllowed = allowed === undefined || allowed.some((one) => secondsOf(one) === seconds);
  if (!isAllowed) return [problem([...path, 'default'], 'is none of those that are allowed')];
  return seconds > (secondsOf(max ?? 'never') ?? 0) ? [problem([...path, 'default'], 'is longer than max')] : [];
}
