/**
 * The few D-Bus types that asking a Secret Service for its state needs, little-endian. All offsets count from the
 * start of the message, which bodies keep because headers are padded to eight.
 *
 * @see https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-marshaling
 */
export class BusWriter {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  bytes(): Buffer {
    return Buffer.from(this.#bytes);
  }

  align(to: number): void {
    while (this.#bytes.length % to !== 0) this.#bytes.push(0);
  }

  byte(value: number): void {
    this.#bytes.push(value);
  }

  uint32(value: number): void {
    this.align(4);
    this.#bytes.push(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff);
  }

  /** Writes what `elements` writes, its length in bytes before it. The padding to `align` is not counted in it. */
  array(align: number, elements: () => void): void {
    this.uint32(0);
    const lengthAt = this.#bytes.length - 4;
    this.align(align);
    const start = this.#bytes.length;
    elements();
    const length = this.#bytes.length - start;
    for (let i = 0; i < 4; i++) this.#bytes[lengthAt + i] = (length >>> (8 * i)) & 0xff;
  }

  /** One value of a type: `s`, `o`, `g`, `ao` or `a{ss}`. */
  value(kind: string, value: unknown): void {
    switch (kind) {
      case 's':
      case 'o':
        this.#string(value as string);
        break;
      case 'g':
        this.byte((value as string).length);
        this.#bytes.push(...Buffer.from(`${value}\0`, 'latin1'));
        break;
      case 'ao':
        this.array(4, () => {
          for (const path of value as readonly string[]) this.#string(path);
        });
        break;
      case 'a{ss}':
        this.array(8, () => {
          for (const [key, text] of Object.entries(value as Record<string, string>)) {
            this.align(8);
            this.#string(key);
            this.#string(text);
          }
        });
        break;
      default:
        throw new TypeError(`cannot marshal the type ${kind}: it is none that is used here`);
    }
  }

  #string(text: string): void {
    const utf8 = Buffer.from(text, 'utf8');
    this.uint32(utf8.length);
    for (const byte of utf8) this.#bytes.push(byte);
    this.#bytes.push(0);
  }
}

/** Reads values in the order in which they stand. A value past the end throws a RangeError. */
export class BusReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  align(to: number): void {
    this.#at = Math.ceil(this.#at / to) * to;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#at++);
  }

  uint32(): number {
    this.align(4);
    this.#at += 4;
    return this.#bytes.readUInt32LE(this.#at - 4);
  }

  /** A string or an object path. */
  string(): string {
    const length = this.uint32();
    return this.#text(length);
  }

  signature(): string {
    return this.#text(this.byte());
  }

  /** A variant that holds a boolean; anything else in it reads as undefined. */
  booleanVariant(): boolean | undefined {
    return this.signature() === 'b' ? this.uint32() === 1 : undefined;
  }

  /** A variant that holds object paths; anything else in it reads as undefined. */
  pathsVariant(): readonly string[] | undefined {
    return this.signature() === 'ao' ? this.paths() : undefined;
  }

  /** A variant that holds texts by name; anything else in it reads as undefined. */
  textsVariant(): ReadonlyMap<string, string> | undefined {
    if (this.signature() !== 'a{ss}') return undefined;
    const texts = new Map<string, string>();
    this.array(8, () => {
      this.align(8);
      const key = this.string();
      texts.set(key, this.string());
    });
    return texts;
  }

  /** A variant that holds a whole number of 64 bits; anything else in it reads as undefined. */
  uint64Variant(): number | undefined {
    if (this.signature() !== 't') return undefined;
    this.align(8);
    this.#at += 8;
    return Number(this.#bytes.readBigUInt64LE(this.#at - 8));
  }

  boolean(): boolean {
    return this.uint32() === 1;
  }

  paths(): readonly string[] {
    const paths: string[] = [];
    this.array(4, () => paths.push(this.string()));
    return paths;
  }

  /** Calls `element` until the array's bytes are read. */
  array(align: number, element: () => void): void {
    const length = this.uint32();
    this.align(align);
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('cannot read an array: it ends past its message');
    while (this.#at < end) element();
  }

  #text(length: number): string {
    const end = this.#at + length;
    if (end >= this.#bytes.length) throw new RangeError('cannot read text: it ends past its message');
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }
}
