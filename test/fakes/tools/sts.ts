import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** AWS' security token service, as far as `sts get-caller-identity` goes. It checks whose key signed, not the signature. */
export type Sts = AsyncDisposable & {
  readonly url: string;
  readonly accessKeyId: string;
  readonly sessionToken: string;
  readonly heard: { readonly accessKeyId: string | undefined; readonly sessionToken: string | undefined }[];
};

const IDENTITY =
  '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::000000000000:user/ada</Arn><UserId>U</UserId><Account>000000000000</Account></GetCallerIdentityResult></GetCallerIdentityResponse>';
const REFUSAL =
  '<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>no such key</Message></Error></ErrorResponse>';

export async function startSts(): Promise<Sts> {
  const [accessKeyId, sessionToken] = ['ASIAONEEXAMPLE', 'session-EXAMPLE'];
  const heard: Sts['heard'] = [];
  const server = createServer((request, response) => {
    request.resume();
    const id = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1];
    const token = request.headers['x-amz-security-token'] as string | undefined;
    heard.push({ accessKeyId: id, sessionToken: token });
    const isKnown = id === accessKeyId && token === sessionToken;
    response.writeHead(isKnown ? 200 : 403, { 'Content-Type': 'text/xml' }).end(isKnown ? IDENTITY : REFUSAL);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accessKeyId,
    sessionToken,
    heard,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
