// The values of an Arrow column as a list, read from its buffers where that is much faster than value by value. No DOM here.

import type { Batch, Column } from "@uwdata/flechette";
import type { Value } from "./cells";

// What begins with a mark of byte order keeps it.
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
const TEXT = 5; // Arrow's number of the type of texts.
/** A longer part of a text may keep the whole of it in memory. */
const OWN = 12;
/** Characters of a text from which it is cheaper to decode it by itself. */
const LONG = 64;

/** A whole number that a double holds exactly is one: it takes a fraction of the room. */
export function listed(column: Column<unknown>): Value[] {
  return column.data.flatMap((batch) => {
    if (batch.type.typeId === TEXT) return texts(batch);
    if (batch.values instanceof BigInt64Array) return integers(batch, batch.values);
    return others(batch as Batch<Value>);
  });
}

function others(batch: Batch<Value>): Value[] {
  const list: Value[] = [];
  for (let index = 0; index < batch.length; index++) {
    const value = batch.at(index);
    list.push(typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value);
  }
  return list;
}

function integers(batch: Batch<unknown>, values: BigInt64Array): Value[] {
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * batch.length);
  const list: Value[] = [];
  for (let index = 0; index < batch.length; index++) {
    const value = words[2 * index + 1]! * 2 ** 32 + (words[2 * index]! >>> 0);
    if (isNull(batch, index)) list.push(null);
    else list.push(Number.isSafeInteger(value) ? value : values[index]!);
  }
  return list;
}

/** Texts are decoded together, because a call for each takes most of the time. */
function texts(batch: Batch<unknown>): Value[] {
  const offsets = batch.offsets as Int32Array;
  const bytes = batch.values as Uint8Array;
  const whole = UTF8.decode(bytes.subarray(offsets[0], offsets[batch.length]));
  const list: Value[] = [];
  let byte = offsets[0]!;
  let from = 0;
  for (let index = 0; index < batch.length; index++) {
    const start = byte;
    const end = offsets[index + 1]!;
    let to = from;
    for (; byte < end; byte++) {
      const first = bytes[byte]!;
      if ((first & 0xc0) !== 0x80) to += first < 0xf0 ? 1 : 2; // A character begins, of one unit of UTF-16 or two.
    }
    if (isNull(batch, index)) list.push(null);
    else list.push(to - from > LONG ? UTF8.decode(bytes.subarray(start, end)) : own(whole, from, to));
    from = to;
  }
  return list;
}

function isNull(batch: Batch<unknown>, index: number): boolean {
  return batch.nullCount > 0 && !batch.isValid(index);
}

/** A part of a text that does not keep the whole in memory. */
function own(whole: string, from: number, to: number): string {
  let part = "";
  for (let at = from; at < to; at += OWN) part += whole.slice(at, Math.min(at + OWN, to));
  return part;
}
