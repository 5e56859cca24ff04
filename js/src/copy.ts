// Cells as texts for elsewhere: CSV, Markdown, SQL. Values are exact or not given at all. No DOM here.

import { cellText, isLong, type Column, type Value } from "./cells";
import { literal } from "./filter";
import type { Store } from "./store";

export const FORMATS = ["CSV", "Markdown", "VALUES"] as const;
export type Format = (typeof FORMATS)[number];

/** Some cells, by slots and columns. */
export interface Part {
  readonly slots: readonly number[];
  readonly columns: readonly number[];
}

/** How many of the cells are not whole in the page: it holds the start of long values only. */
export function cutCells(store: Store, { slots, columns }: Part): number {
  const cut = columns.filter((column) => store.hasCut(column));
  return cut.reduce((sum, column) => sum + slots.filter((slot) => store.length(slot, column) !== undefined).length, 0);
}

/** The cells in a format; all of them must be whole. */
export function write(store: Store, part: Part, format: Format): string {
  const columns = part.columns.flatMap((index) => {
    const column = store.columns[index];
    return column ? [{ column, index }] : [];
  });
  const names = columns.map(({ column }) => column.name);
  const rows = (cell: (value: Value, column: Column) => string): string[][] =>
    part.slots.map((slot) => columns.map(({ column, index }) => cell(store.value(slot, index), column)));
  switch (format) {
    case "CSV":
      return [names.map(quotedName), ...rows(csv)].map((cells) => `${cells.join(",")}\r\n`).join("");
    case "Markdown": {
      const lines = [names.map(escaped), names.map(() => "---"), ...rows(markdown)];
      return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
    }
    case "VALUES":
      return `VALUES\n${rows(literalOf).map((cells) => `  (${cells.join(", ")})`).join(",\n")}`;
  }
}

/** The value in words that lose nothing; bytes in hexadecimal digits. */
function exact(value: NonNullable<Value>, column: Column): string {
  if (isLong(column)) return String(value);
  if (value instanceof Uint8Array && column.kind === "bytes") return hexadecimal(value);
  return cellText(value, column);
}

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** As in RFC 4180; NULL is nothing, an empty text two quotes. */
function csv(value: Value, column: Column): string {
  return value === null ? "" : quotedName(exact(value, column));
}

function quotedName(text: string): string {
  return text === "" || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function markdown(value: Value, column: Column): string {
  return value === null ? "NULL" : escaped(exact(value, column));
}

function escaped(text: string): string {
  return text.replace(/[\\`*_[\]<>|]/g, "\\$&").replace(/\r\n|\r|\n/g, "<br>");
}

function literalOf(value: Value, column: Column): string {
  if (value instanceof Uint8Array && column.kind === "bytes") return `X'${hexadecimal(value)}'`;
  if (column.kind === "list" || column.kind === "list32") return value === null ? "NULL" : `'${exact(value, column)}'`;
  return literal(value, column);
}
