// The order in which rows are shown: as the live table has them, or by one column. It is kept, not made anew.

import type { Value } from "./cells";
import { sorted } from "./keys";
import type { Store } from "./store";

export interface Sort {
  readonly column: number;
  readonly descending: boolean;
}

/** Whether the row in a slot is to be shown. */
export type Filter = (slot: number) => boolean;

/** What a click on a column's header makes of the order: ascending, descending, the table's own. */
export function nextSort(sort: Sort | undefined, column: number): Sort | undefined {
  if (sort?.column !== column) return { column, descending: false };
  return sort.descending ? undefined : { column, descending: true };
}

/**
 * The slots of the rows that are shown, in order: as the reader wants it, else by the columns of the key, else as the
 * table has them; equal ones as the table has them, NULL last in either direction.
 */
export class Order {
  slots: Uint32Array = new Uint32Array(0);
  /** The store's ids when the order was made, in which rows that went since are -1. */
  ids: readonly number[] = [];
  #sort: Sort | undefined;
  #filter: Filter | undefined;
  #epoch = -1;
  #tick = -1;
  /** The store's slots when the order was made. */
  #known = 0;
  #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The place of the first of the slots. */
  get from(): number {
    return this.#store.window?.from ?? 0;
  }

  /** How many rows are shown, here or not. */
  get count(): number {
    return this.#store.window?.count ?? this.slots.length;
  }

  get sortedBy(): Sort | undefined {
    return this.#sort;
  }

  /** Orders the rows of another store from now on. */
  follow(store: Store): void {
    this.#store = store;
    this.#epoch = -1;
  }

  sortBy(sort: Sort | undefined): void {
    this.#sort = sort;
    this.#epoch = -1;
  }

  /** @param filter Which rows are shown; undefined for all. */
  showOnly(filter: Filter | undefined): void {
    this.#filter = filter;
    this.#epoch = -1;
  }

  /** Follows the store. @returns Whether other rows are shown, or in another order. */
  update(): boolean {
    const store = this.#store;
    if (this.#epoch !== store.epoch) this.#make();
    else if (this.#tick === store.tick || !this.#amend()) {
      this.#tick = store.tick;
      return false;
    }
    this.ids = store.ids;
    this.#known = store.ids.length;
    this.#epoch = store.epoch;
    this.#tick = store.tick;
    return true;
  }

  /**
   * Where rows are now that stood in sight. All of them are asked, as one may have moved on its own.
   * @param before The slots of before, and what was `ids` then.
   * @param first The place of the first of them then, and how many they were.
   */
  placeOf(before: Uint32Array, ids: readonly number[], first: number, count: number): number {
    const stayed = new Map<number, number>();
    for (let from = first; from < before.length && stayed.size < count; from++) {
      const slot = this.#store.slot(ids[before[from] ?? -1] ?? -1);
      if (slot !== undefined) stayed.set(slot, stayed.size);
    }
    const places: number[] = [];
    this.slots.forEach((slot, place) => {
      const index = stayed.get(slot);
      if (index !== undefined) places.push(place - index);
    });
    places.sort((one, two) => one - two);
    return places[places.length >> 1] ?? this.slots.length;
  }

  #make(): void {
    const { ids } = this.#store;
    const [first, ...others] = this.#columns;
    const values = first === undefined || others.length > 0 ? undefined : this.#store.column(first);
    const slots: number[] = [];
    const nulls: number[] = [];
    for (let slot = 0; slot < ids.length; slot++) {
      if (this.#isShown(ids[slot] ?? -1, slot)) (values && (values[slot] ?? null) === null ? nulls : slots).push(slot);
    }
    this.slots = Uint32Array.from(this.#inOrder(slots, values).concat(nulls));
  }

  /** @param values Those of the one column that decides; undefined where there are none, or several. */
  #inOrder(slots: number[], values: readonly Value[] | undefined): number[] {
    const comparison = this.#comparison();
    if (slots.every((slot, at) => at === 0 || comparison(slots[at - 1] ?? 0, slot) < 0)) return slots;
    return values ? sorted(slots, values, this.#sort?.descending ?? false, comparison) : slots.sort(comparison);
  }

  /** Puts the rows that changed since the last time where they belong. @returns Whether there was something to do. */
  #amend(): boolean {
    const { ids, touched } = this.#store;
    const { slots } = this;
    const before = this.#tick;
    const changed: number[] = [];
    let isSame = this.#sort === undefined && this.#filter === undefined;
    for (let slot = 0; slot < touched.length; slot++) {
      if ((touched[slot] ?? 0) <= before) continue;
      isSame &&= ids[slot] !== -1 && slot < this.#known; // New rows have new slots, and a key stays.
      if (this.#isShown(ids[slot] ?? -1, slot)) changed.push(slot);
    }
    if (isSame) return false;
    const rest = new Uint32Array(slots.length);
    let count = 0;
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at] ?? 0;
      if ((touched[slot] ?? 0) <= before) rest[count++] = slot;
    }
    this.slots = merged(rest.subarray(0, count), changed, this.#comparison());
    return true;
  }

  #isShown(id: number, slot: number): boolean {
    return id !== -1 && (this.#filter === undefined || !!this.#store.window || this.#filter(slot));
  }

  /** The columns that decide; rows of the kernel's order are in it already. */
  get #columns(): readonly number[] {
    const { status, window } = this.#store;
    if (window) return [];
    return this.#sort ? [this.#sort.column] : (status?.order ?? []);
  }

  #comparison(): (one: number, two: number) => number {
    const columns = this.#columns.map((column) => this.#store.column(column));
    const direction = this.#sort?.descending ? -1 : 1;
    return (one, two) => {
      for (const values of columns) {
        const a = values[one] ?? null;
        const b = values[two] ?? null;
        const order = a === null || b === null ? Number(a === null) - Number(b === null) : direction * compare(a, b);
        if (order) return order;
      }
      return one - two;
    };
  }
}

/** Two lists in one, in order; the first is in order already, and the longer of them. */
function merged(rest: Uint32Array, added: number[], comparison: (one: number, two: number) => number): Uint32Array {
  added.sort(comparison);
  const result = new Uint32Array(rest.length + added.length);
  let from = 0;
  added.forEach((slot, before) => {
    let low = from;
    let high = rest.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comparison(rest[middle] ?? 0, slot) < 0) low = middle + 1;
      else high = middle;
    }
    result.set(rest.subarray(from, low), from + before);
    result[low + before] = slot;
    from = low;
  });
  result.set(rest.subarray(from), from + added.length);
  return result;
}

/** NaN is greater than every number, as in the server's ORDER BY. */
export function compare(one: NonNullable<Value>, two: NonNullable<Value>): number {
  if (typeof one === "object" && typeof two === "object") {
    const length = Math.min(one.length, two.length);
    for (let i = 0; i < length; i++) {
      const order = compare(one[i] ?? 0, two[i] ?? 0);
      if (order) return order;
    }
    return one.length - two.length;
  }
  if (one !== one || two !== two) return Number(one !== one) - Number(two !== two);
  return one < two ? -1 : one > two ? 1 : 0;
}
