// What a column holds, in short: counts of its values, kept up to date from the rows that change. No DOM here.

import { cellText, isNumber, type Column, type Value } from "./cells";
import { compare } from "./order";
import type { Store } from "./store";

const BINS = 12;
const FREQUENT = 5;

/** How many rows have values between two others. */
export interface Spread {
  readonly least: NonNullable<Value>;
  readonly most: NonNullable<Value>;
  readonly bins: readonly number[];
}

interface Counted {
  readonly value: NonNullable<Value>;
  count: number;
}

export class Profile {
  readonly #column: number;
  readonly #described: Column;
  #store: Store | undefined;
  #epoch = -1;
  #tick = -1;
  /** By slot: what is counted for it; undefined for a row that is gone. */
  #keys: (Value | undefined)[] = [];
  #counts = new Map<Value, Counted>();
  nulls = 0;

  constructor(column: number, described: Column) {
    this.#column = column;
    this.#described = described;
  }

  get distinct(): number {
    return this.#counts.size;
  }

  /** Counts what changed since the last time. */
  follow(store: Store): void {
    if (store !== this.#store || store.epoch !== this.#epoch) {
      this.#keys = [];
      this.#counts = new Map();
      this.nulls = 0;
      this.#tick = -1;
    }
    if (this.#tick < store.tick) {
      const all = this.#tick < 0 ? store.column(this.#column) : undefined;
      store.touched.forEach((tick, slot) => {
        if (tick > this.#tick) this.#count(store, slot, all ? (all[slot] ?? null) : store.value(slot, this.#column));
      });
    }
    this.#store = store;
    this.#epoch = store.epoch;
    this.#tick = store.tick;
  }

  #count(store: Store, slot: number, value: Value): void {
    const isGone = store.ids[slot] === -1;
    const length = store.length(slot, this.#column);
    // Values that are no simple ones are told apart by their texts.
    const key = value !== null && typeof value === "object" ? cellText(value, this.#described, length) : value;
    const old = this.#keys[slot];
    if (!isGone && old === key) return;
    this.#keys[slot] = isGone ? undefined : key;
    if (old !== undefined) this.#add(old, old, -1);
    if (!isGone) this.#add(key, value, 1);
  }

  #add(key: Value, value: Value, by: number): void {
    if (key === null || value === null) {
      this.nulls += by;
      return;
    }
    const counted = this.#counts.get(key) ?? { value, count: 0 };
    counted.count += by;
    if (counted.count > 0) this.#counts.set(key, counted);
    else this.#counts.delete(key);
  }

  /** The values that most rows have. */
  frequent(): readonly Counted[] {
    const most: Counted[] = [];
    for (const counted of this.#counts.values()) {
      if (most.length === FREQUENT && counted.count <= (most.at(-1)?.count ?? 0)) continue;
      most.push(counted);
      most.sort((one, two) => two.count - one.count);
      most.length = Math.min(most.length, FREQUENT);
    }
    return most;
  }

  /** How the values of a number or a time are spread; undefined for other columns, and where there are few of them. */
  spread(): Spread | undefined {
    const { kind } = this.#described;
    const isSpread = isNumber(this.#described) || kind === "timestamp" || kind === "date" || kind === "time";
    if (!isSpread || this.#counts.size <= FREQUENT) return undefined;
    const counted = [...this.#counts.values()].filter(({ value }) => Number.isFinite(Number(value)));
    const first = counted[0];
    if (!first) return undefined;
    let [least, most] = [first.value, first.value];
    for (const { value } of counted) {
      if (compare(value, least) < 0) least = value;
      if (compare(value, most) > 0) most = value;
    }
    const bins = Array.from({ length: BINS }, () => 0);
    const from = Number(least);
    const width = Number(most) / BINS - from / BINS || 1;
    for (const { value, count } of counted) {
      const bin = Math.min(BINS - 1, Math.max(0, Math.floor((Number(value) - from) / width)));
      bins[bin] = (bins[bin] ?? 0) + count;
    }
    return { least, most, bins };
  }
}
