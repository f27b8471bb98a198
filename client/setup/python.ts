import { join } from 'node:path';
import type { Ground } from '../install/ground.ts';
import { onPath } from './on-path.ts';
import type { Plan, PlannedFile, SetupTool } from './tool.ts';

/** pip: a program named `keyring` in a folder of its own, and the line that makes pip run it. */
export const pip: SetupTool = {
  name: 'pip',
  summary: 'pip takes tokens of private indexes from keyhold',
  gain: 'no token in pip.conf, in the URL of an index, or in ~/.netrc',
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

/** What is neither a hit nor a plain miss is raised, so that nobody takes a locked keyhold for an empty one. */
function backendModule(helper: string): string {
  return `# keyhold for Python's keyring library. Written by: keyhold setup twine
import json
import subprocess

from keyring import backend, credentials, errors

HELPER = ${JSON.stringify(helper)}


def run(*arguments, secret=None):
    done = subprocess.run(
        [HELPER, "keyring", *arguments],
        input=b"" if secret is None else secret.encode("utf-8"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    why = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode != 0 and why:
        raise errors.KeyringError(why)
    return done.stdout.decode("utf-8") if done.returncode == 0 else None


class Keyhold(backend.KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        found = run("get", service, username)
        return None if found is None else found[:-1]

    def get_credential(self, service, username):
        user = [] if username is None else [username]
        found = run("--mode=creds", "--output=json", "get", service, *user)
        if found is None:
            return None
        pair = json.loads(found)
        return credentials.SimpleCredential(pair["username"], pair["password"])

    def set_password(self, service, username, password):
        if run("set", service, username, secret=password) is None:
            raise errors.PasswordSetError("keyhold keeps no such password")

    def delete_password(self, service, username):
        if run("del", service, username) is None:
            raise errors.PasswordDeleteError("keyhold holds no such password")
`;
}
