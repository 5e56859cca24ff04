import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frame, Status } from "../src/frames";
import { nextSort, ordered } from "../src/order";
import { Store } from "../src/store";
import type { Value } from "../src/cells";

const status: Status = { text: "live", failed: false, notice: "", rows: 2, changes: 0, changed_at: null, form: "direct", verified_at: null };

function frame(base: number, version: number, rows: [number, ...Value[]][], removed: number[] = []): Frame {
  const width = Math.max(0, ...rows.map((row) => row.length - 1));
  const values = Array.from({ length: width }, (_, column) => rows.map((row) => row[column + 1] as Value));
  const part = { ids: rows.map(([id]) => BigInt(id)), values, lengths: [] };
  const rest = { kind: "frame", frame: version, part: 0, parts: 1, columns: null } as const;
  return { ...rest, base, version, status, rows: [part], removed: removed.map(BigInt) };
}

function filled(): Store {
  const store = new Store();
  assert.ok(store.apply(frame(-1, 5, [[1, "a", 1n], [2, "b", 2n]]), 100));
  return store;
}

const shown = (store: Store): Value[][] => [...store.rows.values()].map((row) => [...row.values]);

test("the first rows do not flash, later ones and changed cells do", () => {
  const store = filled();
  assert.equal(store.rows.get(1n)?.born, -Infinity);
  assert.ok(store.apply(frame(5, 6, [[2, "b", 3n], [3, "c", 4n]]), 200));
  assert.deepEqual(shown(store), [["a", 1n], ["b", 3n], ["c", 4n]]);
  assert.deepEqual([...(store.rows.get(2n)?.changed ?? [])], [[1, 200]]);
  assert.equal(store.rows.get(2n)?.revision, 1);
  assert.equal(store.rows.get(3n)?.born, 200);
});

test("removed rows go, and come back at the end", () => {
  const store = filled();
  store.apply(frame(5, 6, [], [1]), 200);
  assert.deepEqual(shown(store), [["b", 2n]]);
  store.apply(frame(6, 7, [[1, "a", 1n]]), 300);
  assert.deepEqual(shown(store), [["b", 2n], ["a", 1n]]);
});

test("a frame for another version is refused, and changes no row", () => {
  const store = filled();
  assert.equal(store.apply(frame(6, 7, [[1, "x", 0n]]), 200), false);
  assert.deepEqual(shown(store), [["a", 1n], ["b", 2n]]);
  assert.equal(store.version, 5);
});

test("a new start keeps what is equal, marks what differs and takes the new order", () => {
  const store = filled();
  const before = store.rows.get(1n);
  store.apply(frame(-1, 9, [[2, "B", 2n], [1, "a", 1n]]), 200);
  assert.deepEqual(shown(store), [["B", 2n], ["a", 1n]]);
  assert.equal(store.rows.get(1n), before);
  assert.equal(before?.revision, 0);
  assert.deepEqual([...(store.rows.get(2n)?.changed ?? [])], [[0, 200]]);
});

test("a repeated start changes nothing but the status", () => {
  const store = filled();
  const again = { ...frame(-1, 5, []), status: { ...status, text: "catching up" } };
  assert.ok(store.apply(again, 200));
  assert.equal(store.rows.size, 2);
  assert.equal(store.status?.text, "catching up");
});

test("equal bytes and NaN are no change", () => {
  const store = new Store();
  store.apply(frame(-1, 1, [[1, Uint8Array.of(1, 2), NaN]]), 0);
  store.apply(frame(1, 2, [[1, Uint8Array.of(1, 2), NaN]]), 100);
  assert.equal(store.rows.get(1n)?.revision, 0);
  store.apply(frame(2, 3, [[1, Uint8Array.of(1, 3), NaN]]), 100);
  assert.equal(store.rows.get(1n)?.revision, 1);
});

test("sorting is exact, stable and puts NULL last", () => {
  const store = new Store();
  const big = 9007199254740993n;
  store.apply(frame(-1, 1, [[1, null], [2, big], [3, big - 1n], [4, -1n], [5, big]]), 0);
  const ids = (descending: boolean): number[] =>
    ordered(store.rows.values(), { column: 0, descending }).map((row) => Number(row.id));
  assert.deepEqual(ids(false), [4, 3, 2, 5, 1]);
  assert.deepEqual(ids(true), [2, 5, 3, 4, 1]);
  assert.deepEqual(ordered(store.rows.values(), undefined).map((row) => Number(row.id)), [1, 2, 3, 4, 5]);
});

test("NaN is the greatest number, lists go by their elements", () => {
  const store = new Store();
  store.apply(frame(-1, 1, [[1, NaN, [2, 1]], [2, Infinity, [2]], [3, -1.5, [1, 9]]]), 0);
  const ids = (column: number): number[] =>
    ordered(store.rows.values(), { column, descending: false }).map((row) => Number(row.id));
  assert.deepEqual(ids(0), [3, 2, 1]);
  assert.deepEqual(ids(1), [3, 2, 1]);
});

test("clicks on a header: ascending, descending, as the table is", () => {
  const first = nextSort(undefined, 1);
  const second = nextSort(first, 1);
  assert.deepEqual([first, second], [{ column: 1, descending: false }, { column: 1, descending: true }]);
  assert.equal(nextSort(second, 1), undefined);
  assert.deepEqual(nextSort(second, 0), { column: 0, descending: false });
});
