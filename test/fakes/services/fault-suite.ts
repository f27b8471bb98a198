import { describe, expect, test } from 'vitest';
import { type Fault, faults, RETRY_AFTER } from './faults.ts';
import type { StandIn } from './stand-in.ts';

type Opened = {
  readonly standIn: StandIn;
  /** Asks for something that is answered with 200 when nothing is wrong. */
  readonly probe: (options?: RequestInit) => Promise<Response>;
};

/** Goes wrong in every way that a caller must survive, with the service's own error bodies, and recovers. */
export function testFaults(open: () => Promise<Opened>): void {
  /** Opens it, makes it fail, and ends it. */
  const failing = async (fault: Fault, look: (opened: Opened) => Promise<void>) => {
    const opened = await open();
    await using standIn = opened.standIn;
    standIn.fail(fault);
    await look(opened);
    standIn.recover();
    expect((await opened.probe()).status).toBe(200);
  };

  describe('goes wrong on request, and recovers', () => {
    test.each(faults.filter((fault) => typeof fault === 'number'))('with status %i', (fault) =>
      failing(fault, async ({ probe }) => {
        const answer = await probe();
        expect(answer.status).toBe(fault);
        expect(answer.headers.get('retry-after')).toBe(fault === 429 ? `${RETRY_AFTER}` : null);
        expect(await answer.text()).not.toBe('');
      }),
    );

    test('by silence: the request is taken and never answered', () =>
      failing('timeout', async ({ probe, standIn }) => {
        await expect(probe({ signal: AbortSignal.timeout(200) })).rejects.toThrow(/timeout|aborted/i);
        expect(standIn.requests.at(-1)!.status).toBe(0);
      }));

    test('by half a body: the connection breaks in the middle of the answer', () =>
      failing('half-a-body', async ({ probe }) => {
        await expect(probe().then((answer) => answer.text())).rejects.toThrow();
      }));

    test('by a page in place of JSON', () =>
      failing('html', async ({ probe }) => {
        const answer = await probe();
        expect(answer.status).toBe(200);
        expect(answer.headers.get('content-type')).toContain('text/html');
        expect(await answer.text()).toContain('<!doctype html>');
      }));

    test('by a body of ten megabytes', () =>
      failing('ten-megabytes', async ({ probe }) => {
        const answer = await probe();
        expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(10_000_000);
      }));

    test('by a redirect to another host, which records whether the token came along', () =>
      failing('redirect', async ({ probe, standIn }) => {
        const answer = await probe({ redirect: 'manual' });
        expect(answer.status).toBe(307);
        expect(new URL(answer.headers.get('location')!).hostname).not.toBe(new URL(standIn.url).hostname);
        expect(standIn.elsewhere).toEqual([]);
        await probe();
        expect(standIn.elsewhere).toHaveLength(1);
      }));

    test('only for the requests that were named, and only as often', async () => {
      const { standIn: opened, probe } = await open();
      await using standIn = opened;
      standIn.fail(500, { only: /^PUT \/no-such-thing$/ });
      expect((await probe()).status).toBe(200);
      standIn.fail(500, { times: 1 });
      expect((await probe()).status).toBe(500);
      expect((await probe()).status).toBe(200);
    });
  });
}
