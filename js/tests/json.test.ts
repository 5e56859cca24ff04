import assert from "node:assert/strict";
import { test } from "node:test";
import { indented } from "../src/json";

test("JSON is laid out, and means the same", () => {
  const text = '{"a":[1,{"b":"x, {y}: \\"z\\" "}],"empty":[ ],"n":null}';
  assert.equal(
    indented(text),
    '{\n  "a": [\n    1,\n    {\n      "b": "x, {y}: \\"z\\" "\n    }\n  ],\n  "empty": [],\n  "n": null\n}',
  );
  assert.deepEqual(JSON.parse(indented(text)), JSON.parse(text));
});

test("numbers keep every digit", () => {
  assert.match(indented('{"id":9007199254740993,"x":1.10}'), /"id": 9007199254740993,\n {2}"x": 1\.10/);
});

test("what is nested without end, or is no JSON, is laid out too", () => {
  assert.ok(indented("[".repeat(20_000)).length < 2_000_000);
  assert.equal(indented('}} "open'), '\n}\n}"open');
});
