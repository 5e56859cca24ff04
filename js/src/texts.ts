// Cells as Markdown and SQL, and filters as SQL. Values are exact. No DOM here.

import { cellText, hexadecimal, isLong, isNumber, type Column, type Value } from "./cells";
import { exact, names, written, type Part } from "./copy";
import { parse, size, soughtIn, type Condition } from "./conditions";
import type { Store } from "./store";

/** Cells in a format other than CSV; all of them must be whole. */
export function textIn(format: "Markdown" | "VALUES", store: Store, part: Part): string {
  if (format === "VALUES") {
    const rows = written(store, part, literalOf);
    return `VALUES\n${rows.map((cells) => `  (${cells.join(", ")})`).join(",\n")}`;
  }
  const heads = names(store, part);
  const lines = [heads.map(escaped), heads.map(() => "---"), ...written(store, part, markdown)];
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
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

/** The conditions as the text behind WHERE; what was searched in all columns has no SQL. */
export function whereText(columns: readonly Column[], conditions: ReadonlyMap<number, { readonly condition: Condition }>): string {
  return [...conditions]
    .map(([index, { condition }]) => {
      const column = columns[index];
      return column ? sql(column, condition) : "";
    })
    .filter(Boolean)
    .join(" AND ");
}

function sql(column: Column, condition: Condition): string {
  const name = nameOf(column);
  switch (condition.kind) {
    case "contains": {
      const text = SOUGHT[column.kind]?.(name) ?? `lower(${name})`;
      return `strpos(${text}, ${quoted(soughtIn(column, condition.text))}) > 0`;
    }
    case "begins":
      return `encode(${name}, 'hex') LIKE '${condition.text}%'`;
    case "size":
      return between(`length(encode(${name}, 'hex'))`, condition, (bound) => 2 * (size(bound) ?? 0)); // It counts no bytes.
    case "one of":
      return `${name} IN (${condition.values.map((value) => literal(value, column)).join(", ")})`;
    case "range":
      return between(name, condition, (bound) => literal(parse(bound, column), column));
    case "null":
      return `${name} IS NULL`;
    case "not null":
      return `${name} IS NOT NULL`;
  }
}

/** Where a text is sought that a column is to contain, beside the column itself. */
const SOUGHT: Partial<Record<Column["kind"], (name: string) => string>> = {
  uuid: (name) => `encode(${name}, 'hex')`,
  file: (name) => `lower(coalesce(json_as_text(${name}, 'name'), ${name}))`, // Plain text is a FILE, too.
};

function between(
  measured: string,
  { least, most }: { readonly least: string; readonly most: string },
  written: (bound: string) => string | number,
): string {
  const bounds: [string, string][] = [[">=", least], ["<=", most]];
  const given = bounds.filter(([, bound]) => bound.trim() !== "");
  return given.map(([sign, bound]) => `${measured} ${sign} ${written(bound)}`).join(" AND ");
}

/** A value as it stands in SQL. */
function literal(value: Value, column: Column): string {
  if (value === null) return "NULL";
  const text = isLong(column) ? String(value) : cellText(value, column);
  if (column.kind === "boolean") return text.toUpperCase();
  if (column.kind === "float" || column.kind === "float32") return Number.isFinite(value) ? text : quoted(text);
  if (isNumber(column)) return text;
  return quoted(text.replace(/Z$/, column.kind === "timestamp" ? "" : "Z"));
}

/**
 * A cell that counts the rows of a query for each value of a column, and follows that.
 * @param measured A column of numbers, of which the sum and the mean are told too.
 */
export function groupText(sql: string, column: Column, measured: Column | undefined): string {
  const by = nameOf(column);
  const number = measured && nameOf(measured);
  const told = [by, 'count(*) AS "rows"', ...(number ? [`sum(${number}) AS "sum"`, `avg(${number}) AS "mean"`] : [])];
  return `%%kalam --live\nSELECT ${told.join(", ")}\n${fromRows(withoutEnd(sql))}\nGROUP BY ${by}`;
}

/** A cell that follows the rows of a query which meet a condition. */
export function followText(sql: string, where: string): string {
  const inner = withoutEnd(sql);
  // A condition right behind the table's name is followed by its changes alone.
  const isPlain = /^select\s+(\*|[\w"]+(\s*,\s*[\w"]+)*)\s+from\s+[\w."]+$/i.test(inner);
  return `%%kalam --live\n${isPlain ? inner : `SELECT *\n${fromRows(inner)}`}\nWHERE ${where}`;
}

function withoutEnd(sql: string): string {
  return sql.trim().replace(/;+$/, "");
}

/** The rows of a query as a table; a line of its own ends a comment at the query's end. */
function fromRows(inner: string): string {
  return `FROM (\n${inner}\n) AS t`;
}

function nameOf(column: Column): string {
  return `"${column.name.replaceAll('"', '""')}"`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
