// Cells as texts for elsewhere: CSV here, the other formats in `texts.ts`. Values are exact or not given at all. No DOM here.

import { cellText, hexadecimal, isLong, type Column, type Value } from "./cells";
import type { Store } from "./store";

export type Format = "CSV" | "Markdown" | "VALUES" | "Arrow";

/** Some cells, by slots and columns. */
export interface Part {
  readonly slots: readonly number[];
  readonly columns: readonly number[];
}

/** Whether some of the cells are not whole in the page: it holds the start of long values only. */
export function isCut(store: Store, { slots, columns }: Part): boolean {
  const cut = columns.filter((column) => store.hasCut(column));
  return slots.some((slot) => cut.some((column) => store.length(slot, column) !== undefined));
}

/** Cells row by row, as a function writes each of them. */
export function written(
  store: Store,
  { slots, columns }: Part,
  cell: (value: Value, column: Column) => string,
): string[][] {
  return slots.map((slot) =>
    columns.flatMap((index) => {
      const column = store.columns[index];
      return column ? [cell(store.value(slot, index), column)] : [];
    }),
  );
}

/** The names of the columns. */
export function names(store: Store, { columns }: Part): string[] {
  return columns.map((index) => store.columns[index]?.name ?? "");
}

/** Cells as CSV; all of them must be whole. */
export function csvText(store: Store, part: Part): string {
  const lines = [names(store, part).map(quotedName), ...written(store, part, csv)];
  return lines.map((cells) => `${cells.join(",")}\r\n`).join("");
}

/** The value in words that lose nothing; bytes in hexadecimal digits. */
export function exact(value: NonNullable<Value>, column: Column): string {
  if (isLong(column)) return String(value);
  if (value instanceof Uint8Array && column.kind === "bytes") return hexadecimal(value);
  if (column.kind === "list" || column.kind === "list32") return elements(value as ArrayLike<number | null>, column);
  return cellText(value, column);
}

/** All elements of a list. */
export function elements(list: ArrayLike<number | null>, column: Column): string {
  const kind = column.kind === "list" ? "float" : "float32";
  return `[${Array.from(list, (item) => cellText(item, { ...column, kind })).join(", ")}]`;
}

/** As in RFC 4180; NULL is nothing, an empty text two quotes. */
function csv(value: Value, column: Column): string {
  return value === null ? "" : quotedName(exact(value, column));
}

function quotedName(text: string): string {
  return text === "" || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
