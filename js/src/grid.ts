// The rows on screen: a table of which only the visible rows are elements, in a box that scrolls by itself.

import { CELL_CHARS, NARROW_CHARS, cellText, grouped, isLong, isNumber, visible, type Column } from "./cells";
import { element } from "./dom";
import { nextSort, ordered, type Sort } from "./order";
import type { Row, Store } from "./store";

const ROW_HEIGHT = 26; // Pixels, as in the style.
const MARGIN = 12; // Rows drawn above and below the visible ones.
const FLASH = 1600; // Milliseconds, as in the style.
const END = 1e8; // Pixels, more than any table is high.

interface Line {
  readonly element: HTMLTableRowElement;
  readonly row: Row;
  revision: number;
}

export class Grid {
  readonly box = element("div", "kl-box");
  private readonly table = element("table", "");
  private readonly body = element("tbody", "");
  private readonly above = element("tr", "kl-space");
  private readonly below = element("tr", "kl-space");
  private readonly heads: HTMLTableCellElement[];
  private lines = new Map<bigint, Line>();
  private order: Row[] = [];
  private sort: Sort | undefined;
  private readonly widths: number[] = [];
  /** Pixels of the table above the box's edge, as the reader or this class scrolled it. */
  private top = 0;
  /** Whether the reader scrolled to the end. */
  private atEnd = false;

  /** @param onSort Called when the reader chose an order. */
  constructor(
    private readonly columns: readonly Column[],
    private readonly store: Store,
    label: string,
    private readonly onSort: () => void,
  ) {
    this.heads = columns.map((column, index) => this.head(column, index));
    const header = element("tr", "");
    header.setAttribute("aria-rowindex", "1");
    header.append(...this.heads);
    const head = element("thead", "");
    head.append(header);
    for (const space of [this.above, this.below]) space.setAttribute("aria-hidden", "true");
    this.body.append(this.above, this.below);
    // A flash that is over or was cut short must not be played again: a browser begins anew with each element that
    // comes back into sight. The classes are named as the animations are.
    for (const event of ["animationend", "animationcancel"] as const) {
      this.body.addEventListener(event, ({ target, animationName }) => {
        (target as HTMLElement).classList.remove(animationName);
      });
    }
    this.table.append(head, this.body);
    this.box.append(this.table);
    this.box.setAttribute("role", "region");
    this.box.setAttribute("aria-label", label);
    takeKeys(this.box); // The arrow keys scroll it.
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    // A browser brings a box that was out of sight back to where it was then.
    new ResizeObserver(() => this.scrollTo(this.top)).observe(this.box);
  }

  /** The column that the rows are sorted by; undefined in the table's own order. */
  get sortedBy(): Column | undefined {
    return this.sort && this.columns[this.sort.column];
  }

  /** Shows the store's rows; call it after a frame, at most once per screen refresh. */
  update(): void {
    const before = this.order;
    this.order = ordered(this.store.rows.values(), this.sort);
    this.draw();
    if (this.sort) return;
    // Who stands at the end of a table stays there, to see what is appended; who stands at its start, to see what is
    // first; anybody else goes on reading the same rows.
    if (this.atEnd) this.scrollTo(END);
    else if (this.top > 0) this.scrollTo(this.place(before) * ROW_HEIGHT + (this.top % ROW_HEIGHT));
  }

  /** Where the first row in sight is now. All that were in sight are asked, as one may have moved on its own. */
  private place(before: readonly Row[]): number {
    const { rows } = this.store;
    const stayed = before
      .slice(Math.floor(this.top / ROW_HEIGHT))
      .flatMap(({ id }) => rows.get(id) ?? [])
      .slice(0, Math.ceil(this.height / ROW_HEIGHT));
    const places = stayed.map((row, index) => this.order.indexOf(row) - index).sort((one, two) => one - two);
    return places[places.length >> 1] ?? this.order.length;
  }

  private scrollTo(top: number): void {
    if (this.box.scrollTop !== top) {
      this.box.scrollTop = top;
      this.draw();
    }
    if (this.box.clientHeight > 0) this.top = this.box.scrollTop;
    else this.top = top; // Out of sight, in a tab that is not in front, nothing scrolls.
  }

  private get height(): number {
    return this.box.clientHeight || 20 * ROW_HEIGHT;
  }

  private scrolled(): void {
    // Not the reader's doing when it is where it was put.
    if (this.box.scrollTop !== this.top) this.stay();
    this.draw();
  }

  /** Takes the present place for the reader's. */
  private stay(): void {
    const room = this.box.scrollHeight - this.box.clientHeight;
    this.top = this.box.scrollTop;
    this.atEnd = room > 0 && this.top >= room - 2;
  }

  private head(column: Column, index: number): HTMLTableCellElement {
    const cell = element("th", isNumber(column) ? "kl-n" : "");
    const button = element("button", "");
    button.type = "button";
    button.title = `${visible(column.name)}: click to sort`;
    const arrow = element("span", "kl-arrow");
    arrow.setAttribute("aria-hidden", "true"); // `aria-sort` says it.
    button.append(element("span", "kl-name", visible(column.name)), arrow);
    takeKeys(button);
    button.addEventListener("click", () => {
      this.sort = nextSort(this.sort, index);
      this.markSort();
      this.order = ordered(this.store.rows.values(), this.sort);
      this.draw();
      this.stay();
      this.onSort();
    });
    const type = element("small", "", visible(column.sql_type));
    if (column.key) type.append(element("b", "", "PK"));
    cell.append(button, type);
    return cell;
  }

  private markSort(): void {
    this.heads.forEach((head, index) => {
      const sort = this.sort?.column === index ? this.sort : undefined;
      if (sort) head.setAttribute("aria-sort", sort.descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      const arrow = head.querySelector<HTMLElement>(".kl-arrow");
      if (arrow) arrow.textContent = sort ? (sort.descending ? "▼" : "▲") : "";
    });
  }

  /** Draws the rows that are in sight; elements of rows that stay are kept, so that their flashes run on. */
  private draw(): void {
    const now = performance.now();
    const count = this.order.length;
    const sight = Math.ceil(this.height / ROW_HEIGHT) + 2 * MARGIN;
    const first = Math.max(0, Math.min(Math.floor(this.box.scrollTop / ROW_HEIGHT) - MARGIN, count - sight));
    const last = Math.min(count, first + sight);
    const kept = new Map<bigint, Line>();
    let cursor = this.above.nextSibling;
    this.order.slice(first, last).forEach((row, index) => {
      const old = this.lines.get(row.id);
      const line = old?.row === row ? old : this.line(row, now);
      if (line.revision !== row.revision) this.fill(line, now);
      setAttribute(line.element, "aria-rowindex", first + index + 2); // The header is the first.
      kept.set(row.id, line);
      if (cursor === line.element) cursor = cursor.nextSibling;
      else this.body.insertBefore(line.element, cursor);
    });
    while (cursor && cursor !== this.below) {
      const next = cursor.nextSibling;
      cursor.remove();
      cursor = next;
    }
    this.lines = kept;
    space(this.above, first);
    space(this.below, count - last);
    setAttribute(this.table, "aria-rowcount", count + 1);
    this.keepWidths();
  }

  private line(row: Row, now: number): Line {
    const made = element("tr", "");
    made.append(...this.columns.map((column) => element("td", isNumber(column) ? "kl-n" : "")));
    if (now - row.born < FLASH) flash(made, "kl-new", row.born - now);
    const line = { element: made, row, revision: -1 };
    this.fill(line, now);
    return line;
  }

  private fill(line: Line, now: number): void {
    const { row } = line;
    this.columns.forEach((column, index) => {
      const cell = line.element.cells[index];
      if (!cell) return;
      const changed = row.changed.get(index) ?? -Infinity;
      if (line.revision >= 0 && changed === Number(cell.dataset["changed"] ?? -Infinity)) return;
      show(cell, row, column, index);
      cell.dataset["changed"] = String(changed);
      if (now - changed < FLASH) flash(cell, "kl-changed", changed - now);
    });
    line.revision = row.revision;
  }

  /** Columns only grow: otherwise each change and each scroll would move all of them. */
  private keepWidths(): void {
    const measured = this.heads.map((head) => head.offsetWidth);
    measured.forEach((width, index) => {
      if (width <= (this.widths[index] ?? 0)) return;
      this.widths[index] = width;
      const head = this.heads[index];
      if (head) head.style.minWidth = `${width}px`;
    });
  }
}

function show(cell: HTMLTableCellElement, row: Row, column: Column, index: number): void {
  const value = row.values[index] ?? null;
  const length = row.lengths[index];
  const text = cellText(value, column, length);
  const characters = isLong(column) && value !== null ? [...text] : [];
  const whole = characters.length && Math.max(length ?? 0, characters.length);
  cell.classList.toggle("kl-null", value === null || value === "");
  const isCut = whole > characters.length;
  const start = isCut ? `${text}…` : text;
  if (text.length > NARROW_CHARS) cell.title = start;
  else cell.removeAttribute("title");
  if (whole <= CELL_CHARS) {
    cell.textContent = text || "empty";
    return;
  }
  // Two elements, so that the text gives way to the mark, which is copied only with a text that is not whole.
  const cut = element("div", "kl-cut");
  const mark = element("small", isCut ? "" : "kl-mark", `${grouped(whole)} characters`);
  cut.append(element("span", "", start), " ", mark);
  cell.replaceChildren(cut);
}

/** Gives an element the keys while it has the focus: JupyterLab's shortcuts, such as `d d`, look for this mark on it. */
function takeKeys(target: HTMLElement): void {
  target.tabIndex = 0;
  target.dataset["lmSuppressShortcuts"] = "true";
}

function setAttribute(target: Element, name: string, value: number): void {
  if (target.getAttribute(name) !== String(value)) target.setAttribute(name, String(value));
}

/** Starts an animation anew, `offset` milliseconds (0 or less) before now. */
function flash(target: HTMLElement, name: string, offset: number): void {
  // Two names for one animation: a change of the name is what starts it again.
  const odd = target.classList.contains(`${name}-a`);
  target.classList.remove(`${name}-a`, `${name}-b`);
  target.classList.add(odd ? `${name}-b` : `${name}-a`);
  target.style.animationDelay = `${Math.round(offset)}ms`;
}

function space(row: HTMLTableRowElement, lines: number): void {
  row.style.height = `${lines * ROW_HEIGHT}px`;
  row.hidden = lines === 0;
}
