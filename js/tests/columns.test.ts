import assert from "node:assert/strict";
import { test } from "node:test";
import type { Column } from "../src/cells";
import { Columns, GAP } from "../src/columns";

function columns(count: number, key = -1): Columns {
  const kind = { sql_type: "INT", kind: "integer", scale: 0, zoned: false } as const;
  return new Columns(Array.from({ length: count }, (_, i): Column => ({ ...kind, name: `c${i}`, key: i === key })));
}

test("few columns are all drawn, in the reader's order", () => {
  const some = columns(4);
  some.look(0, 100);
  assert.deepEqual(some.drawn, [0, 1, 2, 3]);
  some.move(3, 1);
  some.setHidden(0, true);
  some.move(3, -5);
  some.look(0, 100);
  assert.deepEqual(some.drawn, [3, 1, 2]);
  some.setHidden(0, false);
  assert.deepEqual([...some.shown].sort(), [0, 1, 2, 3]);
  some.move(3, 99);
  assert.equal(some.shown.at(-1), 3);
});

test("of many columns those in sight are drawn, and the gaps make up for the rest", () => {
  const many = columns(1_000, 0);
  const each = many.width(0);
  assert.equal(many.look(0, 10 * each), true);
  assert.equal(many.drawn[0], 0);
  assert.equal(many.drawn.at(-1), GAP);
  assert.equal(many.look(3 * each, 10 * each), false); // What is in sight is drawn already.
  for (const place of [300, 500, 985]) {
    many.look(place * each, 10 * each);
    const drawn = many.drawn.filter((column) => column !== GAP);
    for (let column = place; column < place + 10; column++) assert.ok(drawn.includes(column));
    assert.ok(drawn.length < 30);
    assert.equal(drawn[0], 0); // The key.
    const pixels = drawn.length * each + many.gaps.reduce((sum, gap) => sum + gap, 0);
    assert.equal(pixels, many.total);
  }
  assert.equal(many.left(985), 985 * each);
});

test("a reader's width counts in the places of the others", () => {
  const many = columns(50);
  const before = many.left(9);
  many.resize(3, 500);
  assert.equal(many.left(9), before + 500 - many.width(4));
  many.resize(3, 1);
  assert.equal(many.width(3), 32);
});
