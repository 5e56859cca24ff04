// The rows on screen: a table of which only the visible rows are elements, in a box that scrolls by itself.
// Nothing is measured while it is drawn, because a browser would have to lay out the page for that.

import { CELL_CHARS, NARROW_CHARS, cellText, grouped, isLong, isNumber, visible, type Column, type Value } from "./cells";
import { element, takeKeys } from "./dom";
import type { Part } from "./copy";
import { FLASH, Flashes } from "./flash";
import { Order, nextSort, type Filter } from "./order";
import { Selection } from "./selection";
import type { Store } from "./store";

const ROW_HEIGHT = 26; // Pixels, as in the style.
const MARGIN = 4; // Rows drawn above and below the visible ones.
const END = 1e8; // Pixels, more than any table is high.
const BEFORE = "Before: ";
const FEW = 8; // Changed rows in sight that are marked in any case.

export interface Listener {
  /** The reader chose an order. */
  onSort(): void;
  /** The reader chose cells. */
  onSelect(): void;
  /** The reader wants to see all of a row. */
  onOpen(id: number): void;
  /** The reader wants a copy of the chosen cells. */
  onCopy(): void;
}

/** A row's element, and what it shows. */
interface Line {
  readonly element: HTMLTableRowElement;
  readonly cells: readonly HTMLTableCellElement[];
  readonly texts: string[];
  /** By column: the same of before the last change that was drawn. */
  readonly olds: string[];
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
  readonly #heads: HTMLTableCellElement[];
  readonly #flashes = new Flashes(this.box);
  readonly #motion = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #sizes: ResizeObserver;
  #lines = new Map<number, Line>();
  /** The column that does not scroll away: the first of the key. */
  readonly #pinned: number;
  readonly #hidden = new Set<number>();
  /** Pixels of the columns that the reader made wider or narrower. */
  readonly #chosenWidths = new Map<number, number>();
  /** The most digits behind the point that a column of floating-point numbers has shown. */
  readonly #digits = new Map<number, number>();
  readonly #unaligned = new Set<number>();
  readonly #widths = new Map<Element, number>();
  /** Pixels of the table above the box's edge, as the reader or this class scrolled it. */
  #top = 0;
  /** Pixels of the box, and of the header in it. */
  #height = 20 * ROW_HEIGHT;
  #headHeight = 2 * ROW_HEIGHT;
  /** The place of the first row that is drawn. */
  #first = 0;
  /** Whether the reader scrolled to the end. */
  #atEnd = false;
  /** The store's tick that is shown: what came later is marked. */
  #seen: number;
  readonly #selection = new Selection();
  #hadSelection = false;
  /** Rows that were deleted just now, and stay in their places for a moment. */
  readonly #leaving = new Set<Node | null>();
  readonly #columns: readonly Column[];
  #store: Store;
  readonly #listener: Listener;

  constructor(columns: readonly Column[], store: Store, label: string, listener: Listener) {
    this.#columns = columns;
    this.#store = store;
    this.#listener = listener;
    this.#order = new Order(store);
    this.#pinned = columns.findIndex(({ key }) => key);
    this.#seen = store.tick;
    this.#heads = columns.map((column, index) => this.#head(column, index));
    const header = element("tr", "");
    header.setAttribute("aria-rowindex", "1");
    header.append(...this.#heads);
    const head = element("thead", "");
    head.append(header);
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
      else this.#tellOld(event);
    });
    // Sizes are told after a layout, when reading them costs nothing.
    this.#sizes = new ResizeObserver((entries) => this.#resized(entries));
    for (const target of [this.box, head, ...this.#heads]) this.#sizes.observe(target);
  }

  /** The column that the rows are sorted by; undefined in the table's own order. */
  get sortedBy(): Column | undefined {
    const sort = this.#order.sortedBy;
    return sort && this.#columns[sort.column];
  }

  /** How many rows are shown, in sight or not. */
  get count(): number {
    return this.#order.slots.length;
  }

  /** The chosen cells; without a choice all that are shown. */
  get part(): Part {
    const columns = [...this.#columns.keys()].filter((column) => !this.#hidden.has(column));
    return this.#selection.part(this.#store, this.#order.slots, columns) ?? { slots: this.#order.slots, columns };
  }

  /** Whether some cells were chosen. */
  get isPartChosen(): boolean {
    return this.#selection.bounds(this.#store, this.#order.slots) !== undefined;
  }

  /** The id of the row that was chosen last, or of the first in sight. */
  get chosenRow(): number | undefined {
    const { slots } = this.#order;
    const row = this.#selection.place(this.#store, slots)?.row ?? Math.ceil(this.#top / ROW_HEIGHT);
    return this.#store.ids[slots[row] ?? -1];
  }

  isHidden(column: number): boolean {
    return this.#hidden.has(column);
  }

  /** Shows or hides a column. */
  setHidden(column: number, isHidden: boolean): void {
    if (isHidden) this.#hidden.add(column);
    else this.#hidden.delete(column);
    this.#heads.forEach((head, index) => this.#dress(head, index));
    for (const { cells } of this.#lines.values()) cells.forEach((cell, index) => this.#dress(cell, index));
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
    const before = this.#order.slots;
    const { ids } = this.#order;
    const isMoved = this.#order.update();
    this.#draw();
    if (!isMoved || this.#order.sortedBy) return;
    // Who stands at the end of a table stays there, to see what is appended; who stands at its start, to see what is
    // first; anybody else goes on reading the same rows.
    if (this.#atEnd) this.#scrollTo(END);
    else if (this.#top > 0) this.#scrollTo(this.#place(before, ids) * ROW_HEIGHT + (this.#top % ROW_HEIGHT));
  }

  dispose(): void {
    this.#sizes.disconnect();
    this.#flashes.dispose();
  }

  /** Where the first row in sight is now. All that were in sight are asked, as one may have moved on its own. */
  #place(before: readonly number[], ids: readonly number[]): number {
    const stayed = new Map<number, number>();
    const inSight = Math.ceil(this.#height / ROW_HEIGHT);
    for (let from = Math.floor(this.#top / ROW_HEIGHT); from < before.length && stayed.size < inSight; from++) {
      const slot = this.#store.slot(ids[before[from] ?? -1] ?? -1);
      if (slot !== undefined) stayed.set(slot, stayed.size);
    }
    const places: number[] = [];
    this.#order.slots.forEach((slot, place) => {
      const index = stayed.get(slot);
      if (index !== undefined) places.push(place - index);
    });
    places.sort((one, two) => one - two);
    return places[places.length >> 1] ?? this.#order.slots.length;
  }

  #scrollTo(top: number): void {
    this.box.scrollTop = top;
    if (this.box.clientHeight > 0) this.#top = this.box.scrollTop;
    else this.#top = top; // Out of sight, in a tab that is not in front, nothing scrolls.
    this.#draw();
  }

  /** The cell that the mouse is at, its place, and the row. */
  #at(event: MouseEvent): { cell: HTMLTableCellElement; column: number; line: Line } | undefined {
    const cell = (event.target as Element).closest("td");
    const line = [...this.#lines.values()].find(({ element: row }) => row === cell?.parentNode);
    return cell && line ? { cell, column: line.cells.indexOf(cell), line } : undefined;
  }

  /** Tells in the tooltip of a cell what stood there before: only where it is looked for, as most never are. */
  #tellOld(event: MouseEvent): void {
    const { cell, column, line } = this.#at(event) ?? {};
    const old = line?.olds[column ?? -1];
    if (!cell || old === undefined) return;
    const others = cell.title.split("\n").filter((text) => text && !text.startsWith(BEFORE));
    cell.title = [...others, BEFORE + (old.replace(/^\S* /, "") || "empty")].join("\n");
  }

  /** A cell was clicked, or dragged over. */
  #pointed(event: MouseEvent, extend: boolean): void {
    const found = this.#at(event);
    if (event.button !== 0 || !found) return;
    const { column, line } = found;
    const at = this.#selection.place(this.#store, this.#order.slots);
    const isOther = at?.column !== column || this.#store.ids[this.#order.slots[at.row] ?? -1] !== line.id;
    if (extend && !isOther) return;
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
    const at = this.#selection.place(this.#store, this.#order.slots);
    if (event.target !== this.box) return;
    if (isCommand && event.key === "c" && at && !getSelection()?.toString()) this.#listener.onCopy();
    else if (isCommand && event.key === "a" && at) this.#selectAll();
    else if (event.key === "Escape" && at) this.#unselect();
    else if (event.key === "Enter" && at) this.#listener.onOpen(this.chosenRow ?? -1);
    else if (event.key === "Enter") this.#moveTo(Math.ceil(this.#top / ROW_HEIGHT), 0, false);
    else if (step && at && !isCommand) this.#moveTo(at.row + step[0], at.column + step[1], event.shiftKey);
    else return; // The other keys scroll the box.
    event.preventDefault();
  }

  /** Chooses the cell at a place, and brings it into sight. */
  #moveTo(row: number, column: number, extend: boolean): void {
    const slot = this.#order.slots[Math.max(0, Math.min(row, this.#order.slots.length - 1))];
    if (slot === undefined) return;
    const place = Math.max(0, Math.min(row, this.#order.slots.length - 1)) * ROW_HEIGHT;
    const room = this.#height - this.#headHeight - ROW_HEIGHT;
    if (place < this.#top || place > this.#top + room) {
      this.#scrollTo(place < this.#top ? place : place - room);
      this.#stay();
    }
    const last = this.#columns.length - 1;
    this.#select(this.#store.ids[slot] ?? -1, Math.max(0, Math.min(column, last)), extend);
  }

  #selectAll(): void {
    const { slots } = this.#order;
    this.#selection.choose(this.#store.ids[slots[0] ?? -1] ?? -1, 0, false);
    this.#select(this.#store.ids[slots.at(-1) ?? -1] ?? -1, this.#columns.length - 1, true);
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
    const bounds = this.#selection.bounds(this.#store, slots);
    this.#hadSelection = bounds !== undefined;
    slots.slice(this.#first, this.#first + this.#lines.size).forEach((slot, index) => {
      const line = this.#lines.get(this.#store.ids[slot] ?? -1);
      const row = this.#first + index;
      const isIn = bounds !== undefined && bounds.top <= row && row <= bounds.bottom;
      line?.cells.forEach((cell, column) => {
        cell.classList.toggle("kl-chosen", isIn && bounds.left <= column && column <= bounds.right);
      });
    });
  }

  #resized(entries: readonly ResizeObserverEntry[]): void {
    for (const { target, borderBoxSize, contentRect } of entries) {
      if (target === this.box) {
        this.#height = contentRect.height || this.#height;
        // A browser brings a box that was out of sight back to where it was then.
        this.#scrollTo(this.#top);
      } else if (target === this.#table.tHead) this.#headHeight = contentRect.height;
      else this.#keepWidth(target as HTMLElement, borderBoxSize[0]?.inlineSize ?? 0);
    }
  }

  #resize(column: number, width: number): void {
    this.#chosenWidths.set(column, Math.max(32, width));
    const cells = [...this.#lines.values()].map((line) => line.cells[column]);
    for (const cell of [this.#heads[column], ...cells]) if (cell) this.#dress(cell, column);
  }

  /** Gives a cell what its column has: whether it is shown, pinned, and how wide. */
  #dress(cell: HTMLTableCellElement, column: number): void {
    cell.hidden = this.#hidden.has(column);
    cell.classList.toggle("kl-pin", column === this.#pinned);
    const width = this.#chosenWidths.get(column);
    if (width === undefined) return;
    cell.style.width = cell.style.minWidth = cell.style.maxWidth = `${width}px`;
  }

  /** The edge of a header, by which the reader makes a column wider or narrower. */
  #grip(head: HTMLTableCellElement, column: number): HTMLElement {
    const grip = element("span", "kl-grip");
    grip.setAttribute("aria-hidden", "true"); // The keys do it on the header's button.
    grip.addEventListener("pointerdown", (event) => {
      const start = head.offsetWidth - event.clientX;
      grip.setPointerCapture(event.pointerId);
      grip.onpointermove = ({ clientX }) => this.#resize(column, start + clientX);
      grip.onpointerup = () => (grip.onpointermove = null);
    });
    return grip;
  }

  /** Columns only grow: otherwise each change and each scroll would move all of them. */
  #keepWidth(head: HTMLElement, width: number): void {
    const isChosen = this.#chosenWidths.has(this.#heads.indexOf(head as HTMLTableCellElement));
    if (isChosen || width <= (this.#widths.get(head) ?? 0)) return;
    this.#widths.set(head, width);
    head.style.minWidth = `${width}px`;
  }

  #scrolled(): void {
    // Not the reader's doing when it is where it was put.
    if (this.box.scrollTop !== this.#top) this.#stay();
    this.#draw();
  }

  /** Takes the present place for the reader's. */
  #stay(): void {
    const room = this.box.scrollHeight - this.box.clientHeight;
    this.#top = this.box.scrollTop;
    this.#atEnd = room > 0 && this.#top >= room - 2;
  }

  #head(column: Column, index: number): HTMLTableCellElement {
    const cell = element("th", isNumber(column) ? "kl-n" : "");
    const button = element("button", "");
    button.type = "button";
    button.title = `${visible(column.name)}: click to sort; Shift with ← or → for its width`;
    const arrow = element("span", "kl-arrow");
    arrow.setAttribute("aria-hidden", "true"); // `aria-sort` says it.
    button.append(element("span", "kl-name", visible(column.name)), arrow);
    takeKeys(button);
    button.addEventListener("click", () => {
      this.#order.sortBy(nextSort(this.#order.sortedBy, index));
      this.#markSort();
      this.#order.update();
      this.#draw();
      this.#stay();
      this.#listener.onSort();
    });
    button.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? { ArrowLeft: -16, ArrowRight: 16 }[event.key] : undefined;
      if (step === undefined) return;
      event.preventDefault();
      this.#resize(index, cell.offsetWidth + step);
    });
    const type = element("small", "", visible(column.sql_type));
    if (column.key) type.append(element("b", "", "PK"));
    cell.append(button, type, this.#grip(cell, index));
    this.#dress(cell, index);
    return cell;
  }

  #markSort(): void {
    this.#heads.forEach((head, index) => {
      const sort = this.#order.sortedBy?.column === index ? this.#order.sortedBy : undefined;
      if (sort) head.setAttribute("aria-sort", sort.descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      const arrow = head.querySelector<HTMLElement>(".kl-arrow");
      if (arrow) arrow.textContent = sort ? (sort.descending ? "▼" : "▲") : "";
    });
  }

  /** Draws the rows that are in sight, into the elements of those that are not any more. */
  #draw(): void {
    const { slots } = this.#order;
    const sight = Math.ceil(this.#height / ROW_HEIGHT) + 2 * MARGIN;
    const first = Math.max(0, Math.min(Math.floor(this.#top / ROW_HEIGHT) - MARGIN, slots.length - sight));
    const last = Math.min(slots.length, first + sight);
    const shown = slots.slice(first, last);
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
      while (this.#leaving.has(cursor)) cursor = cursor?.nextSibling ?? null;
      if (cursor === line.element) cursor = cursor.nextSibling;
      else this.#body.insertBefore(line.element, cursor);
    });
    for (const { element: row } of spare) row.remove();
    this.#lines = lines;
    this.#alignAgain();
    space(this.#above, first);
    space(this.#below, slots.length - last);
    setAttribute(this.#table, "aria-rowcount", slots.length + 1);
    this.#first = first;
    this.#drawSelection();
    this.#mark(marks, last - first);
    this.#seen = this.#store.tick;
  }

  /** Lets rows in sight that were deleted fade in their places, if they are few. @returns The lines that are free. */
  #withoutLeaving(spare: Line[]): Line[] {
    if (this.#motion.matches) return spare;
    const isSeen = ({ element: row }: Line): boolean => {
      const bottom = (Number(row.getAttribute("aria-rowindex")) - 1) * ROW_HEIGHT;
      return bottom > this.#top && bottom - ROW_HEIGHT < this.#top + this.#height;
    };
    const gone = spare.filter((line) => this.#store.slot(line.id) === undefined && isSeen(line));
    if (gone.length === 0 || gone.length > FEW) return spare;
    for (const { element: row } of gone) {
      row.className = "kl-gone";
      row.setAttribute("aria-hidden", "true");
      this.#leaving.add(row);
      setTimeout(() => this.#endLeaving(row), FLASH);
    }
    return spare.filter((line) => !gone.includes(line));
  }

  #endLeaving(row: Element): void {
    row.remove();
    this.#leaving.delete(row);
  }

  /** Marks what changed, unless that is most of what is in sight: then marks tell nothing. */
  #mark({ rows, cells, changed }: Marks, inSight: number): void {
    if (this.#motion.matches) return;
    if (rows.length + changed > Math.max(FEW, inSight / 2)) return;
    this.#flashes.add(rows, "kl-new");
    this.#flashes.add(cells, "kl-changed");
  }

  #line(): Line {
    const made = element("tr", "");
    const cells = this.#columns.map((column) => element("td", isNumber(column) ? "kl-n" : ""));
    cells.forEach((cell, column) => this.#dress(cell, column));
    made.append(...cells);
    return { element: made, cells, texts: [], olds: [], id: -1, epoch: -1, tick: -1 };
  }

  /** Makes a line ready for another row. */
  #emptied(line: Line): Line {
    line.id = -1;
    if (line.olds.length > 0) line.olds.length = line.texts.length = 0; // So that no tooltip stays.
    this.#flashes.drop(line.element);
    for (const cell of line.cells) this.#flashes.drop(cell);
    return line;
  }

  /** Puts the point of a number below those of the others in its column. */
  #align(cell: HTMLTableCellElement, text: string, column: number): void {
    const most = this.#digits.get(column) ?? 0;
    const digits = digitsOf(text);
    pad(cell, digits, most);
    if (digits === undefined || digits <= most) return;
    this.#digits.set(column, digits);
    this.#unaligned.add(column);
  }

  /** Brings the points of columns that have got longer numbers below each other again. */
  #alignAgain(): void {
    for (const column of this.#unaligned) {
      for (const { cells } of this.#lines.values()) {
        const cell = cells[column];
        if (cell) pad(cell, digitsOf(cell.textContent), this.#digits.get(column) ?? 0);
      }
    }
    this.#unaligned.clear();
  }

  #fill(line: Line, slot: number, id: number, marks: Marks): void {
    const store = this.#store;
    const isSame = line.id === id;
    const touched = store.touched[slot] ?? 0;
    if (isSame && line.epoch === store.epoch && line.tick >= touched) return;
    const before = marks.cells.length;
    this.#columns.forEach((column, index) => {
      const cell = line.cells[index];
      const value = store.value(slot, index);
      const length = store.length(slot, index);
      const text = cellText(value, column, length);
      // The kind of a value and its length tell apart what the text does not: NULL, and "NULL".
      const shown = `${value === null ? "n" : "v"}${length ?? ""} ${text}`;
      if (!cell || line.texts[index] === shown) return;
      show(cell, text, value, length, column);
      if (isSame) {
        marks.cells.push(cell);
        line.olds[index] = line.texts[index] ?? "";
      }
      line.texts[index] = shown;
      if (column.kind === "float" || column.kind === "float32") this.#align(cell, text, index);
    });
    if (marks.cells.length > before) marks.changed++;
    if (!isSame && (store.born[slot] ?? 0) > this.#seen) marks.rows.push(line.element);
    line.id = id;
    line.epoch = store.epoch;
    line.tick = touched;
  }
}

/** How many digits a number has behind its point; undefined where it is not written with one alone. */
function digitsOf(text: string): number | undefined {
  return /^-?\d+\.(\d+)$/.exec(text)?.[1]?.length;
}

/** What changed while a table was drawn. */
class Marks {
  readonly rows: HTMLElement[] = [];
  readonly cells: HTMLElement[] = [];
  /** Rows with changed cells. */
  changed = 0;
}

function show(
  cell: HTMLTableCellElement,
  text: string,
  value: Value,
  length: number | undefined,
  column: Column,
): void {
  const isShort = text.length <= CELL_CHARS && length === undefined;
  const characters = isShort || !isLong(column) || value === null ? 0 : [...text].length;
  const whole = characters && Math.max(length ?? 0, characters);
  const isCut = whole > characters;
  cell.classList.toggle("kl-null", value === null || value === "");
  const start = isCut ? `${text}…` : text;
  if (text.length > NARROW_CHARS) cell.title = start;
  else cell.removeAttribute("title");
  if (whole <= CELL_CHARS) {
    setCellText(cell, text || "empty");
    return;
  }
  // Two elements, so that the text gives way to the mark, which is copied only with a text that is not whole.
  const cut = element("div", "kl-cut");
  const mark = element("small", isCut ? "" : "kl-mark", `${grouped(whole)} characters`);
  cut.append(element("span", "", start), " ", mark);
  cell.replaceChildren(cut);
}

function pad(cell: HTMLElement, digits: number | undefined, most: number): void {
  cell.style.paddingRight = digits === undefined || digits >= most ? "" : `calc(14px + ${most - digits}ch)`;
}

function setCellText(cell: HTMLElement, text: string): void {
  const node = cell.firstChild;
  if (node instanceof Text && !node.nextSibling) node.data = text;
  else cell.textContent = text;
}

function setAttribute(target: Element, name: string, value: number): void {
  if (target.getAttribute(name) !== String(value)) target.setAttribute(name, String(value));
}

function space(row: HTMLTableRowElement, lines: number): void {
  row.style.height = `${lines * ROW_HEIGHT}px`;
  row.hidden = lines === 0;
}
