import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EVENT_FRAME_MAX, EventFrames, eventNames, type KeyholdEvent } from '../../protocol/events.ts';

const frame = (type: string, data: object) => `${JSON.stringify({ type, data })}\f`;
const read = (...pieces: string[]) => {
  const frames = new EventFrames();
  return pieces.flatMap((piece) => [...frames.read(piece)]);
};

describe('the frames of the event channel', () => {
  it('are read whole, whatever pieces they come in', () => {
    const events: KeyholdEvent[] = [
      { event: 'hello', at: 1 },
      { event: 'stored', at: 2, id: 'a', expiresAt: 3 },
      { event: 'locked', at: 4 },
    ];
    const text = events.map(({ event, ...data }) => frame(event, data)).join('');
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
        const at = [0, ...cuts.sort((one, other) => one - other), text.length];
        expect(read(...at.slice(1).map((end, index) => text.slice(at[index], end)))).toEqual(events);
      }),
    );
  });

  it.each(Object.keys(eventNames))('bring %s', (event) => {
    expect(read(frame(event, { at: 1, id: 'a' }))).toEqual([{ event, at: 1, id: 'a' }]);
  });

  it('skip what a newer agent says, and attributes that are not known or of another type', () => {
    expect(read(frame('exploded', { at: 1 }), frame('constructor', { at: 1 }))).toEqual([]);
    expect(read(frame('stored', { at: 1, id: 7, host: 'a.test', expiresAt: '9' }))).toEqual([
      { event: 'stored', at: 1 },
    ]);
  });

  it.each([
    ['no JSON', 'null x\f'],
    ['no time', frame('stored', { id: 'a' })],
    ['a time that is none', frame('stored', { at: -1 })],
    ['a frame without an end', 'x'.repeat(EVENT_FRAME_MAX + 1)],
    ['a frame that is too long', frame('stored', { at: 1, id: 'x'.repeat(EVENT_FRAME_MAX) })],
  ])('are refused: %s', (_, text) => {
    expect(() => read(text)).toThrow('cannot follow the events');
  });

  it.each(['null\f', '[]\f', '7\f', '{"data":1}\f'])('are survived: %j', (text) => {
    expect(read(text)).toEqual([]);
  });
});
