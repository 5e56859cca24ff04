// The rows that the page holds, column by column. Each row has a slot, in the order of the table. No DOM here.
//
// Rows stay in the pieces in which they came, and a cell is read from there when it is looked at: of most changes nobody
// sees anything. A column that somebody wants whole, to sort by it, is a list, brought up to date when it is wanted again.

import type { Frame, Rows, Status } from "./frames";
import type { Column, Value } from "./cells";
import { listed, type Cells } from "./listed";

/** Slots of rows that are gone, beyond as many as there are rows, until all are numbered anew. */
const MOST_GONE = 1_000;
/** Rows in pieces, for each row that there is, until the oldest piece is cleared: most of its rows have changed by then. */
const HELD = 3;
/** Fewer rows are no piece: they are read when they come. */
const FEW = 100;

/** Rows as they came, and the tick of then. */
interface Piece {
  readonly slots: readonly number[];
  readonly values: readonly Cells[];
  readonly tick: number;
}

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
  /** By column and slot: the values of rows that lie in no piece, and what a column was when it was wanted whole. */
  #values: Value[][] = [];
  /** By column: the tick of then. */
  #listed: number[] = [];
  /** What came, by its number, oldest first; how many rows that is; and by slot: the piece and the place in it. */
  #pieces = new Map<number, Piece>();
  #held = 0;
  #pieceOf: number[] = [];
  #placeOf: number[] = [];
  #came = 0;
  #lengths: Map<number, number>[] = [];
  #slots = new Map<number, number>();

  /** The values of a column, by slot. Their texts keep others in memory until they are brought up to date, or taken out. */
  column(index: number): readonly Value[] {
    const values = this.#values[index] ?? [];
    const since = this.#listed[index] ?? -1;
    if (since === this.tick) return values;

    while (values.length < this.ids.length) values.push(null); // A list with gaps is slow.
    for (const [number, { slots, values: columns, tick }] of this.#pieces) {
      if (tick <= since) continue;
      const cells = columns[index] ?? [];
      const isLiving = (slot: number): boolean => this.#pieceOf[slot] === number;
      const list = 2 * slots.filter(isLiving).length > slots.length ? listed(cells) : cells;
      slots.forEach((slot, place) => {
        if (isLiving(slot)) values[slot] = list.at(place) ?? null;
      });
    }
    this.#listed[index] = this.tick;
    return values;
  }

  value(slot: number, column: number): Value {
    const piece = this.#pieces.get(this.#pieceOf[slot] ?? 0);
    return (piece ? piece.values[column]?.at(this.#placeOf[slot] ?? 0) : this.#values[column]?.[slot]) ?? null;
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
    this.#takeOut(slot);
    this.#values[column]![slot] = value;
    this.#lengths[column]?.delete(slot);
  }

  /** The store as it is now, which does not change any more. */
  copy(): Store {
    const copy = Object.assign(new Store(), this) as this;
    copy.ids = [...this.ids];
    copy.touched = [...this.touched];
    copy.born = [...this.born];
    copy.#pieces = new Map(this.#pieces);
    copy.#pieceOf = [...this.#pieceOf];
    copy.#placeOf = [...this.#placeOf];
    copy.#values = this.#values.map((values) => [...values]);
    copy.#listed = [...this.#listed];
    copy.#lengths = this.#lengths.map((lengths) => new Map(lengths));
    copy.#slots = new Map(this.#slots);
    return copy;
  }

  /** A store without rows. */
  fresh(): Store {
    return new Store();
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
      this.#clearAway();
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
    this.#listed = [];
    this.#pieces = new Map();
    this.#held = 0;
    this.#pieceOf = [];
    this.#placeOf = [];
    this.#lengths = this.columns.map(() => new Map());
    this.#slots = new Map();
  }

  /** Takes rows that are new or changed. */
  #put(rows: Rows, born: number): void {
    let near = 0;
    let last = NaN;
    const slots = rows.ids.map((id) => {
      // Mostly a row is as far from the one before as their numbers are; among 100,000 a look-up takes longer.
      const guess = near + id - last;
      near = this.ids[guess] === id ? guess : (this.#slots.get(id) ?? this.#add(id, born));
      last = id;
      return near;
    });
    this.#pieces.set(++this.#came, { slots, values: rows.values, tick: this.tick });
    this.#held += slots.length;
    slots.forEach((slot, place) => {
      this.#pieceOf[slot] = this.#came;
      this.#placeOf[slot] = place;
      this.touched[slot] = this.tick;
    });
    rows.values.forEach((_, column) => {
      const lengths = rows.lengths[column];
      const held = (this.#lengths[column] ??= new Map<number, number>());
      if (!lengths && held.size === 0) return;
      slots.forEach((slot, place) => {
        const length = lengths?.[place];
        if (length == null) held.delete(slot);
        else held.set(slot, length);
      });
    });
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
    this.#pieceOf[slot] = 0;
    for (const values of this.#values) if (slot < values.length) values[slot] = null;
    for (const lengths of this.#lengths) lengths.delete(slot);
    this.size--;
  }

  /** Takes what is still wanted out of the oldest pieces, while they hold much else, and out of small ones. */
  #clearAway(): void {
    for (const [number, { slots }] of this.#pieces) {
      if (slots.length >= FEW && this.#held <= HELD * this.size + MOST_GONE) continue;
      for (const slot of slots) if (this.#pieceOf[slot] === number) this.#takeOut(slot);
      this.#pieces.delete(number);
      this.#held -= slots.length;
    }
  }

  /** Takes a row out of its piece. */
  #takeOut(slot: number): void {
    this.#pieces.get(this.#pieceOf[slot] ?? 0)?.values.forEach((cells, column) => {
      const values = (this.#values[column] ??= []);
      while (values.length < slot) values.push(null); // A list with gaps is slow.
      values[slot] = cells.at(this.#placeOf[slot] ?? 0) ?? null;
    });
    this.#pieceOf[slot] = 0;
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
    this.#pieceOf = pick(this.#pieceOf);
    this.#placeOf = pick(this.#placeOf);
    this.touched = pick(this.touched);
    this.born = pick(this.born);
    this.ids = pick(this.ids);
    this.#slots = new Map(this.ids.map((id, slot) => [id, slot]));
    const now: number[] = [];
    living.forEach((old, slot) => (now[old] = slot));
    for (const [number, piece] of this.#pieces) {
      this.#pieces.set(number, { ...piece, slots: piece.slots.map((old) => now[old] ?? -1) });
    }
  }
}
