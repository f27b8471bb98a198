import { crc32 } from 'node:zlib';
import { type FakeServer, startServer } from './http.ts';

/** A private index with `labdemo 0.1.0` below /simple/, and a place below /legacy/ that takes uploads. */
export type PythonIndex = FakeServer & { readonly index: string; readonly uploads: string };

/** Open to whom `accepted` names; everybody else is asked for basic authentication. */
export async function startPythonIndex(): Promise<PythonIndex> {
  const wheel = zip(wheelFiles);
  const name = 'labdemo-0.1.0-py3-none-any.whl';
  const server = await startServer('Basic realm="index"', ({ method, path }) => {
    if (method === 'POST' && path === '/legacy/') return { status: 200 };
    if (path === '/simple/labdemo/') return html(`<a href="/files/${name}">${name}</a>`);
    if (path === `/files/${name}`) return { status: 200, body: wheel };
    return { status: 404 };
  });
  return Object.assign(server, { index: `${server.url}/simple/`, uploads: `${server.url}/legacy/` });
}

function html(body: string) {
  return { status: 200, body, headers: { 'Content-Type': 'text/html' } };
}

const info = 'labdemo-0.1.0.dist-info';
const wheelFiles: Readonly<Record<string, string>> = {
  'labdemo.py': 'SEVEN = 7\n',
  [`${info}/METADATA`]: 'Metadata-Version: 2.1\nName: labdemo\nVersion: 0.1.0\n',
  [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  [`${info}/RECORD`]: `labdemo.py,,\n${info}/METADATA,,\n${info}/WHEEL,,\n${info}/RECORD,,\n`,
};

/** The wheel itself, for who uploads one. */
export function aWheel(): Buffer {
  return zip(wheelFiles);
}

/** A zip archive of files that are stored as they are (APPNOTE.TXT, 4.3). */
function zip(files: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, text] of Object.entries(files)) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc32(Buffer.from(text)), 10);
    common.writeUInt32LE(text.length, 14);
    common.writeUInt32LE(text.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name + text)]);
    const central = Buffer.alloc(14);
    central.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, central, Buffer.from(name)]));
    parts.push(local);
    at += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(directory.length, 4);
  end.writeUInt16LE(directory.length, 6);
  end.writeUInt32LE(entries.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, entries, Buffer.from('PK\x05\x06'), end]);
}
