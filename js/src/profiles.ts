// Profiles of the columns, each below its header, for as long as the reader wants them.

import { cellText, grouped, type Column, type Value } from "./cells";
import { element, setText } from "./dom";
import type { Place } from "./more";
import { Profile } from "./profile";
import style from "./profiles.css";

const REST = 500; // Milliseconds between two drawings of profiles whose rows go on to change.

interface Shown {
  readonly profile: Profile;
  readonly root: HTMLElement;
}

export class Profiles {
  readonly #place: Place;
  readonly #shown = new Map<number, Shown>();
  readonly #style = element("style", "", style);
  #columns: readonly Column[] | undefined;
  #drawnAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(place: Place) {
    this.#place = place;
    place.root.append(this.#style);
    place.follow(this.#follow);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#place.unfollow(this.#follow);
    this.#style.remove();
    for (const { root } of this.#shown.values()) root.remove();
  }

  readonly #follow = (): void => this.#draw();

  /** Brings the profiles of the columns that are drawn up to date: at once where one is new, else not too often. */
  #draw(): void {
    const store = this.#place.store();
    if (this.#columns !== store.columns) this.#shown.clear();
    this.#columns = store.columns;
    const heads = this.#place.heads();
    const isNew = heads.some(([column]) => !this.#shown.has(column));
    const wait = this.#drawnAt + REST - performance.now();
    if (!isNew && wait > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#draw();
      }, wait);
      return;
    }
    this.#drawnAt = performance.now();
    for (const [index, head] of heads) {
      const column = store.columns[index];
      if (!column) continue;
      const shown = this.#shown.get(index) ?? { profile: new Profile(index, column), root: element("div", "kl-profile") };
      this.#shown.set(index, shown);
      if (shown.root.parentNode !== head) head.append(shown.root);
      shown.profile.follow(store);
      const isPart = store.size < (store.status?.rows ?? 0);
      fill(shown, column, store.hasCut(index), isPart ? ` in the first ${grouped(store.size)} rows` : "");
    }
  }
}

/**
 * @param isCut Whether the page holds only the start of some values.
 * @param of Which rows were looked at, if not all.
 */
function fill({ profile, root }: Shown, column: Column, isCut: boolean, of: string): void {
  const spread = profile.spread();
  const told = [`${isCut ? "at least " : ""}${grouped(profile.distinct)} distinct`];
  if (profile.nulls > 0) told.unshift(`${grouped(profile.nulls)} NULL`);
  const parts: HTMLElement[] = [];
  if (spread) {
    const most = Math.max(...spread.bins, 1);
    const bars = element("div", "kl-bars");
    bars.setAttribute("aria-hidden", "true"); // Its ends are told below it.
    bars.append(
      ...spread.bins.map((count) => {
        const bar = element("i", "");
        bar.style.height = `${count && Math.max(1, Math.round((24 * count) / most))}px`;
        bar.title = `${grouped(count)} rows`;
        return bar;
      }),
    );
    parts.push(bars, element("div", "", `${text(spread.least, column)} … ${text(spread.most, column)}`));
  } else {
    parts.push(
      ...profile.frequent().map(({ value, count }) => {
        const line = element("div", "kl-often");
        line.append(element("span", "", text(value, column) || "empty"), element("b", "", grouped(count)));
        return line;
      }),
    );
  }
  const facts = element("small", "");
  setText(facts, told.join(" · ") + of);
  root.replaceChildren(...parts, facts);
}

function text(value: Value, column: Column): string {
  const isText = typeof value === "string" && (column.kind === "bytes" || column.kind === "uuid" || column.kind.startsWith("list"));
  return isText ? value : cellText(value, column);
}
