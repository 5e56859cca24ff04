// Which columns are shown, in which order, how wide the reader made them, and which of very many are drawn. No DOM here.

import type { Column, Kind } from "./cells";

/** Up to so many columns are all drawn, as wide as their cells; of more only those in sight, by widths of their own. */
const MANY = 40;
/** Columns drawn beyond those in sight on either side. */
const MARGIN = 6;
const NARROWEST = 32; // Pixels.
const WIDEST = 320;
const CHARACTER = 8;
/** Characters that a column has room for, by the kind of its values. */
const ROOM: Partial<Record<Kind, number>> = { integer: 8, float: 16, timestamp: 25 };
/** Stands in `drawn` for the columns that are left out there. */
export const GAP = -1;

export class Columns {
  /** The columns that are shown, in order. */
  shown: readonly number[];
  /** Those that are drawn, with gaps. */
  drawn: readonly number[] = [];
  /** Pixels of the gaps, in order. */
  gaps: readonly number[] = [];
  /** The column that does not scroll away: the first of the key. */
  readonly pinned: number;
  /** Pixels of the columns that the reader made wider or narrower. */
  readonly widths = new Map<number, number>();
  readonly #all: readonly Column[];
  readonly #hidden = new Set<number>();
  #order: readonly number[];
  #places = new Map<number, number>();
  /** By place: pixels from the left; one more, for the end. */
  #lefts: number[] = [];

  constructor(all: readonly Column[]) {
    this.#all = all;
    this.#order = this.shown = [...all.keys()];
    this.pinned = all.findIndex(({ key }) => key);
    this.#changed();
  }

  /** Whether there are so many that only some are drawn. */
  get isMany(): boolean {
    return this.shown.length > MANY;
  }

  /** Where a column stands among those that are shown. */
  place(column: number): number | undefined {
    return this.#places.get(column);
  }

  isHidden(column: number): boolean {
    return this.#hidden.has(column);
  }

  setHidden(column: number, isHidden: boolean): void {
    if (isHidden) this.#hidden.add(column);
    else this.#hidden.delete(column);
    this.#changed();
  }

  /** Puts a column where another is shown. */
  move(column: number, place: number): void {
    const target = this.shown[Math.max(0, Math.min(place, this.shown.length - 1))];
    const order = this.#order.filter((other) => other !== column);
    const from = this.#order.indexOf(column);
    const to = this.#order.indexOf(target ?? column);
    order.splice(to, 0, column);
    if (from !== to) this.#order = order;
    this.#changed();
  }

  resize(column: number, width: number): void {
    this.widths.set(column, Math.max(NARROWEST, width));
    if (this.isMany) this.#measure();
  }

  /** How wide a column of very many is. */
  width(column: number): number {
    const described = this.#all[column];
    if (!described) return 0;
    const characters = Math.max(described.name.length, ROOM[described.kind] ?? 14);
    return this.widths.get(column) ?? Math.min(WIDEST, 28 + CHARACTER * characters);
  }

  /** Pixels of very many columns together. */
  get total(): number {
    return this.#lefts.at(-1) ?? 0;
  }

  /** Pixels to the left of a column of very many. */
  left(column: number): number {
    return this.#lefts[this.#places.get(column) ?? 0] ?? 0;
  }

  /**
   * Chooses the columns to draw.
   * @param left Pixels that are scrolled away, and pixels that are in sight from there.
   * @returns Whether others are drawn than before.
   */
  look(left: number, width: number): boolean {
    const before = this.drawn;
    if (!this.isMany) {
      this.drawn = this.shown;
      return before !== this.drawn;
    }
    const first = this.#at(left);
    const last = this.#at(left + width);
    if (before.length > 0 && this.#isDrawn(first) && this.#isDrawn(last)) return false;

    const [from, to] = [Math.max(0, first - MARGIN), Math.min(this.shown.length, last + 1 + MARGIN)];
    const pinned = this.#places.get(this.pinned);
    const isPinApart = pinned !== undefined && pinned < from;
    const gap = (this.#lefts[from] ?? 0) - (isPinApart ? this.width(this.pinned) : 0);
    const rest = this.total - (this.#lefts[to] ?? 0);
    this.gaps = [gap, rest].filter(Boolean);
    const parts = [isPinApart ? this.pinned : [], gap ? GAP : [], this.shown.slice(from, to), rest ? GAP : []];
    this.drawn = parts.flat();
    return true;
  }

  #isDrawn(place: number): boolean {
    return this.drawn.includes(this.shown[place] ?? GAP);
  }

  /** The place at some pixels from the left. */
  #at(pixels: number): number {
    const next = this.#lefts.findIndex((left) => left > pixels);
    return (next < 0 ? this.shown.length : Math.max(1, next)) - 1;
  }

  #changed(): void {
    this.shown = this.#order.filter((column) => !this.#hidden.has(column));
    this.#places = new Map(this.shown.map((column, place) => [column, place]));
    this.#measure();
  }

  #measure(): void {
    this.drawn = [];
    let left = 0;
    this.#lefts = this.isMany ? [0, ...this.shown.map((column) => (left += this.width(column)))] : [];
  }
}
