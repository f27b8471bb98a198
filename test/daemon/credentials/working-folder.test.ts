import { chmodSync, chownSync, mkdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WorkingFolders } from '../../../daemon/credentials/working-folder.ts';
import type { CredentialRequest } from '../../../protocol/handler.ts';
import { type Profiles, readProfiles } from '../../../protocol/profiles.ts';
import { exchange, store } from '../../fakes/built-agent.ts';
import { openComposed } from '../../fakes/composed-agent.ts';
import { temporaryFolder } from '../../temporary.ts';

const bound = (folder: string): Profiles =>
  readProfiles({ profiles: { work: { account: 'work' } }, folders: { [folder]: 'work' } });

const asking = (cwd: string, profile?: string) => ({ cwd, profile }) as CredentialRequest;

describe('a profile that is bound to a folder', () => {
  const aTree = () => {
    const { path, remove } = temporaryFolder('folder');
    onTestFinished(remove);
    mkdirSync(join(path, 'bound/a/b'), { recursive: true });
    return realpathSync(path);
  };

  it('is chosen in and below it, and not below a folder that others may write or that is gone', async () => {
    const agent = await openComposed();
    onTestFinished(async () => {
      await agent.dispose();
    });
    const root = aTree();
    for (const user of ['work', 'other']) {
      const [first, ...more] = store('git.example', `${user}-EXAMPLE`);
      await exchange(agent.socket, [
        first!,
        ...more.filter((line) => !line.startsWith('username=')),
        `username=${user}`,
      ]);
    }
    await agent.profiles({ profiles: { work: { account: 'work' } }, folders: { [join(root, 'bound')]: 'work' } });
    const given = async (folder: string) => {
      const get = ['action=get', 'capability[]=keyhold', 'protocol=https', 'host=git.example'];
      return /^password=(.*)$/m.exec(await exchange(agent.socket, [...get, `cwd=${join(root, folder)}`]))?.[1];
    };
    expect(await given('bound')).toBe('work-EXAMPLE');
    expect(await given('bound/a/b')).toBe('work-EXAMPLE');
    chmodSync(join(root, 'bound/a'), 0o777);
    mkdirSync(join(root, 'bound/a/new'));
    expect(await given('bound/a/new')).toBe('other-EXAMPLE');
    rmSync(join(root, 'bound/a/new'), { recursive: true });
    expect(await given('bound/gone')).toBe('other-EXAMPLE');
  });

  it.skipIf(process.getuid!() !== 0)('is not chosen in a folder of another user, nor below one', async () => {
    const root = aTree();
    chownSync(join(root, 'bound/a'), 65_534, 65_534);
    const folders = new WorkingFolders(() => bound(join(root, 'bound')));
    for (const cwd of ['bound/a', 'bound/a/b']) {
      const { boundary } = await folders.bounded(asking(join(root, cwd)));
      expect(boundary).toBe(join(root, 'bound/a'));
    }
  });

  it('costs no look where no binding would decide, and one look for many gets', async () => {
    let looks = 0;
    const lookAt = async () => {
      looks++;
      return { uid: process.getuid!(), gid: 0, mode: 0o755 };
    };
    const folders = new WorkingFolders(() => bound('/bound'), lookAt);
    for (const request of [asking('/elsewhere'), asking('/bound/a', 'named')]) {
      expect(folders.bounded(request)).toBe(request);
    }
    expect(looks).toBe(0);
    await Promise.all(Array.from({ length: 20 }, () => folders.bounded(asking('/bound/a'))));
    expect(looks).toBe(2);
    expect(folders.bounded(asking('/bound/a'))).toEqual({ ...asking('/bound/a'), boundary: undefined });
    expect(looks).toBe(2);
  });

  it('does not count where the file system gives no answer in time', async () => {
    const folders = new WorkingFolders(
      () => bound('/bound'),
      () => new Promise(() => {}),
    );
    expect(await folders.bounded(asking('/bound/a'))).toMatchObject({ boundary: '/bound/a' });
  });
});
