// The page module's part that writes rows as an Arrow file, loaded when a reader may want one. No DOM here.

import {
  binary, bool, dateDay, dateMillisecond, decimal, Endianness, field, fixedSizeBinary, fixedSizeList, float32, float64, int, list,
  tableToIPC, time, timestamp, TimeUnit, utf8, Version, type DataType,
} from "@uwdata/flechette";
import { exact, type Part } from "./copy";
import type { Column, Value } from "./cells";
import type { Store } from "./store";

const UNITS: Record<string, 0 | 1 | 2 | 3> = {
  s: TimeUnit.SECOND, ms: TimeUnit.MILLISECOND, us: TimeUnit.MICROSECOND, ns: TimeUnit.NANOSECOND,
};
const DAY = 86_400_000n;
const NOTHING = new Uint8Array();

type Values = readonly Value[];

/** The buffers of a column, as the library writes them. */
interface Batch {
  readonly type: DataType;
  readonly length: number;
  readonly nullCount: number;
  readonly validity: Uint8Array;
  readonly values?: ArrayBufferView;
  readonly offsets?: Int32Array;
  readonly children?: readonly Batch[];
}

/** Some cells as an Arrow file; all of them must be whole. */
export function arrowFile(store: Store, { slots, columns }: Part): Uint8Array {
  const described = columns.map((index) => store.columns[index]).filter((column) => column !== undefined);
  const batches = described.map((column, at) => batchOf(column, slots.map((slot) => store.value(slot, columns[at] ?? 0))));
  const fields = described.map((column, at) => field(column.name, batches[at]!.type, true, metadata(column)));
  const schema = { version: Version.V5, endianness: Endianness.Little, fields, metadata: null };
  const children = batches.map((batch) => ({ type: batch.type, length: batch.length, data: [batch] }));
  return tableToIPC({ schema, children } as never, { format: "file" }) ?? NOTHING;
}

function metadata({ kind, sql_type }: Column): Map<string, string> {
  const told = new Map([["kalam:data_type", sql_type]]);
  if (kind === "uuid") told.set("ARROW:extension:name", "arrow.uuid").set("ARROW:extension:metadata", "");
  return told;
}

/** A column in the type that it has in Python. What the page holds as text only is text. */
function batchOf(column: Column, values: Values): Batch {
  // For example `int64`, `decimal128(12, 2)`, `timestamp[us, tz=UTC]`, `fixed_size_list<item: float>[3]`.
  const [, base = "", inner = "", size = ""] = /^(\w+)(?:[[<(](.*?)[\]>)](?:\[(\d+)\])?)?$/.exec(column.arrow ?? "") ?? [];
  switch (column.kind) {
    case "boolean": {
      const isTrue = bits(values, (value) => value === true);
      return { ...blank(bool(), values), values: isTrue };
    }
    case "integer": {
      const width = Number(/\d+$/.exec(base)?.[0] ?? 64) as 8 | 16 | 32 | 64;
      return numbers(int(width, !base.startsWith("u")), values);
    }
    case "float":
      return numbers(float64(), values);
    case "float32":
      return numbers(float32(), values);
    case "decimal":
      return decimals(Number.parseInt(inner), column.scale, base === "decimal256" ? 256 : 128, values);
    case "bytes":
      return sized(binary(), values.map((value) => value as Uint8Array | null));
    case "uuid": {
      const bytes = new Uint8Array(16 * values.length);
      values.forEach((value, at) => value !== null && bytes.set(value as Uint8Array, 16 * at));
      return { ...blank(fixedSizeBinary(16), values), values: bytes };
    }
    case "timestamp": {
      const [unit = "us", zone] = inner.split(", tz=");
      return numbers(timestamp(UNITS[unit], zone), values);
    }
    case "date":
      if (base !== "date64") return numbers(dateDay(), values);
      return numbers(dateMillisecond(), values.map((days) => (days === null ? null : BigInt(days as number) * DAY)));
    case "time":
      return numbers(time(UNITS[inner]), values);
    case "list":
    case "list32":
      return lists(column.kind === "list" ? float64() : float32(), Number(size), values as (ArrayLike<number | null> | null)[]);
    default: {
      const encoder = new TextEncoder();
      return sized(utf8(), values.map((value) => (value === null ? null : encoder.encode(exact(value, column)))));
    }
  }
}

/** What every column has: its length, and which of its values are not NULL. */
function blank(type: DataType, values: readonly unknown[]): Batch {
  const nullCount = values.filter((value) => value === null).length;
  const validity = nullCount > 0 ? bits(values, (value) => value !== null) : NOTHING;
  return { type, length: values.length, nullCount, validity };
}

/** A bit for each value. */
function bits<T>(values: readonly T[], isSet: (value: T) => boolean): Uint8Array {
  const made = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, at) => {
    if (isSet(value)) made[at >> 3]! |= 1 << at % 8;
  });
  return made;
}

/** Values of one number each: whole numbers of 64 bits are bigint or number, as they come. */
function numbers(type: DataType & { readonly values?: unknown }, values: Values): Batch {
  const made = new (type.values as typeof Float64Array | typeof BigInt64Array)(values.length);
  if (made instanceof BigInt64Array || (made as ArrayBufferView) instanceof BigUint64Array) {
    values.forEach((value, at) => ((made as BigInt64Array)[at] = BigInt((value ?? 0) as number | bigint)));
  } else values.forEach((value, at) => ((made as Float64Array)[at] = Number(value ?? 0)));
  return { ...blank(type, values), values: made };
}

function decimals(precision: number, scale: number, width: 128 | 256, values: Values): Batch {
  const words = width / 64;
  const made = new BigUint64Array(words * values.length);
  values.forEach((value, at) => {
    const digits = BigInt((value ?? 0) as number | bigint);
    for (let word = 0; word < words; word++) made[words * at + word] = BigInt.asUintN(64, digits >> BigInt(64 * word));
  });
  return { ...blank(decimal(precision, scale, width), values), values: made };
}

/** Values of different sizes. */
function sized(type: DataType, values: readonly (Uint8Array | null)[]): Batch {
  const offsets = ends(values);
  const made = new Uint8Array(offsets.at(-1) ?? 0);
  values.forEach((value, at) => value && made.set(value, offsets[at]));
  return { ...blank(type, values), offsets, values: made };
}

/** @param size Elements of each list; 0 where they differ. */
function lists(item: DataType, size: number, values: readonly (ArrayLike<number | null> | null)[]): Batch {
  const within = field("item", item);
  const elements = values.flatMap((value) => Array.from(value ?? { length: size }, (element) => element ?? null));
  const children = [numbers(item, elements)];
  if (size > 0) return { ...blank(fixedSizeList(within, size), values), children };
  return { ...blank(list(within), values), offsets: ends(values), children };
}

/** Where each value ends, the first at 0. */
function ends(values: readonly (ArrayLike<unknown> | null)[]): Int32Array {
  const offsets = new Int32Array(values.length + 1);
  values.forEach((value, at) => (offsets[at + 1] = offsets[at]! + (value?.length ?? 0)));
  return offsets;
}
