// From the rows of a store to what a chart draws: numbers along x, one array for each series. No DOM here.

import { cellText, type Column, type Value } from "./cells";
import { Order } from "./order";
import type { Store } from "./store";

export interface Points {
  /** Ascending; milliseconds for times, places for bars. */
  readonly xs: number[];
  /** By series; null where there is nothing to draw. */
  readonly ys: readonly (readonly (number | null)[])[];
  /** The store's slot of each point. */
  readonly slots: readonly number[];
  /** Rows of which nothing can be drawn. */
  readonly missing: number;
}

/** A value as a double; NaN where there is none to draw. */
export function number(value: Value, column: Column): number {
  if (value === null) return NaN;
  switch (column.kind) {
    case "decimal":
      return Number(value) / 10 ** column.scale;
    case "timestamp":
      return (Number(value) * 1000) / column.scale;
    case "date":
      return Number(value) * 86_400_000;
    default:
      return Number(value);
  }
}

/** The points of lines and dots, by x; rows of one x stay in the order of the table. */
export function plotted(store: Store): Points {
  const [across, ...series] = store.columns;
  const values = store.column(0);
  let slots: number[] = [];
  let places: number[] = [];
  let isAscending = true;
  let last = -Infinity;
  let missing = 0;
  const heights = series.map((column, index) => ({ column, values: store.column(index + 1) }));
  store.ids.forEach((id, slot) => {
    if (id === -1 || !across) return;
    const x = number(values[slot] ?? null, across);
    const some = heights.some((one) => Number.isFinite(number(one.values[slot] ?? null, one.column)));
    if (!Number.isFinite(x) || !some) {
      missing++;
      return;
    }
    if (x < last) isAscending = false;
    last = x;
    slots.push(slot);
    places.push(x);
  });
  if (!isAscending) {
    const order = Uint32Array.from(places.keys()).sort((one, two) => (places[one] ?? 0) - (places[two] ?? 0) || one - two);
    slots = Array.from(order, (index) => slots[index] ?? 0);
    places = Array.from(order, (index) => places[index] ?? 0);
  }
  return { xs: places, ys: heights.map((one) => slots.map((slot) => drawable(one.values[slot], one.column))), slots, missing };
}

/** A bar for each row, in the order of the table. */
export function bars(store: Store): Points {
  const order = new Order(store);
  order.update();
  const slots = [...order.slots];
  const ys = store.columns.slice(1).map((column, index) => {
    const values = store.column(index + 1);
    return slots.map((slot) => drawable(values[slot], column));
  });
  return { xs: [...slots.keys()], ys, slots, missing: 0 };
}

function drawable(value: Value | undefined, column: Column): number | null {
  const found = number(value ?? null, column);
  return Number.isFinite(found) ? found : null;
}

/** The exact value behind a point, as a table shows it. */
export function textAt(store: Store, points: Points, index: number, column: number): string {
  const slot = points.slots[index];
  const described = store.columns[column];
  return slot === undefined || !described ? "" : cellText(store.value(slot, column), described, store.length(slot, column));
}
