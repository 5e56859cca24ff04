import assert from "node:assert/strict";
import { test } from "node:test";
import { float64, int32, int64, tableFromArrays, tableFromIPC, tableToIPC, uint64, utf8, type DataType } from "@uwdata/flechette";
import { listed, unread } from "../src/listed";

/** What comes out of a column that went through Arrow, value by value as at once. */
function read(values: unknown[], type: DataType): readonly unknown[] {
  const bytes = tableToIPC(tableFromArrays({ values }, { types: { values: type }, useBigInt: true }), { format: "stream" });
  assert.ok(bytes);
  const cells = unread(tableFromIPC(bytes, { useBigInt: true, useDecimalInt: true }).getChildAt(0));
  assert.deepEqual(values.map((_, index) => cells.at(index)), [...listed(cells)]);
  return listed(cells);
}

test("texts are the same, whatever they are made of", () => {
  const texts = [
    "", "a", "twelve chars", "thirteen char", "x".repeat(64), "x".repeat(65), "ä", "Grüße aus 東京, in Länge", "👍", "a👍b".repeat(30),
    "\ufeffwith a mark", "\ufeff", "nul \0 in it", "\u{10ffff}", "\u0800\uffff",
  ];
  for (const all of [texts, texts.slice(0, 6), [null, ...texts, null, "end"], [], [null], texts.flatMap((text) => [text, null])]) {
    assert.deepEqual(read(all, utf8()), all);
  }
});

test("whole numbers are exact, and as small as they can be", () => {
  const exact = [0n, 1n, -1n, 2n ** 31n, -(2n ** 31n), 2n ** 53n - 1n, 1n - 2n ** 53n];
  const large = [2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)];
  assert.deepEqual(read([...exact, null, ...large], int64()), [...exact.map(Number), null, ...large]);
  assert.deepEqual(read([0n, 2n ** 64n - 1n], uint64()), [0, 2n ** 64n - 1n]);
  assert.deepEqual(read([0, null, -7], int32()), [0, null, -7]);
});

test("other numbers are what they were", () => {
  const values = [0.1, -0, null, Infinity, NaN];
  assert.ok(read(values, float64()).every((value, index) => Object.is(value, values[index])));
});
