// Which cells a reader has chosen: a corner, the opposite one, and what lies between as the rows are ordered now.

import type { Columns } from "./columns";
import type { Part } from "./copy";
import type { Store } from "./store";

/** A cell, by the id of its row, which keeps it while rows move. */
interface Cell {
  readonly id: number;
  readonly column: number;
}

export interface Bounds {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

export class Selection {
  #anchor: Cell | undefined;
  #focus: Cell | undefined;

  get isEmpty(): boolean {
    return this.#focus === undefined;
  }

  /** Chooses one cell, or everything from the corner that was chosen before. */
  choose(id: number, column: number, extend: boolean): void {
    this.#focus = { id, column };
    if (!extend || !this.#anchor) this.#anchor = this.#focus;
  }

  clear(): void {
    this.#anchor = this.#focus = undefined;
  }

  /** The row that was chosen last, by its place; undefined when it is not shown. */
  row(store: Store, slots: Uint32Array): number | undefined {
    return this.#focus && rowOf(this.#focus, store, slots);
  }

  /** Where the cell is that was chosen last; undefined when it is not shown. */
  place(store: Store, slots: Uint32Array, columns: Columns): { row: number; column: number } | undefined {
    return this.#focus && found(this.#focus, store, slots, columns);
  }

  /** The chosen places; undefined when there are none, or a row or column at their edge is not shown any more. */
  bounds(store: Store, slots: Uint32Array, columns: Columns): Bounds | undefined {
    const one = this.#anchor && found(this.#anchor, store, slots, columns);
    const two = this.#focus && found(this.#focus, store, slots, columns);
    if (!one || !two) return undefined;
    const [top, bottom] = [Math.min(one.row, two.row), Math.max(one.row, two.row)];
    return { top, bottom, left: Math.min(one.column, two.column), right: Math.max(one.column, two.column) };
  }

  part(store: Store, slots: Uint32Array, columns: Columns): Part | undefined {
    const bounds = this.bounds(store, slots, columns);
    if (!bounds) return undefined;
    const { top, bottom, left, right } = bounds;
    return { slots: [...slots.subarray(top, bottom + 1)], columns: columns.shown.slice(left, right + 1) };
  }
}

function found(cell: Cell, store: Store, slots: Uint32Array, columns: Columns): { row: number; column: number } | undefined {
  const row = rowOf(cell, store, slots);
  const column = columns.place(cell.column);
  return row === undefined || column === undefined ? undefined : { row, column };
}

function rowOf({ id }: Cell, store: Store, slots: Uint32Array): number | undefined {
  const row = slots.indexOf(store.slot(id) ?? -1);
  return row < 0 ? undefined : row;
}
