// The header's cells: they sort, and by mouse and keys they are moved and made wider or narrower.

import { isNumber, visible, type Column } from "./cells";
import type { Columns } from "./columns";
import { element, takeKeys } from "./dom";

const DRAG = 6; // Pixels that the mouse moves before a header moves with it.

export interface Acts {
  /** The reader points at a header, and may click on it: then the column is read already. */
  near(column: number): void;
  sort(column: number): void;
  resize(column: number, width: number): void;
  /** @param place Among the columns that are shown. */
  move(column: number, place: number): void;
}

export class Heads {
  readonly #cells = new Map<number, HTMLTableCellElement>();
  /** Where the mouse was pressed, and where it is once it moves a header. */
  #from = 0;
  #to: readonly [number, number] | undefined;
  readonly #all: readonly Column[];
  readonly #columns: Columns;
  readonly #acts: Acts;

  constructor(all: readonly Column[], columns: Columns, acts: Acts) {
    this.#all = all;
    this.#columns = columns;
    this.#acts = acts;
  }

  /** The cell of a column, made when it is first drawn. */
  cell(column: number): HTMLTableCellElement {
    const made = this.#cells.get(column) ?? this.#make(column);
    this.#cells.set(column, made);
    return made;
  }

  /** The column of a cell. */
  column(cell: Element | null): number | undefined {
    return [...this.#cells].find(([, known]) => known === cell)?.[0];
  }

  /** Shows by which column the rows are sorted. */
  mark(sorted: { readonly column: number; readonly descending: boolean } | undefined): void {
    for (const [column, cell] of this.#cells) {
      const sort = sorted?.column === column ? sorted : undefined;
      if (sort) cell.setAttribute("aria-sort", sort.descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
      const arrow = cell.querySelector(".kl-arrow");
      if (arrow) arrow.textContent = sort ? (sort.descending ? "▼" : "▲") : "";
    }
  }

  #make(column: number): HTMLTableCellElement {
    const described = this.#all[column];
    const cell = element("th", described && isNumber(described) ? "kl-n" : "");
    if (!described) return cell;
    const button = element("button", "");
    button.type = "button";
    button.title = `${visible(described.name)}: click to sort, drag to move; Shift or Alt with ← or → for width or place`;
    const arrow = element("span", "kl-arrow");
    arrow.setAttribute("aria-hidden", "true"); // `aria-sort` says it.
    button.append(element("span", "kl-name", visible(described.name)), arrow);
    takeKeys(button);
    button.addEventListener("pointerenter", () => this.#acts.near(column));
    button.addEventListener("click", () => {
      if (!this.#drag(cell, column)) this.#acts.sort(column);
    });
    button.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step === undefined || event.shiftKey === event.altKey) return;
      event.preventDefault();
      if (event.shiftKey) this.#acts.resize(column, cell.offsetWidth + 16 * step);
      else this.#acts.move(column, (this.#columns.place(column) ?? 0) + step);
      button.focus(); // The cell may have been taken out for a moment.
    });
    button.addEventListener("pointerdown", ({ clientX, pointerId }) => {
      button.setPointerCapture(pointerId);
      this.#from = clientX;
      this.#to = undefined;
    });
    button.addEventListener("pointermove", ({ buttons, clientX, clientY }) => {
      if (buttons === 1 && (this.#to || Math.abs(clientX - this.#from) > DRAG)) this.#to = [clientX, clientY];
    });
    const type = element("small", "", visible(described.sql_type));
    if (described.key) type.append(element("b", "", "PK"));
    cell.append(button, type, this.#grip(cell, column));
    return cell;
  }

  /** Puts a column where the mouse was let go. @returns Whether it moved. */
  #drag(cell: HTMLTableCellElement, column: number): boolean {
    if (!this.#to) return false;
    const found = (cell.getRootNode() as Document | ShadowRoot).elementFromPoint(...this.#to);
    const target = this.column(found?.closest("th") ?? null);
    if (target !== undefined) this.#acts.move(column, this.#columns.place(target) ?? 0);
    this.#to = undefined;
    return true;
  }

  /** The edge of a header, by which the reader makes a column wider or narrower. */
  #grip(cell: HTMLTableCellElement, column: number): HTMLElement {
    const grip = element("span", "kl-grip");
    grip.setAttribute("aria-hidden", "true"); // The keys do it on the header's button.
    grip.addEventListener("pointerdown", (event) => {
      const start = cell.offsetWidth - event.clientX;
      grip.setPointerCapture(event.pointerId);
      grip.onpointermove = ({ clientX }) => this.#acts.resize(column, start + clientX);
      grip.onpointerup = () => (grip.onpointermove = null);
    });
    return grip;
  }
}
