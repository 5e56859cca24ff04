// Rows that the page does not hold: the kernel sorts and filters all of them, and sends those in sight. What it sends is
// kept in a store of its own, which is a window of the rows. No DOM here.

import { grouped } from "./cells";
import { forKernel } from "./conditions";
import type { Wishes } from "./filter";
import type { Rows } from "./frames";
import type { Sort } from "./order";
import type { Asks } from "./session";
import type { Store } from "./store";

const AROUND = 150; // Rows that are asked for before and behind those in sight.
const NEAR = 50; // Rows from the edge of those at which others are asked for.
const PATIENCE = 500; // Milliseconds until the page says that the kernel is busy.
const AGAIN = 150; // Milliseconds until a question is repeated that the kernel is working on.
const REST = 2; // Times as long as an answer took, until the next question about the same rows.
const MOST = 100_000; // Rows that are asked for at once, for a copy.

export interface FarHost {
  /** The rows that the page holds, of which the columns and the version count. */
  readonly near: Store;
  readonly wishes: Wishes;
  readonly ask: Asks;
  read(rows: DataView | undefined): Rows;
  sort(): Sort | undefined;
  /** There is something else to show. */
  changed(): void;
}

let made = 0;

export class Far {
  /** The rows of the last answer. */
  readonly store: Store;
  /** Why there is no answer to what is wanted now, in words; "" while one is on its way or here. */
  told = "";
  readonly #host: FarHost;
  /** What the last answer was for. */
  #held = "";
  #tick = -1;
  /** Rows with greater numbers have appeared since the last answer. */
  #newest = Infinity;
  #first = 0;
  #last = AROUND;
  #isAsking = false;
  #wait: ReturnType<typeof setTimeout> | undefined;
  /** Whether the wait is a rest after an answer. */
  #rests = false;
  #isOver = false;

  constructor(host: FarHost) {
    this.#host = host;
    this.store = host.near.fresh();
    this.store.epoch = 1e9 * ++made; // Slots of other stores are told apart.
    this.follow();
  }

  /** Whether the rows that are wanted are here. */
  get isHere(): boolean {
    return this.#held !== "" && this.#held === this.#wanted();
  }

  /** Rows between two places are in sight. */
  look(first: number, last: number): void {
    [this.#first, this.#last] = [first, last];
    this.follow();
  }

  /** Asks for what is wanted and not here. */
  follow(): void {
    if (this.#isAsking || this.#isOver) return;
    const { window } = this.store;
    const isInside =
      window !== undefined &&
      (window.from === 0 || this.#first - NEAR >= window.from) &&
      (window.from + this.store.size >= window.count || this.#last + NEAR <= window.from + this.store.size);
    const isMissing = !this.isHere || !isInside;
    // Changes can wait, a reader who wants something else does not.
    if (this.#wait !== undefined && !(isMissing && this.#rests)) return;
    clearTimeout(this.#wait);
    this.#wait = undefined;
    if (isMissing || this.#tick !== this.#host.near.tick) void this.#ask();
  }

  /** All rows that are wanted, or why they cannot be had. */
  async all(): Promise<Store | string> {
    const { count } = this.store.window ?? { count: 0 };
    if (count > MOST) return `${grouped(count)} rows are more than a page takes at once: choose cells or filter; in Python, live.df() has all`;
    const { reply, buffers } = await this.#host.ask(this.#question(0, count));
    const store = this.#host.near.fresh();
    if (!reply["pending"]) put(store, this.#host.near, this.#host.read(buffers[0]), 0, count);
    return store.size === count ? store : "the rows are just changing, or do not fit; try again";
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#wait);
  }

  #question(from: number, count: number): Parameters<Asks>[0] {
    const { near, wishes } = this.#host;
    const sort = this.#host.sort();
    const name = (column: number): string => near.columns[column]?.name ?? "";
    const conditions = [...wishes.conditions].flatMap(([column, { condition }]) => {
      const described = near.columns[column];
      return described ? [{ column, name: name(column), ...forKernel(condition, described) }] : [];
    });
    const order = sort ? { column: sort.column, name: name(sort.column), descending: sort.descending } : null;
    return { about: "range", sort: order, search: wishes.search, conditions, from, count };
  }

  #wanted(): string {
    return JSON.stringify([this.#question(0, 0), this.#host.near.columns.map(({ name }) => name)]);
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    const { near } = this.#host;
    const [wanted, tick, began] = [this.#wanted(), near.tick, performance.now()];
    const from = Math.max(0, this.#first - AROUND);
    const late = setTimeout(() => this.#tell("the kernel is busy"), PATIENCE);
    let pause = AGAIN;
    this.#rests = false;
    try {
      const { reply, buffers } = await this.#host.ask(this.#question(from, this.#last + AROUND - from));
      if (reply["pending"]) this.#tell("the kernel is sorting");
      else if (wanted === this.#wanted() && JSON.stringify(reply["names"]) === JSON.stringify(near.columns.map(({ name }) => name))) {
        const known = this.#newest;
        put(this.store, near, this.#host.read(buffers[0]), from, reply["hits"] as number, reply["rows"] as number);
        this.#newest = reply["newest"] as number;
        for (const [slot, id] of this.store.ids.entries()) if (id > known) this.store.born[slot] = this.store.tick;
        [this.#held, this.#tick] = [wanted, tick];
        pause = REST * (performance.now() - began);
        this.#rests = true;
        this.#tell("");
      }
    } catch (error) {
      this.#tell(error instanceof Error ? error.message : String(error));
      pause = 10 * AGAIN;
    }
    clearTimeout(late);
    this.#isAsking = false;
    if (this.#isOver) return;
    this.#wait = setTimeout(() => {
      this.#wait = undefined;
      this.follow();
    }, pause);
  }

  #tell(told: string): void {
    this.told = told;
    if (!this.#isOver) this.#host.changed();
  }
}

/** Makes some rows those of a store. */
function put(store: Store, near: Store, rows: Rows, from: number, count: number, all = count): void {
  if (!near.status) return;
  store.version = -1; // So that rows which come into sight are not new.
  store.columns = near.columns;
  store.window = { from, count };
  const status = { ...near.status, rows: all };
  const head = { kind: "frame", frame: 0, part: 0, parts: 1, base: -1, version: 0, columns: null } as const;
  store.apply({ ...head, status, rows: [rows], removed: [], begins: true, ends: true });
}
