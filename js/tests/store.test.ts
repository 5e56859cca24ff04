import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frame, Status } from "../src/frames";
import { Order, nextSort } from "../src/order";
import { bars } from "../src/points";
import { Store } from "../src/store";
import type { Column, Value } from "../src/cells";

const status: Status = { text: "live", failed: false, notice: "", rows: 2, changes: 0, changed_at: null, form: "direct", verified_at: null };

function frame(base: number, version: number, rows: [number, ...Value[]][], removed: number[] = []): Frame {
  const width = Math.max(0, ...rows.map((row) => row.length - 1));
  const values = Array.from({ length: width }, (_, column) => rows.map((row) => row[column + 1] as Value));
  const part = { ids: rows.map(([id]) => id), values, lengths: [] };
  const column = (name: string): Column => ({ name, sql_type: "TEXT", kind: "text", key: false, scale: 0, zoned: false });
  const columns = base < 0 ? values.map((_, index) => column(String(index))) : null;
  const rest = { kind: "frame", frame: version, part: 0, parts: 1, columns, begins: true, ends: true } as const;
  return { ...rest, base, version, status, rows: [part], removed };
}

function filled(): Store {
  const store = new Store();
  assert.ok(store.apply(frame(-1, 5, [[1, "a", 1], [2, "b", 2]])));
  return store;
}

const ids = (store: Store, order = new Order(store)): number[] => {
  order.update();
  return [...order.slots].map((slot) => store.ids[slot] ?? -1);
};
const shown = (store: Store): Value[][] =>
  ids(store).map((id) => store.columns.map((_, column) => store.value(store.slot(id) ?? -1, column)));
const born = (store: Store, id: number): number => store.born[store.slot(id) ?? -1] ?? -1;

test("the first rows are not new, later ones are, and what changed is touched", () => {
  const store = filled();
  const tick = store.tick;
  assert.equal(born(store, 1), 0);
  assert.ok(store.apply(frame(5, 6, [[2, "b", 3], [3, "c", 4]])));
  assert.deepEqual(shown(store), [["a", 1], ["b", 3], ["c", 4]]);
  assert.deepEqual([1, 2, 3].map((id) => (store.touched[store.slot(id) ?? -1] ?? 0) > tick), [false, true, true]);
  assert.ok(born(store, 3) > tick);
  assert.equal(born(store, 2), 0);
});

test("removed rows go, and come back at the end", () => {
  const store = filled();
  store.apply(frame(5, 6, [], [1]));
  assert.deepEqual(shown(store), [["b", 2]]);
  assert.equal(store.size, 1);
  store.apply(frame(6, 7, [[1, "a", 1]]));
  assert.deepEqual(shown(store), [["b", 2], ["a", 1]]);
});

test("a frame for another version is refused, and changes no row", () => {
  const store = filled();
  assert.equal(store.apply(frame(6, 7, [[1, "x", 0]])), false);
  assert.deepEqual(shown(store), [["a", 1], ["b", 2]]);
  assert.equal(store.version, 5);
});

test("a new start takes the new order; what was there before is not new", () => {
  const store = filled();
  store.apply(frame(-1, 9, [[2, "B", 2], [1, "a", 1], [3, "c", 3]]));
  assert.deepEqual(shown(store), [["B", 2], ["a", 1], ["c", 3]]);
  assert.deepEqual([born(store, 1), born(store, 2)], [0, 0]);
  assert.equal(born(store, 3), store.tick);
});

test("a repeated start changes nothing but the status", () => {
  const store = filled();
  const again = { ...frame(-1, 5, []), status: { ...status, text: "catching up" } };
  assert.ok(store.apply(again));
  assert.equal(store.size, 2);
  assert.equal(store.status?.text, "catching up");
});

test("the first frame is shown part by part, and its version is known at its end", () => {
  const store = new Store();
  const [one, two] = [frame(-1, 4, [[1, "a"], [2, "b"]]), frame(-1, 4, [[3, "c"]])];
  store.apply({ ...one, parts: 2, ends: false });
  const order = new Order(store);
  assert.deepEqual(ids(store, order), [1, 2]);
  assert.equal(store.version, -1);
  assert.equal(store.apply(frame(4, 5, [[1, "x"]])), false); // Its rows would be missing.
  store.apply({ ...two, part: 1, parts: 2, begins: false });
  assert.deepEqual(ids(store, order), [1, 2, 3]);
  assert.equal(store.version, 4);
  assert.equal(born(store, 3), 0);
});

test("rows that are gone leave no room behind for ever", () => {
  const store = filled();
  const order = new Order(store);
  for (let version = 6; version < 5_000; version++) {
    store.apply(frame(version - 1, version, [[version, "x", version]], [version - 1]));
  }
  assert.ok(store.ids.length < 2_000);
  assert.deepEqual(ids(store, order), [1, 2, 4_999]);
  assert.deepEqual(shown(store), [["a", 1], ["b", 2], ["x", 4_999]]);
});

test("what was cut keeps its length", () => {
  const store = filled();
  const cut = frame(5, 6, [[1, "aa", 1], [2, "b", 2]]);
  store.apply({ ...cut, rows: cut.rows.map((rows) => ({ ...rows, lengths: [[7, null]] })) });
  const lengths = (): unknown[] => [1, 2].map((id) => store.length(store.slot(id) ?? -1, 0));
  assert.deepEqual(lengths(), [7, undefined]);
  store.apply(frame(6, 7, [[1, "a", 1]]));
  assert.deepEqual(lengths(), [undefined, undefined]);
});

test("sorting is exact, stable and puts NULL last", () => {
  const store = new Store();
  const big = 9007199254740993n;
  store.apply(frame(-1, 1, [[1, null], [2, big], [3, 9007199254740991], [4, -1], [5, big]]));
  const order = new Order(store);
  order.sortBy({ column: 0, descending: false });
  assert.deepEqual(ids(store, order), [4, 3, 2, 5, 1]);
  order.sortBy({ column: 0, descending: true });
  assert.deepEqual(ids(store, order), [2, 5, 3, 4, 1]);
  order.sortBy(undefined);
  assert.deepEqual(ids(store, order), [1, 2, 3, 4, 5]);
});

test("NaN is the greatest number, lists go by their elements", () => {
  const store = new Store();
  store.apply(frame(-1, 1, [[1, NaN, [2, 1]], [2, Infinity, [2]], [3, -1.5, [1, 9]]]));
  for (const column of [0, 1]) {
    const order = new Order(store);
    order.sortBy({ column, descending: false });
    assert.deepEqual(ids(store, order), [3, 2, 1]);
  }
});

test("an order that is kept is the one that would be made anew", () => {
  // A small generator of numbers that are the same in each run.
  let state = 7;
  const dice = (sides: number): number => (state = (state * 48_271) % 2_147_483_647) % sides;
  const store = new Store();
  store.apply(frame(-1, 0, Array.from({ length: 200 }, (_, id) => [id + 1, dice(20)])));
  const sorts = [undefined, { column: 0, descending: false }, { column: 0, descending: true }];
  const even = (slot: number): boolean => Number(store.value(slot, 0)) % 2 === 0;
  const made = (sort: (typeof sorts)[number], filter?: (slot: number) => boolean): Order => {
    const order = new Order(store);
    order.sortBy(sort);
    order.showOnly(filter);
    return order;
  };
  const kept = sorts.flatMap((sort) => [made(sort), made(sort, even)]);
  kept.forEach((order) => order.update());
  for (let version = 1; version < 300; version++) {
    const rows = Array.from({ length: dice(12) }, (): [number, Value] => [1 + dice(260), dice(9) ? dice(20) : null]);
    store.apply(frame(version - 1, version, rows, Array.from({ length: dice(8) }, () => 1 + dice(260))));
    if (dice(3) === 0) continue; // Several frames may come before the next look.
    const anew = sorts.flatMap((sort) => [made(sort), made(sort, even)]);
    assert.deepEqual(kept.map((order) => ids(store, order)), anew.map((order) => ids(store, order)));
  }
});

test("changes that move nothing keep the very order", () => {
  const store = filled();
  const order = new Order(store);
  assert.ok(order.update());
  const { slots } = order;
  store.apply(frame(5, 6, [[2, "z", 9]]));
  assert.equal(order.update(), false);
  assert.equal(order.slots, slots);
});

test("clicks on a header: ascending, descending, as the table is", () => {
  const first = nextSort(undefined, 1);
  const second = nextSort(first, 1);
  assert.deepEqual([first, second], [{ column: 1, descending: false }, { column: 1, descending: true }]);
  assert.equal(nextSort(second, 1), undefined);
  assert.deepEqual(nextSort(second, 0), { column: 0, descending: false });
});

test("rows that nobody sorted are shown by their key, wherever they were put", () => {
  const store = new Store();
  const keyed = (start: Frame, order: number[]): Frame => ({ ...start, status: { ...status, order } });
  assert.ok(store.apply(keyed(frame(-1, 1, [[1, "m", 5], [2, "b", 1], [3, "m", 2]]), [0])));
  const [one, two, none] = [new Order(store), new Order(store), new Order(store)];
  assert.deepEqual(ids(store, one), [2, 1, 3]);
  assert.ok(store.apply(keyed(frame(1, 2, [[4, "c", 0], [1, "m", 9]]), [0])));
  assert.deepEqual(ids(store, one), [2, 4, 1, 3]);
  assert.ok(store.apply(keyed(frame(2, 3, [[5, "a", 0]], [2]), [0])));
  assert.deepEqual(ids(store, one), [5, 4, 1, 3]);

  // Several columns, one after the other; and none.
  assert.ok(store.apply(keyed(frame(3, 4, []), [0, 1])));
  two.sortBy(undefined);
  assert.deepEqual(ids(store, two), [5, 4, 3, 1]);
  assert.ok(store.apply(keyed(frame(4, 5, []), [])));
  assert.deepEqual(ids(store, none), [1, 3, 4, 5]);

  // What the reader wants comes first.
  one.sortBy({ column: 1, descending: true });
  assert.deepEqual(ids(store, one), [1, 3, 4, 5]);
});

test("bars stand in the order in which the table is shown", () => {
  const store = new Store();
  const start = frame(-1, 1, [[1, "m", 5], [2, "b", 1], [3, "c", 2]]);
  assert.ok(store.apply({ ...start, status: { ...status, order: [0] } }));
  assert.deepEqual(bars(store).slots, [1, 2, 0]);
});

test("cells are those of the last change, read one by one or as a list, also when most of what came is cleared away", () => {
  let seed = 1;
  const dice = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const model = new Map<number, Value[]>();
  const change = (): [number, ...Value[]][] => {
    const rows = new Map<number, Value[]>();
    for (let count = dice(3) ? dice(60) : 300; count >= 0; count--) rows.set(1 + dice(190), [dice(5) ? `text ${dice(1_000)}` : null, dice(1_000), -dice(9)]);
    for (const [id, row] of rows) model.set(id, row);
    return [...rows].map(([id, row]) => [id, ...row]);
  };
  const store = new Store();
  store.apply(frame(-1, 0, [[1, null, 0, 0], [2, "b", 1, 1], ...change()]));
  model.set(1, model.get(1) ?? [null, 0, 0]).set(2, model.get(2) ?? ["b", 1, 1]);
  const check = (one: Store, held: ReadonlyMap<number, Value[]>): void => {
    assert.equal(one.size, held.size);
    for (const [id, row] of held) {
      const slot = one.slot(id) ?? -1;
      assert.deepEqual(row.map((_, column) => one.value(slot, column)), row);
    }
  };
  let kept: [Store, Map<number, Value[]>] | undefined;
  for (let version = 0; version < 400; version++) {
    const removed = [...model.keys()].filter(() => dice(12) === 0);
    for (const id of removed) model.delete(id);
    assert.ok(store.apply(frame(version, version + 1, change(), removed)));
    check(store, model);
    if (version === 150) store.column(1); // It is a list from now on.
    if (version > 150) for (const [id, row] of model) assert.equal(store.column(1)[store.slot(id) ?? -1], row[1]);
    if (version === 200) kept = [store.copy(), new Map(model)];
  }
  assert.ok(kept);
  check(...kept);
  kept[0].complete(0, 0, "whole");
  assert.equal(kept[0].value(0, 0), "whole");
  for (const [id, row] of model) assert.equal(store.column(0)[store.slot(id) ?? -1], row[0]);
  check(store, model);
});
