import { openVault } from '../../../../daemon/backends/vault/vault.ts';
import { heapSecret } from '../../../../protocol/secret.ts';
import { testBackend } from '../../../contracts/backend.ts';
import { temporaryFolder } from '../../../temporary.ts';

testBackend('vault', async () => {
  const folder = temporaryFolder('vault');
  const options = { folder: folder.path, keep: heapSecret };
  let backend = await openVault(options);
  return {
    backend,
    reopen: async () => (backend = await openVault(options)),
    async close() {
      await backend.dispose();
      folder.remove();
    },
  };
});
