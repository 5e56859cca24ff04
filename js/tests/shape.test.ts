import assert from "node:assert/strict";
import { test } from "node:test";
import { parts } from "../src/shape";

test("three digits each, before the point alone", () => {
  const shown = (text: string): string => parts(text).join(" ");
  assert.equal(shown("1234"), "1 234");
  assert.equal(shown("-123456"), "-123 456");
  assert.equal(shown("9007199254740993"), "9 007 199 254 740 993");
  assert.equal(shown("-1234567.12345678"), "-1 234 567.12345678");
  for (const text of ["999", "-0.0", "0.12345", "1.5e+16", "1.2345e-300", "NaN", "Infinity", "NULL"]) {
    assert.equal(shown(text), text);
  }
});
