// The rows that the page holds, column by column. Each row has a slot, in the order of the table. No DOM here.

import type { Frame, Rows, Status } from "./frames";
import type { Column, Value } from "./cells";

/** Slots of rows that are gone, beyond as many as there are rows, until all are numbered anew. */
const MOST_GONE = 1_000;

export class Store {
  /** Of a part of the rows in an order that the kernel made: the place of its first row, and how many rows there are. */
  window: { readonly from: number; readonly count: number } | undefined;
  /** The version that the rows show; -1 before the first frame is whole. */
  version = -1;
  status: Status | undefined;
  columns: readonly Column[] = [];
  /** How many rows there are. */
  size = 0;
  /** By slot: the row's id; -1 where the row is gone. */
  ids: number[] = [];
  /** Grows when the rows get other slots: what was known of slots is void. */
  epoch = 0;
  /** Grows with each frame that changes rows. */
  tick = 0;
  /** By slot: the ticks when the row last changed, and when it appeared; 0 when it was there from the start. */
  touched: number[] = [];
  born: number[] = [];
  #values: Value[][] = [];
  #lengths: Map<number, number>[] = [];
  #slots = new Map<number, number>();

  /** The values of a column, by slot. */
  column(index: number): readonly Value[] {
    return this.#values[index] ?? [];
  }

  value(slot: number, column: number): Value {
    return this.#values[column]?.[slot] ?? null;
  }

  /** Characters, bytes or elements of a value that was cut; undefined where it is whole. */
  length(slot: number, column: number): number | undefined {
    return this.#lengths[column]?.get(slot);
  }

  /** Whether values of a column were cut. */
  hasCut(column: number): boolean {
    return (this.#lengths[column]?.size ?? 0) > 0;
  }

  /** Puts the whole value in the place of its start. */
  complete(slot: number, column: number, value: Value): void {
    this.#values[column]![slot] = value;
    this.#lengths[column]?.delete(slot);
  }

  /** The store as it is now, which does not change any more. */
  copy(): Store {
    const copy = Object.assign(new Store(), this) as this;
    copy.ids = [...this.ids];
    copy.touched = [...this.touched];
    copy.born = [...this.born];
    copy.#values = this.#values.map((values) => [...values]);
    copy.#lengths = this.#lengths.map((lengths) => new Map(lengths));
    copy.#slots = new Map(this.#slots);
    return copy;
  }

  /** A store of other rows with the same columns, as of a frame that holds all of them; its slots are told apart. */
  other(frame: Frame, epoch: number): Store {
    const other = new Store();
    other.columns = this.columns;
    other.epoch = epoch;
    other.apply({ ...frame, status: { ...(this.status ?? frame.status), rows: frame.status.rows } });
    return other;
  }

  /** The slot of a row; undefined when there is no such row. */
  slot(id: number): number | undefined {
    return this.#slots.get(id);
  }

  /**
   * Applies a frame, or a part of the very first one.
   * @returns Whether the frame fits; when not, rows are missing and the kernel has to be asked for a new start.
   */
  apply(frame: Frame): boolean {
    const reset = frame.base < 0;
    if (frame.begins) {
      if (!reset && frame.base !== this.version) return false;
      this.status = frame.status;
      if (reset && frame.version === this.version) return true;
      // The same object stays while nothing differs: a view is built anew for new columns.
      if (frame.columns && JSON.stringify(frame.columns) !== JSON.stringify(this.columns)) this.columns = frame.columns;
    }
    this.tick++;
    const born = this.version < 0 ? 0 : this.tick;
    if (reset && frame.begins) this.#startAnew(frame.rows, born);
    else {
      for (const id of frame.removed) this.#remove(id);
      for (const part of frame.rows) this.#put(part, born);
      this.#gather();
    }
    if (frame.ends) this.version = frame.version;
    return true;
  }

  /** Takes the whole table; rows that were there before are not new. */
  #startAnew(rows: readonly Rows[], born: number): void {
    const before = this.#slots;
    const bornBefore = this.born;
    this.#clear();
    for (const part of rows) this.#put(part, born);
    for (const [id, slot] of this.#slots) {
      const old = before.get(id);
      if (old !== undefined) this.born[slot] = bornBefore[old] ?? born;
    }
  }

  #clear(): void {
    this.epoch++;
    this.size = 0;
    this.ids = [];
    this.touched = [];
    this.born = [];
    this.#values = this.columns.map(() => []);
    this.#lengths = this.columns.map(() => new Map());
    this.#slots = new Map();
  }

  /** Takes rows that are new or changed. */
  #put(rows: Rows, born: number): void {
    const slots = rows.ids.map((id) => this.#slots.get(id) ?? this.#add(id, born));
    rows.values.forEach((from, column) => {
      const to = (this.#values[column] ??= []);
      const lengths = rows.lengths[column];
      const held = (this.#lengths[column] ??= new Map<number, number>());
      for (let index = 0; index < slots.length; index++) {
        const slot = slots[index] ?? 0;
        to[slot] = from[index] ?? null;
        const length = lengths?.[index];
        if (length != null) held.set(slot, length);
        else if (held.size > 0) held.delete(slot);
      }
    });
    for (const slot of slots) this.touched[slot] = this.tick;
  }

  #add(id: number, born: number): number {
    const slot = this.ids.push(id) - 1;
    this.#slots.set(id, slot);
    this.born[slot] = born;
    this.size++;
    return slot;
  }

  #remove(id: number): void {
    const slot = this.#slots.get(id);
    if (slot === undefined) return;
    this.#slots.delete(id);
    this.ids[slot] = -1;
    this.touched[slot] = this.tick;
    for (const values of this.#values) values[slot] = null;
    for (const lengths of this.#lengths) lengths.delete(slot);
    this.size--;
  }

  /** Numbers the slots anew when most of them belong to rows that are gone. */
  #gather(): void {
    if (this.ids.length <= 2 * this.size + MOST_GONE) return;
    const living = [...this.ids.keys()].filter((slot) => this.ids[slot] !== -1);
    const pick = <T>(list: readonly T[]): T[] => living.map((slot) => list[slot] as T);
    this.epoch++;
    this.#values = this.#values.map(pick);
    this.#lengths = this.#lengths.map(
      (lengths) => new Map(living.flatMap((old, slot) => (lengths.has(old) ? [[slot, lengths.get(old) ?? 0]] : []))),
    );
    this.touched = pick(this.touched);
    this.born = pick(this.born);
    this.ids = pick(this.ids);
    this.#slots = new Map(this.ids.map((id, slot) => [id, slot]));
  }
}
