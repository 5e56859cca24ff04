// A chart of some columns below the table: drawn by the module of live charts, from the rows that the page holds.

import { isNumber, visible, type Column, type Value } from "./cells";
import { button, element, select, setText } from "./dom";
import type { Place } from "./more";
import { part } from "./parts";
import type { Store } from "./store";

/** The first of those in `kalam_notebook/results/chart.py`. */
const COLOUR = "#2f81f7";
const KINDS = ["line", "points", "bar"] as const;

/** Fields for what is drawn, and a button that does it. */
export function chartFields(place: Place): HTMLElement[] {
  const { columns } = place.store();
  const all = [...columns.keys()];
  const numbers = all.filter((index) => isDrawn(columns[index]));
  const names = (places: readonly number[]): string[] => places.map((index) => visible(columns[index]?.name ?? ""));
  const kind = select("Kind", KINDS);
  const across = select("Along", names(all));
  const up = select("Height", names(numbers));
  const told = element("span", "kl-told");
  told.setAttribute("role", "status");
  // Along the first time, a number that is not the key.
  across.selectedIndex = Math.max(0, columns.findIndex((column) => isAlong(column) && !isDrawn(column)));
  up.selectedIndex = Math.max(0, numbers.findIndex((index) => index !== across.selectedIndex && !columns[index]?.key));
  const draw = button("Draw", "Draw these columns below the table", () => {
    const [x, y] = [all[across.selectedIndex] ?? 0, numbers[up.selectedIndex] ?? 0];
    const chosen = KINDS[kind.selectedIndex] ?? "line";
    const column = columns[x];
    if (chosen !== "bar" && !isAlong(column)) {
      setText(told, `${visible(column?.name ?? "")} is neither a number nor a time: bars can stand along it.`);
      return;
    }
    setText(told, "");
    open(place, chosen, [x, y]).catch((error: unknown) => setText(told, error instanceof Error ? error.message : String(error)));
  });
  if (numbers.length === 0) setText(told, "No column holds numbers to draw.");
  draw.disabled = numbers.length === 0;
  return [kind, across, up, draw, told];
}

function isDrawn(column: Column | undefined): boolean {
  return column !== undefined && isNumber(column);
}

function isAlong(column: Column | undefined): boolean {
  return isDrawn(column) || column?.kind === "timestamp" || column?.kind === "date";
}

async function open(place: Place, kind: (typeof KINDS)[number], columns: readonly number[]): Promise<void> {
  const { ChartPanel } = await part<typeof import("./live_chart")>("live_chart", place.ask);
  const drawn = new Projection(() => place.store(), columns) as unknown as Store;
  const chart = new ChartPanel({ sql: place.sql(), twin: "", kind, colours: [COLOUR], isBeside: true }, drawn, () => undefined);
  const root = element("section", "");
  root.setAttribute("aria-label", "Chart of the table");
  const known = place.store().columns;
  const follow = (): void => {
    if (place.store().columns === known) chart.refresh("");
    else close(); // Of columns that may be gone.
  };
  const close = (): void => {
    place.unfollow(follow);
    chart.dispose();
    root.remove();
  };
  const bar = element("div", "kl-bar");
  bar.append(button("Close the chart", "Take the chart away", close));
  root.append(chart.root, bar);
  place.root.append(root);
  place.follow(follow);
}

/** Some columns of a store, in an order of their own. */
class Projection {
  readonly columns: readonly Column[];
  readonly #places: readonly number[];
  readonly #look: () => Store;

  /** @param look Gives the store, which may be another one later. */
  constructor(look: () => Store, places: readonly number[]) {
    this.#look = look;
    this.#places = places;
    this.columns = places.flatMap((place) => look().columns[place] ?? []);
  }

  get status(): Store["status"] {
    return this.#look().status;
  }

  get size(): number {
    return this.#look().size;
  }

  get ids(): readonly number[] {
    return this.#look().ids;
  }

  get tick(): number {
    return this.#look().tick;
  }

  column(index: number): readonly Value[] {
    return this.#look().column(this.#places[index] ?? -1);
  }

  value(slot: number, index: number): Value {
    return this.#look().value(slot, this.#places[index] ?? -1);
  }

  length(slot: number, index: number): number | undefined {
    return this.#look().length(slot, this.#places[index] ?? -1);
  }

  copy(): Projection {
    const store = this.#look().copy();
    return new Projection(() => store, this.#places);
  }
}
