import assert from "node:assert/strict";
import { test } from "node:test";
import { Far } from "../src/far";
import { Wishes } from "../src/filter";
import type { Rows } from "../src/frames";
import type { Sort } from "../src/order";
import type { Asks, Question } from "../src/session";
import { Store } from "../src/store";

const ROWS: Rows = { ids: [1], values: [["a"]], lengths: [] };

test("after a slow answer changes wait, and what the reader wants does not", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const near = new Store();
  near.columns = [{ name: "name", sql_type: "TEXT", kind: "text", key: false, scale: 0, zoned: false }];
  near.status = { text: "live", failed: false, notice: "", rows: 9, changes: 0, changed_at: null, form: "direct", verified_at: null };
  const asked: Question[] = [];
  const ask: Asks = (question) => {
    asked.push(question);
    now += 1_000;
    return Promise.resolve({ reply: { kind: "answer", number: "p 1", hits: 1, rows: 9, names: ["name"] }, buffers: [] });
  };
  let sort: Sort | undefined;
  const far = new Far({ near, wishes: new Wishes(), ask, read: () => ROWS, sort: () => sort, changed: () => undefined });
  const answered = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  await answered();
  assert.ok(far.isHere);
  near.tick++;
  far.follow();
  assert.equal(asked.length, 1);
  sort = { column: 0, descending: true };
  assert.ok(!far.isHere);
  far.follow();
  assert.equal(asked.length, 2);
  await answered();
  assert.ok(far.isHere);
  near.tick++;
  context.mock.timers.tick(1_999);
  assert.equal(asked.length, 2);
  context.mock.timers.tick(1);
  assert.equal(asked.length, 3);
  far.end();
});
