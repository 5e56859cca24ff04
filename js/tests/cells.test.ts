import assert from "node:assert/strict";
import { test } from "node:test";
import examples from "../../tests/data/cell_text.json";
import { cellText, type Column, type Kind, type Value } from "../src/cells";

interface Example {
  kind: Kind;
  value: string | boolean | (string | null)[];
  text: string;
  scale?: number;
  zoned?: boolean;
}

/** The value as Arrow gives it: 64-bit numbers and decimals as bigint. */
function read({ kind, value }: Example): Value {
  if (Array.isArray(value)) return value.map((element) => (element === null ? null : Number(element)));
  if (typeof value === "boolean") return value;
  if (["integer", "decimal", "timestamp", "date", "time"].includes(kind)) return BigInt(value);
  if (kind === "float") return Number(value);
  if (kind === "float32") return Math.fround(Number(value));
  if (kind === "bytes" || kind === "uuid") return Uint8Array.from(Buffer.from(value, "hex"));
  return value;
}

function column({ kind, scale = 0, zoned = false }: Partial<Example>): Column {
  return { name: "c", sql_type: "T", kind: kind ?? "text", key: false, scale, zoned };
}

test("the texts are those of the Python side", () => {
  assert.ok((examples as Example[]).length > 50);
  for (const example of examples as Example[]) {
    assert.equal(cellText(read(example), column(example)), example.text, JSON.stringify(example));
  }
});

test("NULL of every kind", () => {
  assert.equal(cellText(null, column({ kind: "decimal", scale: 2 })), "NULL");
});

test("the length of a cut value is told", () => {
  const bytes = Uint8Array.from(Buffer.from("hello wo"));
  assert.equal(cellText(bytes, column({ kind: "bytes" }), 14), "b'hello wo…' 14 bytes");
  const list = Float32Array.from([0.1, 0.2, 0, 0, 0, 0]);
  assert.equal(cellText(list, column({ kind: "list32" }), 1384), "[0.1, 0.2, … 1,384]");
});
