// The rows on screen: a table of which only the visible rows are elements, in a box that scrolls by itself.

import { CELL_CHARS, cellText, grouped, isLong, isNumber, visible, type Column } from "./cells";
import { element } from "./dom";
import { nextSort, ordered, type Sort } from "./order";
import type { Row, Store } from "./store";

const ROW_HEIGHT = 26; // Pixels, as in the style.
const MARGIN = 12; // Rows drawn above and below the visible ones.
const FLASH = 1600; // Milliseconds, as in the style.

interface Line {
  readonly element: HTMLTableRowElement;
  readonly row: Row;
  revision: number;
}

export class Grid {
  readonly box = element("div", "kl-box");
  private readonly body = element("tbody", "");
  private readonly above = element("tr", "kl-space");
  private readonly below = element("tr", "kl-space");
  private readonly heads: HTMLTableCellElement[];
  private lines = new Map<bigint, Line>();
  private order: Row[] = [];
  private sort: Sort | undefined;
  private readonly widths: number[] = [];

  constructor(
    private readonly columns: readonly Column[],
    private readonly store: Store,
  ) {
    this.heads = columns.map((column, index) => this.head(column, index));
    const table = element("table", "");
    const header = element("tr", "");
    header.append(...this.heads);
    const head = element("thead", "");
    head.append(header);
    this.body.append(this.above, this.below);
    table.append(head, this.body);
    this.box.append(table);
    this.box.tabIndex = 0; // So that the arrow keys scroll it.
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
  }

  /** Shows the store's rows; call it after a frame, at most once per screen refresh. */
  update(): void {
    const room = this.box.scrollHeight - this.box.clientHeight;
    const atEnd = room > 0 && this.box.scrollTop >= room - 2;
    this.order = ordered(this.store.rows.values(), this.sort);
    this.draw();
    // Who stands at the end of a table stays there, to see what is appended.
    if (atEnd && !this.sort) {
      this.box.scrollTop = this.box.scrollHeight;
      this.draw();
    }
  }

  private head(column: Column, index: number): HTMLTableCellElement {
    const cell = element("th", isNumber(column) ? "kl-n" : "");
    const button = element("button", "");
    button.type = "button";
    button.title = `${visible(column.name)}: click to sort`;
    button.append(element("span", "kl-name", visible(column.name)), element("span", "kl-arrow"));
    button.addEventListener("click", () => {
      this.sort = nextSort(this.sort, index);
      this.markSort();
      this.update();
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
    const height = this.box.clientHeight || 20 * ROW_HEIGHT;
    const sight = Math.ceil(height / ROW_HEIGHT) + 2 * MARGIN;
    const first = Math.max(0, Math.min(Math.floor(this.box.scrollTop / ROW_HEIGHT) - MARGIN, count - sight));
    const last = Math.min(count, first + sight);
    const kept = new Map<bigint, Line>();
    let cursor = this.above.nextSibling;
    for (const row of this.order.slice(first, last)) {
      const old = this.lines.get(row.id);
      const line = old?.row === row ? old : this.line(row, now);
      if (line.revision !== row.revision) this.fill(line, now);
      kept.set(row.id, line);
      if (cursor === line.element) cursor = cursor.nextSibling;
      else this.body.insertBefore(line.element, cursor);
    }
    while (cursor && cursor !== this.below) {
      const next = cursor.nextSibling;
      cursor.remove();
      cursor = next;
    }
    this.lines = kept;
    space(this.above, first);
    space(this.below, count - last);
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
  cell.classList.toggle("kl-null", value === null);
  cell.removeAttribute("title");
  const text = cellText(value, column, length);
  const characters = isLong(column) && value !== null ? [...text] : [];
  const whole = Math.max(length ?? 0, characters.length);
  if (whole <= CELL_CHARS) {
    cell.textContent = text;
    return;
  }
  cell.textContent = `${characters.slice(0, CELL_CHARS).join("")}… `;
  cell.append(element("small", "", `${grouped(whole)} characters`));
  cell.title = whole > characters.length ? `${text}…` : text;
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
