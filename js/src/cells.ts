// The text of a cell, by the same rules as `kalam_notebook/results/cells.py`; `tests/data/cell_text.json` tests both.

export type Kind =
  | "boolean" | "integer" | "float" | "float32" | "decimal" | "text" | "json" | "file" | "bytes" | "uuid"
  | "timestamp" | "date" | "time" | "list" | "list32" | "other";

export interface Column {
  readonly name: string;
  /** The type as SQL spells it. */
  readonly sql_type: string;
  readonly kind: Kind;
  readonly key: boolean;
  /** Digits after the point of a decimal, ticks per second of a time, else 0. */
  readonly scale: number;
  readonly zoned: boolean;
  /** The name of its Arrow type in Python. */
  readonly arrow?: string;
}

/** A value: whole numbers of 64 bits and decimals are bigint where a double would not hold them exactly. */
export type Value = null | boolean | number | bigint | string | Uint8Array | ArrayLike<number | null>;

/** Longer texts are told their length; a cell holds more of them, for a copy of it. As in `render.py`. */
export const CELL_CHARS = 80;
/** Longer texts may be wider than a column, of wide characters such as 語 and W; they get a tooltip. As in `render.py`. */
export const NARROW_CHARS = 32;
const LIST_HEAD = 2;
const LIST_WHOLE = 6;
/** Bytes that the page holds of longer values. As in `cells.py`. */
export const BYTES_HEAD = 8;
const NOISE = 5; // Characters that rounding to 15 digits frees where the last ones were noise.
const NUMBERS: ReadonlySet<Kind> = new Set(["integer", "float", "float32", "decimal"]);
const LONG: ReadonlySet<Kind> = new Set(["text", "json", "file", "other"]);

export const isNumber = (column: Column): boolean => NUMBERS.has(column.kind);
export const isLong = (column: Column): boolean => LONG.has(column.kind);

/**
 * The text of a value. Nothing is cut.
 * @param length Elements or bytes of the whole, when `value` holds only the first of them.
 */
export function cellText(value: Value, column: Column, length?: number | null): string {
  if (value === null) return "NULL";
  switch (column.kind) {
    case "boolean":
      return value ? "true" : "false";
    case "integer":
      return String(value);
    case "float":
      return floatText(value as number);
    case "float32":
      return float32Text(value as number);
    case "decimal":
      return decimalText(BigInt(value as bigint | number), column.scale);
    case "bytes":
      return bytesText(value as Uint8Array, length ?? (value as Uint8Array).length);
    case "uuid":
      return uuidText(value as Uint8Array);
    case "timestamp":
      return timestampText(BigInt(value as bigint | number), BigInt(column.scale)) + (column.zoned ? "Z" : "");
    case "date":
      return dateText(Number(value));
    case "time":
      return timeText(BigInt(value as bigint | number), BigInt(column.scale));
    case "list":
    case "list32":
      return listText(value as ArrayLike<number | null>, length, column.kind === "list32" ? float32Text : floatText);
    default:
      return withEnds(visible(String(value)), length == null);
  }
}

/** Shows the spaces at the ends of a text, which nobody sees; at its start only, when it is not the whole text. */
function withEnds(text: string, whole: boolean): string {
  const shown = text.replace(/^[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+/, spaces);
  return whole ? shown.replace(/[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+$/, spaces) : shown;
}

function spaces(text: string): string {
  return [...text].map((char) => (char === " " ? "␣" : codePoint(char))).join("");
}

function codePoint(char: string): string {
  return `⟨U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/** Shows control characters and marks of writing direction, which would be dropped or would reorder the text. */
export function visible(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replace(/[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (char) => {
      const code = char.charCodeAt(0);
      if (char === "\n") return "↵";
      if (char === "\t") return "⇥";
      if (code < 0x20) return String.fromCharCode(0x2400 + code);
      if (code === 0x7f) return "␡";
      return codePoint(char);
    });
}

/** The shortest digits that give the same double, laid out as Python does: 1.0, 1e-05, 1e+16. */
function floatText(value: number | null): string {
  if (value === null) return "NULL";
  if (!Number.isFinite(value)) return String(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const [digits = "", power = "0"] = Math.abs(value).toExponential().split("e");
  const exponent = Number(power);
  const mantissa = digits.replace(".", "");
  if (exponent < -4 || exponent >= 16) {
    return `${sign}${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${mantissa}`;
  const whole = mantissa.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${mantissa.slice(exponent + 1) || "0"}`;
}

/** A double without the noise of binary fractions: `0.3` for `0.30000000000000004`, other digits as they are. As in `render.py`. */
export function asWritten(value: number, text: string): string {
  const short = floatText(Number(value.toPrecision(15)));
  return short.length > text.length - NOISE ? text : short;
}

/** The shortest digits that give the same single-precision number. */
function float32Text(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return floatText(value);
  const single = Math.fround(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === single) return floatText(short);
  }
  return floatText(Number(value.toPrecision(9)));
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const point = digits.length - scale;
  const fraction = scale > 0 ? `.${digits.slice(point)}` : "";
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, point)}${fraction}`;
}

/** The first bytes as Python writes them, and the size. */
function bytesText(bytes: Uint8Array, size: number): string {
  const head = bytes.subarray(0, BYTES_HEAD);
  const quote = head.includes(0x27) && !head.includes(0x22) ? '"' : "'";
  const named: Record<number, string> = { 9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\" };
  let text = "";
  for (const byte of head) {
    const char = String.fromCharCode(byte);
    if (named[byte]) text += named[byte];
    else if (byte < 32 || byte > 126) text += `\\x${byte.toString(16).padStart(2, "0")}`;
    else text += char === quote ? `\\${char}` : char;
  }
  return `b${quote}${text}${size > head.length ? "…" : ""}${quote} ${grouped(size)} ${size === 1 ? "byte" : "bytes"}`;
}

export function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function uuidText(bytes: Uint8Array): string {
  const hex = hexadecimal(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function listText(
  head: ArrayLike<number | null>,
  length: number | null | undefined,
  write: (value: number | null) => string,
): string {
  const size = length ?? head.length;
  const shown = Array.from(head).slice(0, size <= LIST_WHOLE ? LIST_WHOLE : LIST_HEAD).map(write);
  if (size > LIST_WHOLE) shown.push(`… ${grouped(size)}`);
  return `[${shown.join(", ")}]`;
}

/** Division that rounds down, and the rest, which is never negative. */
function divmod(value: bigint, by: bigint): [bigint, bigint] {
  const rest = ((value % by) + by) % by;
  return [(value - rest) / by, rest];
}

function timestampText(ticks: bigint, perSecond: bigint): string {
  const [days, rest] = divmod(ticks, 86_400n * perSecond);
  return `${dateText(Number(days))}T${timeText(rest, perSecond)}`;
}

function timeText(ticks: bigint, perSecond: bigint): string {
  const [seconds, fraction] = divmod(ticks, perSecond);
  const second = Number(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  const text = `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`;
  if (fraction === 0n) return text;
  const digits = fraction.toString().padStart(perSecond.toString().length - 1, "0");
  return `${text}.${digits.replace(/(000)+$/, "")}`;
}

/** The ISO date of a day since 1970-01-01, also beyond the years that `Date` knows. */
function dateText(days: number): string {
  // Counted from 0000-03-01 in eras of 400 years (146,097 days), so that the leap day is a year's last.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const day = shifted - era * 146_097;
  const f = Math.floor;
  let year = f((day - f(day / 1_460) + f(day / 36_524) - f(day / 146_096)) / 365);
  const dayOfYear = day - (365 * year + f(year / 4) - f(year / 100));
  let month = f((5 * dayOfYear + 2) / 153);
  const dayOfMonth = dayOfYear - f((153 * month + 2) / 5) + 1;
  month = month < 10 ? month + 3 : month - 9;
  year += era * 400 + (month <= 2 ? 1 : 0);
  const sign = year < 0 ? "-" : year > 9_999 ? "+" : "";
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${sign}${String(Math.abs(year)).padStart(sign ? 6 : 4, "0")}-${two(month)}-${two(dayOfMonth)}`;
}

/** A number with commas, whatever the reader's language: as in the saved notebook. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
