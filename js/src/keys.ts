// Sorts many rows without comparing most of them: what can be told of a value in a few bits and the row's place make one
// number, and numbers are what a browser sorts fastest. Rows of which these bits are equal are looked at again. No DOM here.

import type { Value } from "./cells";

/** Fewer rows are compared. */
const FEW = 64;
/** A double holds a whole number of 53 bits: 36 of the value, 17 of the place. */
const KEYS = 2 ** 36;
const PLACES = 2 ** 17;

type Comparison = (one: number, two: number) => number;

/**
 * Sorts slots, which are in order to begin with, by values that are not null; slots of equal values stay in order.
 * @param comparison The order of two slots.
 * @param from Of texts, how many characters are known to be the same in all.
 */
export function sorted(slots: number[], values: readonly Value[], descending: boolean, comparison: Comparison, from = 0): number[] {
  if (slots.length < FEW || slots.length > PLACES) return slots.sort(comparison);
  const keys = new Float64Array(slots.length);
  const isText = from > 0 || slots.every((slot) => typeof values[slot] === "string");
  const known = isText ? textKeys(keys, slots, values as readonly string[], from) : 0;
  if (known === Infinity) return slots;
  if (!isText && !numberKeys(keys, slots, values)) return slots.sort(comparison);

  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] ?? 0;
    keys[at] = (descending ? KEYS - 1 - key : key) * PLACES + at;
  }
  keys.sort();
  const result = slots.slice();
  let first = 0;
  let last = -1;
  for (let at = 0; at <= keys.length; at++) {
    const key = keys[at] ?? -1;
    const head = Math.floor(key / PLACES);
    if (head !== last && at - first > 1) {
      const equal = result.slice(first, at);
      const settled = isText ? sorted(equal, values, descending, comparison, known) : equal.sort(comparison);
      settled.forEach((slot, index) => (result[first + index] = slot));
    }
    if (head !== last) first = at;
    last = head;
    if (key >= 0) result[at] = slots[key - head * PLACES] ?? 0;
  }
  return result;
}

/** Makes keys of numbers. @returns Whether all values are some. */
function numberKeys(keys: Float64Array, slots: readonly number[], values: readonly Value[]): boolean {
  const one = new Float64Array(1);
  const halves = new Uint32Array(one.buffer);
  for (let at = 0; at < keys.length; at++) {
    const value = values[slots[at] ?? 0];
    if (typeof value === "string" || typeof value === "object") return false;
    one[0] = Number(value) + 0; // Of -0 it is 0.
    const bits = (halves[1] ?? 0) * 16 + ((halves[0] ?? 0) >>> 28);
    // Of negative numbers the greatest has the least bits.
    keys[at] = bits < KEYS / 2 ? bits + KEYS / 2 : KEYS - 1 - bits;
  }
  return true;
}

/** Makes keys of the first characters that are not the same in all texts. @returns How many are known then; Infinity: all. */
function textKeys(keys: Float64Array, slots: readonly number[], texts: readonly string[], from: number): number {
  const first = texts[slots[0] ?? 0] ?? "";
  let shared = first.slice(from);
  let isSame = true;
  for (let at = 0; at < keys.length; at++) {
    const text = texts[slots[at] ?? 0] ?? "";
    while (!text.startsWith(shared, from)) shared = shared.slice(0, -1);
    isSame &&= text === first;
  }
  if (isSame) return Infinity;
  const start = from + shared.length;
  if (fill(keys, slots, texts, start, start + 5, 2 ** 7)) return start + 5;
  fill(keys, slots, texts, start, start + 2, 2 ** 16);
  return start + 2;
}

/** Makes keys of the characters between two places. @returns Whether all of them have lesser codes than a limit. */
function fill(keys: Float64Array, slots: readonly number[], texts: readonly string[], from: number, to: number, limit: number): boolean {
  for (let at = 0; at < keys.length; at++) {
    const text = texts[slots[at] ?? 0] ?? "";
    let key = 0;
    for (let place = from; place < to; place++) {
      const code = place < text.length ? text.charCodeAt(place) + 1 : 0; // 0 is where a text ends.
      if (code > limit) return false;
      key = key * (limit + 1) + code;
    }
    keys[at] = key;
  }
  return true;
}
