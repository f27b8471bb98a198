import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const CHUNK = 4_194_304;

/** A text as it could lie in memory. */
export function formsOf(text: string): Record<string, Buffer> {
  const bytes = Buffer.from(text);
  return {
    utf8: bytes,
    utf16le: Buffer.from(text, 'utf16le'),
    // Whatever stands before it: base64 of three alignments, without the ends that depend on neighbours.
    base64: Buffer.from(bytes.toString('base64').slice(0, -4)),
    'base64+1': Buffer.from(
      Buffer.concat([Buffer.alloc(1), bytes])
        .toString('base64')
        .slice(4, -4),
    ),
    'base64+2': Buffer.from(
      Buffer.concat([Buffer.alloc(2), bytes])
        .toString('base64')
        .slice(4, -4),
    ),
    hex: Buffer.from(bytes.toString('hex')),
  };
}

/**
 * How often each form of a text lies in the writable memory of a process, by /proc/PID/mem. Needs to be root, and the
 * process is stopped by nobody: what moves meanwhile may be missed, so look at a process that is idle.
 */
export function scanMemory(pid: number, text: string): Record<string, number> {
  const forms = Object.entries(formsOf(text));
  const counts: Record<string, number> = Object.fromEntries(forms.map(([name]) => [name, 0]));
  const overlap = Math.max(...forms.map(([, form]) => form.length)) - 1;
  const fd = openSync(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.alloc(CHUNK + overlap);
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
      const found = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
      if (!found) continue;
      const [start, end] = [Number.parseInt(found[1]!, 16), Number.parseInt(found[2]!, 16)];
      let kept = 0;
      for (let at = start; at < end; at += CHUNK) {
        const length = readAt(fd, chunk, kept, Math.min(CHUNK, end - at), at);
        if (length === 0) break;
        const view = chunk.subarray(0, kept + length);
        for (const [name, form] of forms) counts[name]! += count(view, form, kept);
        kept = Math.min(overlap, view.length);
        view.copy(chunk, 0, view.length - kept);
      }
    }
  } finally {
    closeSync(fd);
    chunk.fill(0);
  }
  return counts;
}

/** Occurrences that do not lie in the first `kept` bytes as a whole: those were counted before. */
function count(view: Buffer, form: Buffer, kept: number): number {
  let found = 0;
  for (let at = view.indexOf(form); at >= 0; at = view.indexOf(form, at + 1)) if (at + form.length > kept) found++;
  return found;
}

/** 0 where the kernel does not let it be read (memfd_secret). */
function readAt(fd: number, into: Buffer, offset: number, length: number, position: number): number {
  try {
    return readSync(fd, into, offset, length, position);
  } catch {
    return 0;
  }
}
