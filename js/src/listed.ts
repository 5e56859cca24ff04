// The values of an Arrow column, one by one or as a list: read from its buffers where that is much faster. No DOM here.

import type { Batch, Column } from "@uwdata/flechette";
import type { Value } from "./cells";

/** The values of some rows in one column. */
export interface Cells {
  at(index: number): Value | undefined;
}

/** Values that are read when they are wanted: most of those that come are never looked at. */
class Unread implements Cells {
  readonly #batch: Batch<unknown>;

  constructor(batch: Batch<unknown>) {
    this.#batch = batch;
  }

  at(index: number): Value {
    const batch = this.#batch;
    if (batch.type.typeId !== TEXT) return small((batch as Batch<Value>).at(index));
    const offsets = batch.offsets as Int32Array;
    return isNull(batch, index) ? null : UTF8.decode((batch.values as Uint8Array).subarray(offsets[index], offsets[index + 1]));
  }

  list(): Value[] {
    return inBatch(this.#batch);
  }
}

// What begins with a mark of byte order keeps it.
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
const TEXT = 5; // Arrow's number of the type of texts.

/** The values of a column, which come in one batch as a rule. */
export function unread(column: Column<unknown>): Cells {
  const [batch, ...others] = column.data;
  return batch && others.length === 0 ? new Unread(batch) : column.data.flatMap(inBatch);
}

/** All values of a column. A text of them may keep those that came with it in memory. */
export function listed(cells: Cells): readonly Value[] {
  return cells instanceof Unread ? cells.list() : (cells as Value[]);
}

function inBatch(batch: Batch<unknown>): Value[] {
  if (batch.type.typeId === TEXT) return texts(batch);
  if (batch.values instanceof BigInt64Array) return integers(batch, batch.values);
  return others(batch as Batch<Value>);
}

/** A whole number that a double holds exactly is one: it takes a fraction of the room. */
function small(value: Value): Value {
  return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function others(batch: Batch<Value>): Value[] {
  const list: Value[] = [];
  for (let index = 0; index < batch.length; index++) {
    list.push(small(batch.at(index)));
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
  const isAscii = whole.length === offsets[batch.length]! - offsets[0]!;
  const list: Value[] = [];
  let from = 0;
  for (let index = 0; index < batch.length; index++) {
    const [start, end] = [offsets[index]!, offsets[index + 1]!];
    let to = isAscii ? from + end - start : from;
    for (let byte = isAscii ? end : start; byte < end; byte++) {
      const first = bytes[byte]!;
      if ((first & 0xc0) !== 0x80) to += first < 0xf0 ? 1 : 2; // A character begins, of one unit of UTF-16 or two.
    }
    if (isNull(batch, index)) list.push(null);
    else list.push(whole.slice(from, to));
    from = to;
  }
  return list;
}

function isNull(batch: Batch<unknown>, index: number): boolean {
  return batch.nullCount > 0 && !batch.isValid(index);
}
