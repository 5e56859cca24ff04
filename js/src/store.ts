// The rows that the page holds, by row id, and what changed in them when. No DOM and no clock here.

import type { Frame, Rows, Status } from "./frames";
import type { Column, Value } from "./cells";

export interface Row {
  readonly id: bigint;
  values: readonly Value[];
  /** Per column: the length of a cut value; undefined where nothing was cut. */
  lengths: readonly (number | null | undefined)[];
  /** Grows with every change, so that a view knows what it has drawn. */
  revision: number;
  /** When the row appeared, in the caller's milliseconds; -Infinity when it was there from the start. */
  readonly born: number;
  /** When each changed cell changed last. */
  readonly changed: Map<number, number>;
}

export class Store {
  rows = new Map<bigint, Row>();
  /** The version that the rows show; -1 before the first frame. */
  version = -1;
  status: Status | undefined;
  columns: readonly Column[] = [];

  /**
   * Applies a frame.
   * @param now The time that changed cells and new rows are marked with, in milliseconds.
   * @returns Whether the frame fits; when not, rows are missing and the kernel has to be asked for a new start.
   */
  apply(frame: Frame, now: number): boolean {
    const reset = frame.base < 0;
    if (!reset && frame.base !== this.version) return false;
    this.status = frame.status;
    if (reset && frame.version === this.version) return true;
    // The same object stays while nothing differs: a view is built anew for new columns.
    if (frame.columns && JSON.stringify(frame.columns) !== JSON.stringify(this.columns)) this.columns = frame.columns;
    const first = this.version < 0;
    const before = this.rows;
    if (reset) this.rows = new Map();
    for (const id of frame.removed) this.rows.delete(id);
    for (const part of frame.rows) {
      part.ids.forEach((id, index) => {
        this.rows.set(id, merge(before.get(id), id, part, index, first ? -Infinity : now));
      });
    }
    this.version = frame.version;
    return true;
  }
}

function merge(old: Row | undefined, id: bigint, part: Rows, index: number, now: number): Row {
  const values = part.values.map((column) => column[index] ?? null);
  const lengths = part.lengths.map((column) => column?.[index]);
  if (!old) return { id, values, lengths, revision: 0, born: now, changed: new Map() };
  values.forEach((value, column) => {
    if (!same(value, old.values[column] ?? null) || lengths[column] != old.lengths[column]) {
      old.changed.set(column, now);
      old.revision++;
    }
  });
  old.values = values;
  old.lengths = lengths;
  return old;
}

function same(one: Value, two: Value): boolean {
  if (Object.is(one, two)) return true;
  if (typeof one !== "object" || typeof two !== "object" || one === null || two === null) return false;
  return one.length === two.length && Array.from(one).every((element, index) => Object.is(element, two[index]));
}
