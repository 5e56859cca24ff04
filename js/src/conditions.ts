// What can be asked of a column, and which rows meet it. No DOM here. The kernel asks the same of rows that the page does
// not hold (`kalam_notebook/notebook/page/ordering.py`).

import { BYTES_HEAD, hexadecimal, type Column, type Value } from "./cells";
import { compare, type Filter } from "./order";
import type { Store } from "./store";

export type Condition =
  | { readonly kind: "contains"; readonly text: string }
  | { readonly kind: "one of"; readonly values: readonly Value[] }
  | { readonly kind: "range" | "size"; readonly least: string; readonly most: string }
  /** By hexadecimal digits, as `digits` gives them. */
  | { readonly kind: "begins"; readonly text: string }
  | { readonly kind: "null" | "not null" };

/**
 * What a condition demands of a row.
 * @throws {RangeError} A bound of a range is no value of the column.
 */
export function matcher(store: Store, column: number, condition: Condition): Filter {
  const values = (): readonly Value[] => store.column(column);
  const described = store.columns[column];
  if (!described) return () => true;
  switch (condition.kind) {
    case "contains": {
      const wanted = soughtIn(described, condition.text);
      return (slot) => {
        const value = values()[slot] ?? null;
        if (value === null) return false;
        const text = value instanceof Uint8Array ? hexadecimal(value) : String(value).toLowerCase();
        return (described.kind === "file" ? text.replace(FILE_SIZE, "") : text).includes(wanted);
      };
    }
    case "begins":
      return (slot) => {
        const value = values()[slot] ?? null;
        return value !== null && hexadecimal(value as Uint8Array).startsWith(condition.text);
      };
    case "size": {
      const [least, most] = [condition.least, condition.most].map(size);
      return (slot) => {
        const value = values()[slot] ?? null;
        if (value === null) return false;
        const bytes = store.length(slot, column) ?? (value as Uint8Array).length;
        return bytes >= (least ?? 0) && bytes <= (most ?? Infinity);
      };
    }
    case "one of": {
      const wanted = new Set(condition.values);
      return (slot) => wanted.has(values()[slot] ?? null);
    }
    case "range": {
      const least = parse(condition.least, described);
      const most = parse(condition.most, described);
      return (slot) => {
        const value = values()[slot] ?? null;
        if (value === null) return false;
        return (least === null || compare(value, least) >= 0) && (most === null || compare(value, most) <= 0);
      };
    }
    case "null":
      return (slot) => (values()[slot] ?? null) === null;
    case "not null":
      return (slot) => (values()[slot] ?? null) !== null;
  }
}

/** What stands behind the name of a file. */
const FILE_SIZE = / · [^·]*$/;

/** The first bytes of a value, written out. @throws {RangeError} They are none, or more than the page holds of each value. */
export function digits(text: string): string {
  const wanted = text.toLowerCase().replace(/^(0x|x'|\\x)|[\s']/g, "");
  if (!/^[\da-f]+$/.test(wanted)) throw new RangeError("Give the first bytes in hexadecimal digits, such as 89504e47.");
  if (wanted.length > 2 * BYTES_HEAD) throw new RangeError(`Give ${BYTES_HEAD} bytes (${2 * BYTES_HEAD} digits) at most.`);
  return wanted;
}

/** A number of bytes; null for none. @throws {RangeError} It is no number. */
export function size(text: string): number | null {
  const trimmed = text.trim();
  if (!/^\d*$/.test(trimmed)) throw new RangeError(`${trimmed} is no number of bytes.`);
  return trimmed ? Number(trimmed) : null;
}

/** What a column's texts are to contain, in small letters; of UUIDs the digits, for the server knows no hyphens in them. */
export function soughtIn(column: Column, text: string): string {
  const small = text.toLowerCase();
  return column.kind === "uuid" ? small.replace(/[\s-]/g, "") : small;
}

/** A bound as a value of its column; null for none. */
export function parse(text: string, column: Column): Value {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  const value = parsed(trimmed, column);
  if (value === undefined) throw new RangeError(`${trimmed} is no ${column.sql_type}${EXAMPLES[column.kind] ?? ""}`);
  return value;
}

const EXAMPLES: Partial<Record<Column["kind"], string>> = {
  timestamp: ": write it as 2026-05-20T10:00:00",
  date: ": write it as 2026-05-20",
  time: ": write it as 10:00:00",
};

function parsed(text: string, column: Column): Value | undefined {
  switch (column.kind) {
    case "integer":
      return /^[-+]?\d+$/.test(text) ? BigInt(text.replace("+", "")) : undefined;
    case "float": case "float32":
      return Number.isNaN(Number(text)) ? undefined : Number(text);
    case "decimal": {
      const [, sign, whole = "", fraction = ""] = /^([-+]?)(\d*)\.?(\d*)$/.exec(text) ?? [];
      if (sign === undefined || whole + fraction === "" || fraction.length > column.scale) return undefined;
      return BigInt(`${sign.replace("+", "")}${whole}${fraction.padEnd(column.scale, "0")}`);
    }
    case "date": {
      const days = Date.parse(`${text}T00:00:00Z`) / 86_400_000;
      return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(days) ? days : undefined;
    }
    case "time":
      return ticks("1970-01-01", text, column.scale);
    case "timestamp": {
      const [date = "", time = "00:00"] = text.replace(/Z$/, "").split(/[T ]/);
      return ticks(date, time, column.scale);
    }
    default:
      return undefined;
  }
}

/** A moment in ticks since 1970, exact to the last. */
function ticks(date: string, time: string, perSecond: number): bigint | undefined {
  const [, clock, fraction = ""] = /^(\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?$/.exec(time) ?? [];
  const milliseconds = Date.parse(`${date}T${clock ?? ""}Z`);
  const digits = String(perSecond).length - 1;
  if (!/^\d{4}-\d\d-\d\d$/.test(date) || Number.isNaN(milliseconds) || fraction.length > digits) return undefined;
  return BigInt(milliseconds / 1_000) * BigInt(perSecond) + BigInt(fraction.padEnd(digits, "0") || "0");
}

/** A condition as the kernel reads it: bounds as whole numbers of ticks and digits. @throws {RangeError} As of `matcher`. */
export function forKernel(condition: Condition, column: Column): object {
  if (condition.kind === "contains") return { ...condition, text: soughtIn(column, condition.text) };
  if (condition.kind !== "range" && condition.kind !== "size") return condition;
  const [least, most] = [condition.least, condition.most].map((bound) => {
    const value = condition.kind === "size" ? size(bound) : parse(bound, column);
    return value === null ? null : String(value);
  });
  return { kind: condition.kind, least, most };
}
