import assert from "node:assert/strict";
import { test } from "node:test";
import type { Column, Value } from "../src/cells";
import type { Frame, Status } from "../src/frames";
import { Profile } from "../src/profile";
import { Store } from "../src/store";

const TEXT: Column = { name: "t", sql_type: "TEXT", kind: "text", key: false, scale: 0, zoned: false };
const NUMBER: Column = { name: "n", sql_type: "DOUBLE", kind: "float", key: false, scale: 0, zoned: false };
const BYTES: Column = { name: "b", sql_type: "BYTES", kind: "bytes", key: false, scale: 0, zoned: false };
const columns = [TEXT, NUMBER, BYTES];
const status = { text: "live", failed: false, notice: "", rows: 1, changes: 0, changed_at: null, form: "", verified_at: null } satisfies Status;

function apply(store: Store, rows: Map<number, readonly Value[]>, removed: readonly number[] = []): void {
  const base = store.version;
  const values = columns.map((_, column) => [...rows.values()].map((row) => row[column] ?? null));
  const frame: Frame = {
    kind: "frame", frame: 1, part: 0, parts: 1, base, version: base + 1, status, columns, removed,
    rows: [{ ids: [...rows.keys()], values, lengths: [] }], begins: true, ends: true,
  };
  assert.ok(store.apply(frame));
}

function told(profile: Profile): unknown {
  return { often: new Map(profile.frequent().map(({ value, count }) => [String(value), count])), nulls: profile.nulls, distinct: profile.distinct };
}

test("a profile that follows changes is the one that is counted anew", () => {
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const store = new Store();
  const kept = [new Profile(0, TEXT), new Profile(2, BYTES)];
  apply(store, new Map([[1, ["a", 1, new Uint8Array([1])]]]));
  for (let round = 0; round < 300; round++) {
    const rows = new Map<number, readonly Value[]>();
    for (let i = 0; i < 20; i++) {
      const bytes = new Uint8Array([random(3)]);
      rows.set(random(3_000) + 1, [random(5) ? `v${random(9)}` : null, random(100), random(4) ? bytes : null]);
    }
    const removed = Array.from({ length: 12 }, () => random(3_000) + 1).filter((id) => !rows.has(id));
    apply(store, rows, removed);
    if (round % 3 === 0) for (const profile of kept) profile.follow(store);
  }
  for (const [index, column] of [[0, TEXT], [2, BYTES]] as const) {
    const anew = new Profile(index, column);
    anew.follow(store);
    const followed = kept[index === 0 ? 0 : 1];
    assert.ok(followed && anew.distinct > 0 && anew.nulls > 0);
    followed.follow(store);
    assert.equal(followed.distinct, anew.distinct);
    assert.equal(followed.nulls, anew.nulls);
    const counts = (profile: Profile): number[] => profile.frequent().map(({ count }) => count);
    assert.deepEqual(counts(followed), counts(anew));
  }
});

test("the most frequent values come in order, and a spread leaves out what is no number", () => {
  const store = new Store();
  const values: Value[] = [NaN, Infinity, -0, 0, ...Array.from({ length: 96 }, (_, i) => i + 1)];
  apply(store, new Map(values.map((value, i) => [i + 1, [i % 2 ? "odd" : i % 4 ? "two" : `x${i}`, value, null]])));
  const text = new Profile(0, TEXT);
  text.follow(store);
  assert.deepEqual(text.frequent().slice(0, 2).map(({ value, count }) => [value, count]), [["odd", 50], ["two", 25]]);
  assert.equal(text.spread(), undefined);
  const number = new Profile(1, NUMBER);
  number.follow(store);
  const spread = number.spread();
  assert.deepEqual([spread?.least, spread?.most], [-0, 96]);
  assert.equal(spread?.bins.reduce((sum, count) => sum + count, 0), 98);
  const none = new Profile(2, BYTES);
  none.follow(store);
  assert.deepEqual(told(none), { often: new Map(), nulls: 100, distinct: 0 });
});
