import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type LogFields, openLog } from '../../daemon/log.ts';
import { openLogFile } from '../../daemon/log-file.ts';
import { temporaryFolder } from '../temporary.ts';

describe('the log', () => {
  it('keeps what comes before its writer, and passes nothing that is not on its list', async () => {
    const lines: string[] = [];
    const { log, attach } = openLog();
    log('early', { id: '1', password: 'canary-EXAMPLE' } as LogFields);
    await attach({ write: (line) => lines.push(line) }, 'debug');
    log('late', { host: 'example.com', code: 'x' } as LogFields);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { event: 'early', id: '1' },
      { event: 'late', code: 'x' },
    ]);
    expect(lines.join('')).not.toMatch(/canary|example/i);
  });

  it('says when an early event happened, not when its writer came', async () => {
    const lines: string[] = [];
    const { log, attach } = openLog();
    const before = Date.now();
    log('early', {});
    const after = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await attach({ write: (line) => lines.push(line) }, 'info');
    log('late', {});
    const [early, late] = lines.map((line) => Date.parse(JSON.parse(line).time));
    expect(early).toBeGreaterThanOrEqual(before);
    expect(early).toBeLessThanOrEqual(after);
    expect(late! - early!).toBeGreaterThanOrEqual(45);
  });

  it('keeps a bounded number of early lines', async () => {
    const lines: string[] = [];
    const { log, attach } = openLog();
    for (let number = 0; number < 10_000; number++) log('early', { count: number });
    await attach({ write: (line) => lines.push(line) }, 'info');
    expect(lines.length).toBe(200);
  });
});

describe('the log file', () => {
  function aFolder(): string {
    const folder = temporaryFolder('log');
    onTestFinished(() => folder.remove());
    return folder.path;
  }
  const line = `${'x'.repeat(1_023)}\n`;

  it('holds three files of 1 MiB at most, the newest line in the first', () => {
    const folder = aFolder();
    const sink = openLogFile(`${folder}/agent.log`);
    for (let kibibyte = 0; kibibyte < 5_000; kibibyte++) sink.write(line);
    sink.write('last\n');
    const names = readdirSync(folder).sort();
    expect(names).toEqual(['agent.log', 'agent.log.1', 'agent.log.2']);
    for (const name of names) expect(statSync(`${folder}/${name}`).size).toBeLessThanOrEqual(1_048_576);
    expect(readFileSync(`${folder}/agent.log`, 'utf8').endsWith('last\n')).toBe(true);
  });

  it('goes on after a restart where it was', () => {
    const folder = aFolder();
    writeFileSync(`${folder}/agent.log`, line.repeat(1_023));
    const sink = openLogFile(`${folder}/agent.log`);
    for (const _ of [1, 2, 3]) sink.write(line);
    expect(statSync(`${folder}/agent.log.1`).size).toBe(1_048_576);
  });

  it('loses lines rather than throw when it cannot rotate, and writes into no descriptor but its own', () => {
    const folder = aFolder();
    const sink = openLogFile(`${folder}/agent.log`);
    sink.write(line.repeat(1_024));
    writeFileSync(`${folder}/agent.log.1`, 'older\n');
    mkdirSync(`${folder}/agent.log.2/not-empty`, { recursive: true });
    for (const _ of [1, 2, 3]) expect(() => sink.write(line)).not.toThrow();
    rmSync(`${folder}/agent.log.2`, { recursive: true });
    sink.write('back\n');
    expect(readFileSync(`${folder}/agent.log`, 'utf8')).toBe('back\n');
    expect(readFileSync(`${folder}/agent.log.2`, 'utf8')).toBe('older\n');
  });
});
