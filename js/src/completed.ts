// Cells of which the page holds only the start, made whole for a copy: the kernel has them. No DOM here.

import type { Value } from "./cells";
import type { Part } from "./copy";
import type { Rows } from "./frames";
import type { Asks } from "./session";
import type { Store } from "./store";

const CHANGED = "what is shown has changed by now; try again";

/** A copy of a store in which some cells are whole, all as the page shows them; or why there is none. */
export async function completed(
  store: Store,
  { slots, columns }: Part,
  ask: Asks,
  read: (view: DataView | undefined) => Rows,
): Promise<Store | string> {
  const copy = store.copy(); // The rows may change while the kernel is asked.
  const cut = columns.filter((column) => copy.hasCut(column));
  const wanted = slots.filter((slot) => cut.some((column) => copy.length(slot, column) !== undefined));
  const named = cut.map((column) => ({ column, name: copy.columns[column]?.name ?? "" }));
  try {
    const rows = wanted.map((slot) => copy.ids[slot] ?? -1);
    const { reply, buffers } = await ask({ about: "cells", version: copy.version, rows, columns: named });
    if (!reply["held"]) return CHANGED;
    const { values } = read(buffers[0]);
    for (const [place, column] of cut.entries()) {
      for (const [index, slot] of wanted.entries()) {
        const length = copy.length(slot, column);
        if (length === undefined) continue;
        const value = values[place]?.at(index) ?? null;
        if (!isWhole(value, copy.value(slot, column), length)) return CHANGED;
        copy.complete(slot, column, value);
      }
    }
    return copy;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/\.$/, "") : String(error);
  }
}

/** Whether a value is the whole of one that was cut. */
function isWhole(value: Value, start: Value, length: number): boolean {
  if (typeof value === "string") return value.startsWith(String(start)) && [...value].length === length;
  const [whole, first] = [value, start] as ArrayLike<unknown>[];
  return whole?.length === length && Array.from(first ?? []).every((item, at) => Object.is(item, whole[at]));
}
