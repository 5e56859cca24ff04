// The order in which rows are shown: as the live table has them, or by one column.

import type { Value } from "./cells";
import type { Row } from "./store";

export interface Sort {
  readonly column: number;
  readonly descending: boolean;
}

/** What a click on a column's header makes of the order: ascending, descending, the table's own. */
export function nextSort(sort: Sort | undefined, column: number): Sort | undefined {
  if (sort?.column !== column) return { column, descending: false };
  return sort.descending ? undefined : { column, descending: true };
}

/** The rows in order; equal ones stay as the table has them, NULL comes last in either direction. */
export function ordered(rows: Iterable<Row>, sort: Sort | undefined): Row[] {
  const list = [...rows];
  if (!sort) return list;
  const { column, descending } = sort;
  return list.sort((one, two) => {
    const a = one.values[column] ?? null;
    const b = two.values[column] ?? null;
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return descending ? compare(b, a) : compare(a, b);
  });
}

/** NaN is greater than every number, as in the server's ORDER BY. */
function compare(one: NonNullable<Value>, two: NonNullable<Value>): number {
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
