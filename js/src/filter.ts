// Which rows a reader wants to see: a text anywhere in a row, and conditions on columns (`conditions.ts`).

import { cellText, isLong } from "./cells";
import type { Condition } from "./conditions";
import type { Filter } from "./order";
import type { Store } from "./store";

/** A condition that was chosen for a column. */
export interface Chosen {
  readonly condition: Condition;
  readonly words: string;
  /** What it demands of a row. */
  filter(store: Store): Filter;
}

/** What a reader asked for, and how it is told. */
export class Wishes {
  /** A text that a row has to hold somewhere, as it is shown. */
  search = "";
  /** By column. */
  readonly conditions = new Map<number, Chosen>();

  get isEmpty(): boolean {
    return this.search === "" && this.conditions.size === 0;
  }

  filter(store: Store): Filter | undefined {
    if (this.isEmpty) return undefined;
    const all = [...this.conditions.values()].map((chosen) => chosen.filter(store));
    if (this.search) all.push(anywhere(store, this.search.toLowerCase()));
    return (slot) => all.every((matches) => matches(slot));
  }

  /** Whether the page cannot know, because it looks into values of which it holds only the start. */
  isUnsure(store: Store): boolean {
    const looked = [...this.conditions].filter(([, { condition: { kind } }]) => kind === "contains" || kind === "one of");
    const columns = this.search ? store.columns.map((_, column) => column) : looked.map(([column]) => column);
    return columns.some((column) => store.hasCut(column));
  }
}

function anywhere(store: Store, wanted: string): Filter {
  return (slot) =>
    store.columns.some((column, index) => {
      const value = store.column(index)[slot] ?? null;
      if (value === null) return false;
      const text = isLong(column) ? String(value) : cellText(value, column, store.length(slot, index));
      return text.toLowerCase().includes(wanted);
    });
}
