import { join } from 'node:path';
import type { Ground } from '../install/ground.ts';
import { onPath } from './on-path.ts';
import type { Plan, PlannedFile, SetupTool } from './tool.ts';

/** pip: a program named `keyring` in a folder of its own, and the line that makes pip run it. */
export const pip: SetupTool = {
  name: 'pip',
  summary: 'pip takes tokens of private indexes from keyhold',
  gain: 'no token in pip.conf, in the URL of an index, or in ~/.netrc',
  account: { instead: "write it into the index's URL: https://NAME@HOST/simple/" },
  options: [],
  detect: (ground) => onPath(ground, 'pip', 'pip3'),
  plan: (ground, { program }) => ({
    ...byKeyringProgram(ground, 'pip', program('keyhold-helper'), {
      file: join(configHome(ground), 'pip', 'pip.conf'),
      edits: [{ kind: 'line', section: '[global]', key: 'keyring-provider', value: 'subprocess', joint: ' = ' }],
    }),
  }),
};

/** uv, in the same way. */
export const uv: SetupTool = {
  name: 'uv',
  summary: 'uv takes tokens of private indexes from keyhold',
  gain: 'no token in uv.toml, in the URL of an index, or in ~/.netrc',
  account: { instead: "write it into the index's URL: https://NAME@HOST/simple/" },
  options: [],
  detect: (ground) => onPath(ground, 'uv'),
  plan: (ground, { program }) => ({
    ...byKeyringProgram(ground, 'uv', program('keyhold-helper'), {
      file: join(configHome(ground), 'uv', 'uv.toml'),
      edits: [{ kind: 'line', key: 'keyring-provider', value: '"subprocess"', joint: ' = ' }],
    }),
  }),
};

/** The backend that Python's keyring library loads: it runs our helper for each question. */
const MODULE = 'keyhold_keyring';

/** twine, poetry and all that ask Python's keyring library in their own process. */
export const twine: SetupTool = {
  name: 'twine',
  summary: "twine, poetry and others by Python's keyring library use keyhold",
  gain: 'no token in ~/.pypirc, and none in a variable',
  account: { instead: 'name it to the program: twine upload --username NAME' },
  options: [],
  detect: (ground) => onPath(ground, 'twine', 'poetry', 'keyring'),
  plan(ground, { program }) {
    const folder = join(ground.data, 'python');
    const file = join(configHome(ground), 'python_keyring', 'keyringrc.cfg');
    return {
      files: [
        {
          file: join(folder, `${MODULE}.py`),
          edits: [{ kind: 'block', text: backendModule(program('keyhold-helper')), unless: '\\S.*' }],
        },
        // Where a file has this name, Python cannot put a folder of compiled code there that nobody would take away.
        {
          file: join(folder, '__pycache__'),
          edits: [{ kind: 'block', text: 'No folder, so that none is left behind.\n' }],
        },
        {
          file,
          edits: [
            { kind: 'line', section: '[backend]', key: 'default-keyring', value: `${MODULE}.Keyhold`, joint: '=' },
            { kind: 'line', section: '[backend]', key: 'keyring-path', value: folder, joint: '=' },
          ],
        },
      ],
      links: [],
      notices: overriding(ground),
    };
  },
};

function byKeyringProgram(ground: Ground, tool: string, helper: string, file: PlannedFile): Plan {
  const folder = join(ground.data, 'path', tool);
  const isFirst = ground.environment['PATH']?.split(':')[0] === folder;
  return {
    files: [file],
    links: [{ path: join(folder, 'keyring'), target: helper }],
    notices: isFirst
      ? []
      : [
          `${tool} runs the first "keyring" on PATH. Put keyhold's there, for ${tool} alone or in your shell's profile:`,
          `    PATH=${folder}:$PATH`,
        ],
  };
}

function overriding({ environment }: Ground): string[] {
  const name = 'PYTHON_KEYRING_BACKEND';
  return environment[name] ? [`${name} is set, and goes before what was written here`] : [];
}

function configHome({ environment, home }: Ground): string {
  const given = environment['XDG_CONFIG_HOME'];
  return given?.startsWith('/') ? given : join(home, '.config');
}

/**
 * The backend is the default of every Python program once it is written, so it asks the backends that Python would have
 * used without it for what keyhold does not hold, and leaves there what is there. What is neither a hit nor a plain miss is
 * raised: a locked keyhold is not an empty one.
 */
function backendModule(helper: string): string {
  return `# keyhold for Python's keyring library. Written by: keyhold setup twine
import json
import subprocess

from keyring import backend, credentials, errors
from keyring.backends import chainer

HELPER = ${JSON.stringify(helper)}
# Bytes of a service or a username.
NAME_MAX = 8192


def unfit(service, username, password=""):
    """Why keyhold cannot keep this; None if it can."""
    for what, text in (("service", service), ("username", username or ""), ("password", password)):
        try:
            raw = text.encode("utf-8")
        except UnicodeEncodeError:
            return "the %s is not valid Unicode" % what
        if any(byte < 0x20 or byte == 0x7F for byte in raw):
            return "the %s holds a control character" % what
        if what != "password" and len(raw) > NAME_MAX:
            return "the %s is longer than %d bytes" % (what, NAME_MAX)
    return None


def run(*arguments, secret=None):
    """What the helper prints; None where nothing is held. Raises KeyringError with its reason for all else."""
    try:
        done = subprocess.run(
            [HELPER, "keyring", *arguments],
            input=b"" if secret is None else secret.encode("utf-8") + b"\\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise errors.KeyringError("cannot run %s: %s" % (HELPER, error.strerror))
    why = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode != 0 and why:
        raise errors.KeyringError(why)
    return done.stdout.decode("utf-8") if done.returncode == 0 else None


def find(service, username):
    """The credential that keyhold holds, or None."""
    if unfit(service, username):
        return None
    user = [] if username is None else [username]
    found = run("--mode=creds", "--output=json", "get", "--", service, *user)
    if found is None:
        return None
    pair = json.loads(found)
    return credentials.SimpleCredential(pair["username"], pair["password"])


def forget(service, username):
    """Whether keyhold held it."""
    return unfit(service, username) is None and run("del", "--", service, username) is not None


class Keyhold(backend.KeyringBackend):
    priority = 1

    @property
    def others(self):
        """What Python would use without keyhold, the preferred one first."""
        rings = backend.get_all_keyring()
        usable = [ring for ring in rings if not isinstance(ring, (Keyhold, chainer.ChainerBackend)) and ring.priority > 0]
        return sorted(usable, key=lambda ring: ring.priority, reverse=True)

    def get_password(self, service, username):
        found = self.look_up("get_password", service, username)
        return found.password if isinstance(found, credentials.Credential) else found

    def get_credential(self, service, username):
        return self.look_up("get_credential", service, username)

    def look_up(self, question, service, username):
        fault = None
        try:
            found = find(service, username)
            if found is not None:
                return found
        except errors.KeyringError as error:
            fault = error
        for ring in self.others:
            found = getattr(ring, question)(service, username)
            if found is not None:
                return found
        if fault is not None:
            raise fault
        return None

    def set_password(self, service, username, password):
        why = unfit(service, username, password)
        if why and not self.others:
            raise errors.PasswordSetError("keyhold cannot keep this: " + why)
        held = find(service, username) is not None
        holder = None if held else self.holder(service, username)
        if why or holder is not None:
            # The older value would be found first.
            if held:
                forget(service, username)
            (holder or self.others[0]).set_password(service, username, password)
        elif run("set", "--", service, username, secret=password) is None:
            raise errors.PasswordSetError("keyhold keeps no such password")

    def delete_password(self, service, username):
        gone = forget(service, username)
        ring = self.holder(service, username)
        if ring is not None:
            ring.delete_password(service, username)
        elif not gone:
            raise errors.PasswordDeleteError(unfit(service, username) or "keyhold holds no such password")

    def holder(self, service, username):
        """The other backend that holds it, or None."""
        return next((ring for ring in self.others if ring.get_password(service, username) is not None), None)
`;
}
