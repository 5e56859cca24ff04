import assert from "node:assert/strict";
import { test } from "node:test";
import { sorted } from "../src/keys";
import { compare } from "../src/order";
import type { Value } from "../src/cells";

/** Numbers that look random, and are the same in each run. */
function dice(): (below: number) => number {
  let state = 42;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

const roll = dice();
const pick = <T>(list: readonly T[]): T => list[roll(list.length)] as T;
const many = (make: (index: number) => Value, count = 1_500): Value[] => Array.from({ length: count }, (_, index) => make(index));
const word = (letters: string, most: number): string => Array.from({ length: roll(most + 1) }, () => letters[roll(letters.length)]).join("");
const LARGE = 2n ** 53n;

const columns: Record<string, Value[]> = {
  "texts with one start": many((index) => `the words of message ${(index * 7_919) % 1_500}`),
  "texts with few starts, and many that are equal": many(() => `https://${pick(["a", "b", "ab"])}.example.com/path/${word("01", 3)}`),
  "short texts, some empty, some with characters of code 0": many(() => word("\0ab", 4)),
  "texts of all planes": many(() => word("aé語\uffff\ud83d\ude00\udbff", 5)),
  "texts that are all equal": many(() => "the same"),
  "texts of which one is the start of all": many((index) => "x".repeat(index % 40)),
  "doubles": many(() => pick([0, -0, NaN, Infinity, -Infinity, 5e-324, -5e-324, 1e300, -1e300, roll(100) / 7, -roll(100) / 7])),
  "whole numbers": many(() => roll(2_000) - 1_000),
  "whole numbers beyond what a double holds": many(() => pick([LARGE + BigInt(roll(9)), -LARGE - BigInt(roll(9)), 10n ** 30n + BigInt(roll(5)), roll(5)])),
  "truths": many(() => roll(2) === 0),
  "lists": many(() => Float64Array.from({ length: roll(3) }, () => roll(4))),
};

for (const [name, values] of Object.entries(columns)) {
  test(`sorting is what comparing makes of it: ${name}`, () => {
    for (const direction of [1, -1]) {
      const comparison = (one: number, two: number): number =>
        direction * compare(values[one] as never, values[two] as never) || one - two;
      const slots = [...values.keys()].filter((slot) => slot % 7 !== 3);
      assert.deepEqual(sorted([...slots], values, direction < 0, comparison), slots.sort(comparison));
    }
  });
}
