// The rows on screen: a table of which only the visible rows are elements, in a box that scrolls by itself.
// Nothing is measured while it is drawn, because a browser would have to lay out the page for that.

import { Alignment } from "./alignment";
import { asWritten, cellText, isNumber, type Column } from "./cells";
import { Columns } from "./columns";
import { element, setAttribute, takeKeys } from "./dom";
import { bare, show, type Shape } from "./drawn";
import type { Part } from "./copy";
import { Flashes, Marks } from "./flash";
import { Heads } from "./heads";
import { Leaving } from "./leaving";
import { Order, nextSort, type Filter, type Sort } from "./order";
import { Selection } from "./selection";
import type { Store } from "./store";

const MARGIN = 4; // Rows drawn above and below the visible ones.
const END = 1e12; // Pixels, more than any table is high.
const TALLEST = 384_000; // Rows that a browser scrolls; of a taller table the rest is left out between.

export interface Listener {
  /** The reader chose an order. */
  onSort(): void;
  /** Other columns are drawn. */
  onArrange(): void;
  /** The reader chose cells. */
  onSelect(): void;
  /** The reader wants to see all of a row. */
  onOpen(id: number): void;
  /** The reader wants a copy of the chosen cells. */
  onCopy(): void;
  /** The rows between two places are in sight, or nearly so. */
  onLook(first: number, last: number): void;
}

/** A row's element, and what it shows: for each column that is drawn a cell, and for each gap. */
interface Line {
  readonly element: HTMLTableRowElement;
  readonly cells: readonly HTMLTableCellElement[];
  readonly texts: string[];
  /** The same of before the last change that was drawn. */
  readonly olds: string[];
  /** The cells whose tooltip was made when they were looked at. */
  readonly told: Set<Element>;
  id: number;
  epoch: number;
  /** The store's tick when it was filled. */
  tick: number;
}

export class Grid {
  readonly box = element("div", "kl-box");
  readonly #order: Order;
  readonly #table = element("table", "");
  readonly #body = element("tbody", "");
  readonly #above = element("tr", "kl-space");
  readonly #below = element("tr", "kl-space");
  readonly #header = element("tr", "");
  readonly #columns: Columns;
  readonly #heads: Heads;
  readonly #flashes = new Flashes();
  readonly #motion = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #sizes: ResizeObserver;
  #lines = new Map<number, Line>();
  readonly #alignment = new Alignment();
  readonly #widths = new Map<Element, number>();
  /** Pixels of the table above the box's edge, as the reader or this class scrolled it. */
  #top = 0;
  /** How many of them are left out of what the box scrolls; whole rows. */
  #leftOut = 0;
  /** Pixels of the box, and of the header and the table in it. */
  #height = 520;
  #width = 1_000;
  #headHeight = 52;
  #tableWidth = 0;
  /** Among the slots, the first row that is drawn. */
  #first = 0;
  /** Whether the reader scrolled to the end. */
  #atEnd = false;
  /** The store's tick that is shown: what came later is marked. */
  #seen: number;
  readonly #selection = new Selection();
  #hadSelection = false;
  readonly #leaving = new Leaving();
  readonly #all: readonly Column[];
  #store: Store;
  readonly #listener: Listener;
  readonly #shape: Shape;

  constructor(columns: readonly Column[], store: Store, label: string, shape: Shape, listener: Listener) {
    this.#all = columns;
    this.#store = store;
    this.#shape = shape;
    this.#listener = listener;
    this.#order = new Order(store);
    this.#seen = store.tick;
    this.#columns = new Columns(columns);
    this.#heads = new Heads(columns, this.#columns, {
      near: (column) => void this.#store.column(column),
      sort: (column) => this.#sort(column),
      resize: (column, width) => this.#resize(column, width),
      move: (column, place) => {
        this.#columns.move(column, place);
        this.#arrange();
      },
    });
    this.#header.setAttribute("aria-rowindex", "1");
    const head = element("thead", "");
    head.append(this.#header);
    for (const space of [this.#above, this.#below]) space.setAttribute("aria-hidden", "true");
    this.#body.append(this.#above, this.#below);
    this.#table.append(head, this.#body);
    this.box.append(this.#table);
    this.box.setAttribute("role", "region");
    this.box.setAttribute("aria-label", label);
    takeKeys(this.box); // The arrow keys scroll it.
    this.box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.#pressed(event));
    this.#body.addEventListener("mousedown", (event) => this.#pointed(event, event.shiftKey));
    this.#body.addEventListener("dblclick", () => {
      getSelection()?.removeAllRanges(); // Of the word that was clicked.
      if (this.chosenRow !== undefined) this.#listener.onOpen(this.chosenRow);
    });
    this.#body.addEventListener("mousemove", (event) => {
      if (event.buttons === 1 && !this.#selection.isEmpty) this.#pointed(event, true);
      else this.#tell(event);
    });
    // Sizes are told after a layout, when reading them costs nothing.
    this.#sizes = new ResizeObserver((entries) => this.#resized(entries));
    for (const target of [this.box, head]) this.#sizes.observe(target);
    this.#arrange();
  }

  /** The column that the rows are sorted by; undefined in the table's own order. */
  get sortedBy(): Sort | undefined {
    return this.#order.sortedBy;
  }

  /** The headers that are drawn, by their columns. */
  get drawnHeads(): readonly (readonly [number, HTMLElement])[] {
    return this.#columns.drawn.filter((column) => column >= 0).map((column) => [column, this.#heads.cell(column)] as const);
  }

  /** How many rows are shown, in sight or not. */
  get count(): number {
    return this.#order.count;
  }

  /** The chosen cells; without a choice all that are shown. */
  get part(): Part {
    const { slots } = this.#order;
    return this.#selection.part(this.#store, slots, this.#columns) ?? { slots: [...slots], columns: this.#columns.shown };
  }

  /** Whether some cells were chosen. */
  get isPartChosen(): boolean {
    return this.#selection.bounds(this.#store, this.#order.slots, this.#columns) !== undefined;
  }

  /** The id of the row that was chosen last, or of the first in sight. */
  get chosenRow(): number | undefined {
    const { slots } = this.#order;
    const row = this.#selection.row(this.#store, slots) ?? this.#firstInSight;
    return this.#store.ids[slots[row] ?? -1];
  }

  /** Among the slots. */
  get #firstInSight(): number {
    return Math.ceil(this.#top / this.#shape.height) - this.#order.from;
  }

  isHidden(column: number): boolean {
    return this.#columns.isHidden(column);
  }

  /** Shows or hides a column. */
  setHidden(column: number, isHidden: boolean): void {
    this.#columns.setHidden(column, isHidden);
    this.#arrange();
  }

  /** Changes the shape. The rows that were in sight stay there. */
  reshape(change: Partial<Shape>): void {
    const { height } = this.#shape;
    Object.assign(this.#shape, change);
    this.#top = (this.#top / height) * this.#shape.height;
    this.#leftOut = (this.#leftOut / height) * this.#shape.height;
    this.#arrange();
    this.#scrollTo(this.#atEnd ? END : this.#top);
  }

  /** Shows the rows of another store with the same columns from now on. */
  look(store: Store): void {
    this.#store = store;
    this.#order.follow(store);
  }

  /** @param filter Which rows are shown; undefined for all. */
  showOnly(filter: Filter | undefined): void {
    this.#order.showOnly(filter);
  }

  /** Shows the store's rows; call it after a frame, at most once per screen refresh. */
  update(): void {
    const { slots: before, ids } = this.#order;
    const isMoved = this.#order.update();
    this.#draw();
    if (!isMoved || this.#order.sortedBy || this.#store.window) return;
    // Who stands at the end of a table stays there, to see what is appended; who stands at its start, to see what is
    // first; anybody else goes on reading the same rows.
    if (this.#atEnd) this.#scrollTo(END);
    else if (this.#top > 0) {
      const { height } = this.#shape;
      const place = this.#order.placeOf(before, ids, Math.floor(this.#top / height), Math.ceil(this.#height / height));
      this.#scrollTo(place * height + (this.#top % height));
    }
  }

  dispose(): void {
    this.#sizes.disconnect();
    this.#flashes.dispose();
  }

  #scrollTo(top: number): void {
    const beyond = this.#beyond;
    const end = Math.max(0, this.#order.count * this.#shape.height - this.#height + this.#headHeight);
    if (beyond > 0 && this.#isFar(top - this.#top)) this.#leftOut = this.#wholeRows((beyond * Math.min(top, end)) / end);
    this.box.scrollTop = top - this.#leftOut;
    if (this.box.clientHeight > 0) this.#top = this.box.scrollTop + this.#leftOut;
    else this.#top = top; // Out of sight, in a tab that is not in front, nothing scrolls.
    this.#draw();
  }

  /** Pixels that the table is taller than what a browser scrolls. */
  get #beyond(): number {
    return Math.max(0, this.#order.count - TALLEST) * this.#shape.height;
  }

  /** Pixels of whole rows only. */
  #wholeRows(pixels: number): number {
    return Math.round(pixels / this.#shape.height) * this.#shape.height;
  }

  /** Whether somebody scrolls past what was in sight, not to what comes next. */
  #isFar(pixels: number): boolean {
    return Math.abs(pixels) > 2 * this.#height;
  }

  /** The cell that the mouse is at, its place in the row, and the row. */
  #at(event: MouseEvent): { cell: HTMLTableCellElement; place: number; line: Line } | undefined {
    const cell = (event.target as Element).closest("td");
    const line = [...this.#lines.values()].find(({ element: row }) => row === cell?.parentNode);
    return cell && line ? { cell, place: line.cells.indexOf(cell), line } : undefined;
  }

  /** Gives a cell that is looked at a tooltip: what has no room in it, and what stood there before. */
  #tell(event: MouseEvent): void {
    const { cell, place = -1, line } = this.#at(event) ?? {};
    if (!cell || !line || line.told.has(cell)) return;
    const isCut = !cell.title && cell.scrollWidth > cell.clientWidth;
    const old = line.olds[place];
    const before = old === undefined ? "" : `Before: ${bare(old) || "empty"}`;
    cell.title = [isCut ? bare(line.texts[place] ?? "") : cell.title, before].filter(Boolean).join("\n");
    line.told.add(cell);
  }

  /** A cell was clicked, or dragged over. */
  #pointed(event: MouseEvent, extend: boolean): void {
    const found = this.#at(event);
    // The second click of two: what the first brought about may have moved another row below the mouse.
    if (event.button !== 0 || event.detail > 1 || !found) return;
    const { place, line } = found;
    const column = this.#columns.drawn[place] ?? -1;
    if (column < 0) return;
    const { slots } = this.#order;
    const at = this.#selection.place(this.#store, slots, this.#columns);
    const isSame = at && at.column === this.#columns.place(column) && this.#store.ids[slots[at.row] ?? -1] === line.id;
    if (extend && isSame) return;
    if (extend) {
      event.preventDefault(); // Cells are chosen, not the letters in them.
      getSelection()?.removeAllRanges();
    }
    this.#select(line.id, column, extend);
  }

  #pressed(event: KeyboardEvent): void {
    const isCommand = event.ctrlKey || event.metaKey;
    const steps: Record<string, [number, number]> = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
    };
    const step = steps[event.key];
    const at = this.#selection.place(this.#store, this.#order.slots, this.#columns);
    if (event.target !== this.box) return;
    if (isCommand && event.key === "c" && at && !getSelection()?.toString()) this.#listener.onCopy();
    else if (isCommand && event.key === "a" && at) this.#selectAll();
    else if (event.key === "Escape" && at) this.#unselect();
    else if (event.key === "Enter" && at) this.#listener.onOpen(this.chosenRow ?? -1);
    else if (event.key === "Enter") this.#moveTo(this.#firstInSight, 0, false);
    else if (step && at && !isCommand) this.#moveTo(at.row + step[0], at.column + step[1], event.shiftKey);
    else return; // The other keys scroll the box.
    event.preventDefault();
  }

  /** Chooses the cell at a place, and brings it into sight. */
  #moveTo(row: number, place: number, extend: boolean): void {
    const slot = this.#order.slots[Math.max(0, Math.min(row, this.#order.slots.length - 1))];
    if (slot === undefined) return;
    const top = (this.#order.from + Math.max(0, Math.min(row, this.#order.slots.length - 1))) * this.#shape.height;
    const room = this.#height - this.#headHeight - this.#shape.height;
    if (top < this.#top || top > this.#top + room) {
      this.#scrollTo(top < this.#top ? top : top - room);
      this.#stay();
    }
    const { shown } = this.#columns;
    const column = shown[Math.max(0, Math.min(place, shown.length - 1))] ?? 0;
    this.#bringIntoSight(column);
    this.#select(this.#store.ids[slot] ?? -1, column, extend);
  }

  /** Scrolls sideways until a column is in sight, beside the one that does not scroll. */
  #bringIntoSight(column: number): void {
    const { isMany, pinned } = this.#columns;
    if (column === pinned) return;
    const head = this.#heads.cell(column);
    const left = isMany ? this.#columns.left(column) : head.offsetLeft;
    const width = isMany ? this.#columns.width(column) : head.offsetWidth;
    const covered = pinned < 0 ? 0 : this.#heads.cell(pinned).offsetWidth;
    if (left - covered < this.box.scrollLeft) this.box.scrollLeft = left - covered;
    else if (left + width > this.box.scrollLeft + this.#width) this.box.scrollLeft = left + width - this.#width;
    this.#lookAside();
  }

  #selectAll(): void {
    const { slots } = this.#order;
    const { shown } = this.#columns;
    this.#selection.choose(this.#store.ids[slots[0] ?? -1] ?? -1, shown[0] ?? 0, false);
    this.#select(this.#store.ids[slots.at(-1) ?? -1] ?? -1, shown.at(-1) ?? 0, true);
  }

  #select(id: number, column: number, extend: boolean): void {
    this.#selection.choose(id, column, extend);
    this.#drawSelection();
    this.#listener.onSelect();
  }

  #unselect(): void {
    this.#selection.clear();
    this.#drawSelection();
    this.#listener.onSelect();
  }

  /** Shows which of the cells in sight are chosen. */
  #drawSelection(): void {
    if (this.#selection.isEmpty && !this.#hadSelection) return;
    const { slots } = this.#order;
    const bounds = this.#selection.bounds(this.#store, slots, this.#columns);
    this.#hadSelection = bounds !== undefined;
    slots.subarray(this.#first, this.#first + this.#lines.size).forEach((slot, index) => {
      const line = this.#lines.get(this.#store.ids[slot] ?? -1);
      const row = this.#first + index;
      const isIn = bounds !== undefined && bounds.top <= row && row <= bounds.bottom;
      line?.cells.forEach((cell, index) => {
        const place = this.#columns.place(this.#columns.drawn[index] ?? -1) ?? -1;
        cell.classList.toggle("kl-chosen", isIn && bounds.left <= place && place <= bounds.right);
      });
    });
  }

  #resized(entries: readonly ResizeObserverEntry[]): void {
    for (const { target, borderBoxSize, contentRect } of entries) {
      if (target === this.box) {
        this.#height = contentRect.height || this.#height;
        this.#width = contentRect.width || this.#width;
        this.#lookAside();
        // A browser brings a box that was out of sight back to where it was then.
        this.#scrollTo(this.#top);
      } else if (target === this.#table.tHead) {
        this.#headHeight = contentRect.height;
        this.#tableWidth = contentRect.width;
      } else this.#keepWidth(target as HTMLElement, borderBoxSize[0]?.inlineSize ?? 0);
    }
    // Cells that stay while others scroll cost a browser work for each change, so there are none where nothing scrolls.
    this.box.classList.toggle("kl-wide", this.#tableWidth > this.#width);
  }

  #resize(column: number, width: number): void {
    this.#columns.resize(column, width);
    if (this.#columns.isMany) {
      this.#arrange();
      return;
    }
    const place = this.#columns.drawn.indexOf(column);
    const cells = [...this.#lines.values()].map((line) => line.cells[place]);
    for (const cell of [this.#heads.cell(column), ...cells]) if (cell) this.#dress(cell, column);
  }

  /** Draws the columns as they are shown now. */
  #arrange(): void {
    const { isMany } = this.#columns;
    this.#columns.look(this.box.scrollLeft, this.#width);
    let gap = 0;
    const heads = this.#columns.drawn.map((column) => {
      if (column < 0) {
        const space = element("td", "kl-gap");
        space.setAttribute("aria-hidden", "true");
        space.style.width = `${this.#columns.gaps[gap++] ?? 0}px`;
        return space;
      }
      const cell = this.#heads.cell(column);
      if (isMany) {
        cell.style.width = `${this.#columns.width(column)}px`;
        cell.setAttribute("aria-colindex", String((this.#columns.place(column) ?? 0) + 1));
      } else this.#sizes.observe(cell);
      this.#dress(cell, column);
      return cell;
    });
    this.#header.replaceChildren(...heads);
    this.box.style.setProperty("--k-row", `${this.#shape.height}px`);
    this.#table.classList.toggle("kl-many", isMany);
    this.#table.style.width = isMany ? `${this.#columns.total}px` : "";
    setAttribute(this.#table, "aria-colcount", this.#columns.shown.length);
    this.#heads.mark(this.#order.sortedBy);

    for (const { element: row } of this.#lines.values()) row.remove();
    this.#lines = new Map();
    this.#draw();
    this.#listener.onArrange();
  }

  /** Draws other columns, where they have come into sight. */
  #lookAside(): void {
    if (this.#columns.isMany && this.#columns.look(this.box.scrollLeft, this.#width)) this.#arrange();
  }

  /** Gives a cell what its column has: whether it is pinned, and how wide. */
  #dress(cell: HTMLTableCellElement, column: number): void {
    cell.classList.toggle("kl-pin", column === this.#columns.pinned);
    const width = this.#columns.widths.get(column);
    if (width === undefined || this.#columns.isMany) return;
    cell.style.width = cell.style.minWidth = cell.style.maxWidth = `${width}px`;
  }

  /** Columns only grow: otherwise each change and each scroll would move all of them. */
  #keepWidth(head: HTMLElement, width: number): void {
    const isChosen = this.#columns.widths.has(this.#heads.column(head) ?? -1);
    if (isChosen || this.#columns.isMany || width <= (this.#widths.get(head) ?? 0)) return;
    this.#widths.set(head, width);
    head.style.minWidth = `${width}px`;
  }

  #scrolled(): void {
    // Not the reader's doing when it is where it was put.
    if (this.box.scrollTop !== this.#top - this.#leftOut) this.#stay();
    this.#lookAside();
    this.#draw();
  }

  /** Takes the present place for the reader's. */
  #stay(): void {
    const room = this.box.scrollHeight - this.box.clientHeight;
    const top = this.box.scrollTop;
    const beyond = this.#beyond;
    this.#atEnd = room > 0 && top >= room - 2;
    if (this.#atEnd) this.#leftOut = beyond;
    else if (top === 0) this.#leftOut = 0;
    else if (this.#isFar(top + this.#leftOut - this.#top)) this.#leftOut = this.#wholeRows((beyond * top) / room);
    this.#top = top + this.#leftOut;
  }

  #sort(column: number): void {
    this.#order.sortBy(nextSort(this.#order.sortedBy, column));
    this.#heads.mark(this.#order.sortedBy);
    this.#order.update();
    this.#draw();
    this.#stay();
    this.#listener.onSort();
  }

  /** Draws the rows that are in sight, into the elements of those that are not any more. */
  #draw(): void {
    const { slots, from, count } = this.#order;
    this.#leftOut = Math.min(this.#leftOut, this.#beyond);
    const leftOut = this.#leftOut / this.#shape.height;
    const sight = Math.ceil(this.#height / this.#shape.height) + 2 * MARGIN;
    const top = Math.max(leftOut, Math.min(Math.floor(this.#top / this.#shape.height) - MARGIN, count - sight));
    this.#listener.onLook(top, Math.min(count, top + sight));
    // Of those in sight, the rows that are here.
    const shown = slots.subarray(Math.max(0, top - from), Math.max(0, top + sight - from));
    const first = shown.length > 0 ? Math.max(top, from) : top;
    const last = first + shown.length;
    const lines = new Map<number, Line>();
    for (const slot of shown) {
      const line = this.#lines.get(this.#store.ids[slot] ?? -1);
      if (line) lines.set(line.id, line);
    }
    const spare = this.#withoutLeaving([...this.#lines.values()].filter(({ id }) => !lines.has(id)));

    const marks = new Marks();
    let cursor = this.#above.nextSibling;
    shown.forEach((slot, index) => {
      const id = this.#store.ids[slot] ?? -1;
      const line = lines.get(id) ?? this.#emptied(spare.pop() ?? this.#line());
      lines.set(id, line);
      this.#fill(line, slot, id, marks);
      setAttribute(line.element, "aria-rowindex", first + index + 2); // The header is the first.
      cursor = this.#leaving.skip(cursor);
      if (cursor === line.element) cursor = cursor.nextSibling;
      else this.#body.insertBefore(line.element, cursor);
    });
    for (const { element: row } of spare) row.remove();
    this.#lines = lines;
    this.#alignment.alignAgain(lines, this.#columns.drawn);
    space(this.#above, (first - leftOut) * this.#shape.height);
    space(this.#below, (Math.min(count, TALLEST) - last + leftOut) * this.#shape.height);
    setAttribute(this.#table, "aria-rowcount", count + 1);
    this.#first = first - from;
    this.#drawSelection();
    if (!this.#motion.matches) this.#flashes.mark(marks, last - first);
    this.#seen = this.#store.tick;
  }

  /** Lets rows in sight that were deleted fade in their places, if they are few. @returns The lines that are free. */
  #withoutLeaving(spare: Line[]): Line[] {
    if (this.#motion.matches || this.#store.window) return spare;
    const isSeen = ({ element: row }: Line): boolean => {
      const bottom = (Number(row.getAttribute("aria-rowindex")) - 1) * this.#shape.height;
      return bottom > this.#top && bottom - this.#shape.height < this.#top + this.#height;
    };
    const gone = spare.filter((line) => this.#store.slot(line.id) === undefined && isSeen(line));
    if (!this.#leaving.fade(gone.map(({ element: row }) => row))) return spare;
    return spare.filter((line) => !gone.includes(line));
  }

  #line(): Line {
    const made = element("tr", "");
    const { drawn, isMany } = this.#columns;
    const cells = drawn.map((column) => {
      const described = this.#all[column];
      const cell = element("td", described ? (isNumber(described) ? "kl-n" : "") : "kl-gap");
      if (described) this.#dress(cell, column);
      else cell.setAttribute("aria-hidden", "true");
      if (described && isMany) cell.setAttribute("aria-colindex", String((this.#columns.place(column) ?? 0) + 1));
      return cell;
    });
    made.append(...cells);
    return { element: made, cells, texts: [], olds: [], told: new Set(), id: -1, epoch: -1, tick: -1 };
  }

  /** Makes a line ready for another row. */
  #emptied(line: Line): Line {
    line.id = -1;
    line.olds.length = 0;
    if (line.told.size > 0) line.texts.length = 0; // So that no tooltip stays.
    line.told.clear();
    this.#flashes.drop(line.element);
    for (const cell of line.cells) this.#flashes.drop(cell);
    return line;
  }

  #fill(line: Line, slot: number, id: number, marks: Marks): void {
    const store = this.#store;
    const isSame = line.id === id;
    const touched = store.touched[slot] ?? 0;
    if (isSame && line.epoch === store.epoch && line.tick >= touched) return;
    const before = marks.cells.length;
    this.#columns.drawn.forEach((index, place) => {
      const column = this.#all[index];
      const cell = line.cells[place];
      if (!column || !cell) return;
      const value = store.value(slot, index);
      const length = store.length(slot, index);
      const text = cellText(value, column, length);
      // The kind of a value and its length tell apart what the text does not: NULL, and "NULL".
      const shown = `${value === null ? "n" : "v"}${length ?? ""} ${text}`;
      if (line.texts[place] === shown) return;
      const short = column.kind === "float" && value !== null ? asWritten(value as number, text) : text;
      show(cell, short, value, length, column);
      if (short !== text) cell.title = text;
      if (isSame) {
        marks.cells.push(cell);
        line.olds[place] = line.texts[place] ?? "";
      }
      line.texts[place] = shown;
      line.told.delete(cell);
      if ((column.kind === "float" || column.kind === "float32") && !this.#columns.isMany) this.#alignment.align(cell, short, index);
      if (isNumber(column)) this.#shape.number?.(cell);
    });
    if (marks.cells.length > before) marks.changed++;
    if (!isSame && (store.born[slot] ?? 0) > this.#seen) marks.rows.push(line.element);
    line.id = id;
    line.epoch = store.epoch;
    line.tick = touched;
  }
}

/** Gives a row the room of those that are not drawn. */
function space(row: HTMLTableRowElement, pixels: number): void {
  row.style.height = `${pixels}px`;
  row.hidden = pixels === 0;
}
