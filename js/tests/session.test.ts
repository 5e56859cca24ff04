import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { decimal, fixedSizeBinary, int64, tableFromArrays, tableToIPC } from "@uwdata/flechette";
import type { Message } from "../src/frames";
import { Session, type Answer, type View } from "../src/session";

const status = { text: "live", failed: false, notice: "", rows: 1, changes: 0, changed_at: null, form: "direct", verified_at: null };

function message(fields: Partial<Message>): Message {
  return { kind: "frame", frame: 1, part: 0, parts: 1, base: -1, version: 1, status, columns: [], ...fields };
}

/** A view of bytes at an odd offset, as messages bring them. */
function odd(bytes: Uint8Array): DataView {
  const room = new Uint8Array(bytes.length + 3);
  room.set(bytes, 3);
  return new DataView(room.buffer, 3, bytes.length);
}

function rows(ids: bigint[], removed: bigint[] = []): DataView[] {
  const table = tableFromArrays(
    { "0": ids.map(() => 2n ** 63n - 1n), "0.length": ids.map(() => 7), id: ids },
    { types: { "0": int64(), id: int64() } },
  );
  const bytes = tableToIPC(table, { format: "stream" });
  assert.ok(bytes);
  return [odd(bytes), odd(new Uint8Array(BigInt64Array.from(removed).buffer))];
}

function view(parts: Partial<View> = {}): View {
  return { refresh: () => undefined, isNotebookOpen: () => true, ...parts };
}

function start(context: TestContext): { session: Session; said: Answer[]; tick: (time?: number) => void } {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const said: Answer[] = [];
  const session = new Session("p", (answer) => said.push(answer));
  return { session, said, tick: (time = 900) => context.mock.timers.tick(time) };
}

/** The value of a row's only column. */
function held(session: Session, id: number): unknown {
  return session.store.value(session.store.slot(id) ?? -1, 0);
}

test("rows and removed ids are read exactly, at any alignment", (context) => {
  const { session } = start(context);
  session.take(message({}), rows([1n, 2n ** 40n + 1n]));
  assert.deepEqual(session.store.ids, [1, 2 ** 40 + 1]);
  assert.equal(held(session, 1), 2n ** 63n - 1n);
  assert.equal(session.store.length(0, 0), 7);
  session.take(message({ frame: 2, base: 1, version: 2, columns: null }), rows([], [1n]));
  assert.equal(session.store.slot(1), undefined);
  assert.equal(held(session, 2 ** 40 + 1), 2n ** 63n - 1n);
});

test("decimals and bytes come as they are", (context) => {
  const { session } = start(context);
  const table = tableFromArrays(
    { "0": [-50n], "1": [Uint8Array.of(1, 2)], "2": [2n ** 53n + 1n], id: [1n] },
    { types: { "0": decimal(38, 2, 128), "1": fixedSizeBinary(2), "2": decimal(38, 0, 128), id: int64() }, useDecimalInt: true },
  );
  const bytes = tableToIPC(table, { format: "stream" });
  assert.ok(bytes);
  session.take(message({}), [odd(bytes), odd(new Uint8Array())]);
  const values = [0, 1, 2].map((column) => session.store.value(0, column));
  assert.deepEqual(values, [-50, Uint8Array.of(1, 2), 2n ** 53n + 1n]);
});

test("the first frame is shown part by part, a later one whole or not at all", (context) => {
  const { session, said, tick } = start(context);
  session.attach(view());
  session.take(message({ parts: 2 }), rows([1n]));
  assert.equal(session.store.size, 1);
  tick();
  assert.deepEqual(said, []); // It is acknowledged at its end.
  session.take(message({ parts: 2, part: 1 }), rows([2n]));
  assert.equal(session.store.size, 2);
  tick();
  assert.deepEqual(said, [{ kind: "ack", frame: 1 }]);
  session.take(message({ frame: 3, version: 3, parts: 3 }), rows([1n]));
  session.take(message({ frame: 3, version: 3, parts: 3, part: 2 }), rows([3n]));
  assert.equal(session.store.version, 1);
  session.take(message({ frame: 4, base: 3, version: 4 }), rows([1n]));
  assert.deepEqual(said.at(-1), { kind: "hello", page: "p" });
});

test("a first frame of which a part is lost is asked for again", (context) => {
  const { session, said } = start(context);
  session.hello();
  session.take(message({ parts: 3 }), rows([1n]));
  session.take(message({ parts: 3, part: 2 }), rows([3n]));
  assert.deepEqual(session.store.ids, [1]);
  session.take(message({ frame: 2, base: 1, version: 2 }), rows([1n]));
  assert.deepEqual(said, [{ kind: "hello", page: "p" }, { kind: "hello", page: "p" }]);
  session.take(message({ frame: 3, version: 2 }), rows([1n, 2n, 3n]));
  assert.deepEqual(session.store.ids, [1, 2, 3]);
});

test("a frame that comes twice, or before another, changes nothing that it should not", (context) => {
  const { session, said } = start(context);
  session.take(message({}), rows([1n]));
  const [second, third] = [message({ frame: 2, base: 1, version: 2 }), message({ frame: 3, base: 2, version: 3 })];
  session.take(third, rows([3n], [1n]));
  assert.deepEqual([session.store.ids, session.store.version], [[1], 1]);
  assert.deepEqual(said, [{ kind: "hello", page: "p" }]);
  session.take(second, rows([2n]));
  session.take(second, rows([2n], [1n]));
  assert.deepEqual([session.store.ids, session.store.version], [[1, 2], 2]);
  session.take(message({ frame: 4, version: 3 }), rows([2n, 3n]));
  assert.deepEqual([session.store.ids, session.store.version], [[2, 3], 3]);
});

test("a frame that cannot be read is no end: all rows are asked for, at leisure", (context) => {
  const { session, said, tick } = start(context);
  const broken = [new Uint8Array([1, 2, 3, 255]), new Uint8Array(8)].map(odd);
  session.take(message({ count: 3 }), broken);
  session.take(message({ frame: 2, version: 2, parts: 2, count: 3 }), broken);
  assert.deepEqual([session.store.version, said], [-1, []]);
  tick(1_000);
  assert.deepEqual(said, [{ kind: "hello", page: "p" }]);
  session.take(message({ frame: 3, version: 2 }), rows([1n]));
  const [table] = rows([2n]);
  assert.ok(table);
  const half = new DataView(table.buffer, table.byteOffset, table.byteLength / 2);
  session.take(message({ frame: 4, base: 2, version: 3, count: 1 }), [half, odd(new Uint8Array(0))]);
  assert.deepEqual([session.store.ids, session.store.version], [[1], 2]);
  tick(1_000);
  assert.equal(said.length, 2);
});

test("hello is said once until rows come", (context) => {
  const { session, said } = start(context);
  session.hello();
  session.take(message({ base: 3, version: 4 }), rows([1n]));
  assert.deepEqual(said, [{ kind: "hello", page: "p" }]);
  session.take(message({ version: 5 }), rows([1n]));
  session.take(message({ base: 8, version: 9 }), rows([1n]));
  assert.deepEqual(said, [{ kind: "hello", page: "p" }, { kind: "hello", page: "p" }]);
});

test("frames are acknowledged together, and only while somebody looks", (context) => {
  const { session, said, tick } = start(context);
  session.take(message({ frame: 1 }), rows([1n]));
  tick();
  assert.deepEqual(said, []);
  const refreshed: string[] = [];
  const detach = session.attach(view({ refresh: (ended) => void refreshed.push(ended) }));
  session.take(message({ frame: 2, base: 1, version: 2 }), rows([1n]));
  session.take(message({ frame: 3, base: 2, version: 3 }), rows([1n]));
  tick();
  assert.deepEqual(said, [{ kind: "ack", frame: 3 }]);
  detach();
  session.take(message({ frame: 4, base: 3, version: 4 }), rows([1n]));
  tick();
  assert.equal(said.length, 1);
  session.attach(view());
  tick();
  assert.deepEqual(said[1], { kind: "ack", frame: 4 });
  assert.deepEqual(refreshed, ["", "", ""]);
});

test("a page leaves as many frames unanswered as the kernel allows", (context) => {
  const { session, said, tick } = start(context);
  session.attach(view());
  const frame = (number: number, credit: number): void =>
    session.take(message({ frame: number, base: number - 2, version: number - 1, credit }), rows([1n]));
  for (let number = 1; number < 8; number++) frame(number, 5);
  assert.deepEqual(said, [{ kind: "ack", frame: 5 }]);
  frame(8, 3);
  assert.deepEqual(said.at(-1), { kind: "ack", frame: 8 });
  frame(9, 3);
  tick();
  assert.deepEqual(said.at(-1), { kind: "ack", frame: 9 });
});

test("every third frame is acknowledged at once", (context) => {
  const { session, said, tick } = start(context);
  session.attach(view());
  for (let frame = 1; frame < 9; frame++) session.take(message({ frame, base: frame - 2, version: frame - 1 }), rows([1n]));
  assert.deepEqual(said, [{ kind: "ack", frame: 3 }, { kind: "ack", frame: 6 }]);
  tick();
  assert.deepEqual(said.at(-1), { kind: "ack", frame: 8 });
});

test("a page that is not in front acknowledges nothing until it is", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const said: Answer[] = [];
  let isHidden = true;
  const session = new Session("p", (answer) => said.push(answer), () => isHidden);
  session.attach(view());
  session.take(message({ frame: 1 }), rows([1n]));
  context.mock.timers.tick(1_000);
  session.comeBack();
  context.mock.timers.tick(1_000);
  assert.deepEqual(said, []);
  isHidden = false;
  session.comeBack();
  context.mock.timers.tick(1_000);
  assert.deepEqual(said, [{ kind: "ack", frame: 1 }]);
});

test("a lost kernel is told to the views until it speaks again", (context) => {
  const { session, said } = start(context);
  const states: string[] = [];
  session.attach(view({ refresh: (ended) => void states.push(ended) }));
  session.connectionChanged();
  session.take(message({}), rows([1n]));
  assert.deepEqual(states, ["", "stopped: the kernel has gone", ""]);
  assert.deepEqual(said, [{ kind: "hello", page: "p" }]);
});

test("the end is told with its reason", (context) => {
  const { session } = start(context);
  const states: string[] = [];
  session.attach(view({ refresh: (ended) => void states.push(ended) }));
  session.end("stopped: closed");
  session.connectionChanged();
  assert.deepEqual(states, ["", "stopped: closed", "stopped: closed"]);
});

test("a closed channel is no exception", () => {
  const session = new Session("p", () => {
    throw new Error("comm closed");
  });
  session.hello();
  session.connectionChanged();
  assert.equal(session.store.version, -1);
});

const UNSEEN: Answer = { kind: "unseen", page: "p" };

test("a table whose output was deleted is told to the kernel, again and again", (context) => {
  const { session, said, tick } = start(context);
  tick(100_000); // The page was loaded, and shows nothing yet.
  assert.deepEqual(said, []);
  session.attach(view())();
  tick(900);
  assert.deepEqual(said, []);
  tick(100);
  assert.deepEqual(said, [UNSEEN]);
  tick(30_000);
  tick(30_000);
  assert.deepEqual(said, [UNSEEN, UNSEEN, UNSEEN]);
  session.dispose();
  tick(60_000);
  assert.equal(said.length, 3);
});

test("a cell that is moved, and a second view, are no end", (context) => {
  const { session, said, tick } = start(context);
  const detach = session.attach(view());
  const other = session.attach(view());
  detach();
  tick(60_000);
  other();
  session.attach(view());
  tick(60_000);
  assert.deepEqual(said, []);
});

test("a table that is shown again after it was told to be unseen is told to be seen", (context) => {
  const { session, said, tick } = start(context);
  session.attach(view())();
  session.take(message({ frame: 1 }), rows([1n]));
  tick(1_000);
  session.attach(view());
  tick();
  assert.deepEqual(said, [UNSEEN, { kind: "ack", frame: 1 }]);
  tick(60_000);
  assert.equal(said.length, 2);
});

test("a notebook that is closed says nothing: its reader may come back", (context) => {
  const { session, said, tick } = start(context);
  session.attach(view({ isNotebookOpen: () => false }))();
  tick(100_000);
  assert.deepEqual(said, []);
});

test("an end is told once that nobody shows it", (context) => {
  const { session, said, tick } = start(context);
  const detach = session.attach(view());
  session.end("stopped: closed");
  detach();
  tick(100_000);
  assert.deepEqual(said, [UNSEEN]);
});

test("of two pages that ask at once, each takes its own answer", async () => {
  const asked: Answer[] = [];
  const pages = ["one", "two"].map((name) => new Session(name, (answer) => asked.push(answer)));
  const answers = pages.map((page) => page.question({ about: "moments" }));
  // Whatever the kernel says, all pages hear.
  for (const question of [...asked].reverse()) {
    if (question.kind !== "question") continue;
    for (const page of pages) page.answered({ kind: "answer", number: question.number, for: question.number }, []);
  }
  const numbers = (await Promise.all(answers)).map(({ reply }) => reply["for"]);
  assert.deepEqual(numbers, asked.map((question) => question.kind === "question" && question.number));
  assert.equal(new Set(numbers).size, 2);
});
