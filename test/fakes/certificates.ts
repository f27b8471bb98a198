import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, as PEM. */
export type Certificate = { readonly cert: string; readonly key: string };

/** An authority of a test's own, whose files lie in `folder`. */
export type Authority = {
  /** Its certificate as a file, which is what a person configures. */
  readonly file: string;
  readonly pem: string;
  /** For one name (`DNS:service.invalid`, `IP:127.0.0.1`), living so many days; -1: since yesterday no more. */
  issue(name: string, days?: number): Certificate;
};

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Makes an authority with openssl(1). */
export function openAuthority(folder: string, name = 'authority'): Authority {
  const at = (file: string) => join(folder, `${name}-${file}`);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore', timeout: 10_000 });
  const subject = ['-subj', `/CN=${name}`];
  openssl('req', '-x509', ...NEW_KEY, ...subject, '-keyout', at('key.pem'), '-out', at('cert.pem'), '-days', '2');
  let serial = 0;
  return {
    file: at('cert.pem'),
    pem: readFileSync(at('cert.pem'), 'utf8'),
    issue(alternative, days = 1) {
      const [key, request, extension, cert] = ['key', 'csr', 'ext', 'crt'].map((kind) => at(`${++serial}.${kind}`));
      writeFileSync(extension!, `subjectAltName=${alternative}\n`);
      openssl('req', ...NEW_KEY, '-subj', '/CN=service', '-keyout', key!, '-out', request!);
      const signed = ['-CA', at('cert.pem'), '-CAkey', at('key.pem'), '-CAcreateserial'];
      openssl('x509', '-req', '-in', request!, ...signed, '-days', `${days}`, '-extfile', extension!, '-out', cert!);
      return { cert: readFileSync(cert!, 'utf8'), key: readFileSync(key!, 'utf8') };
    },
  };
}
