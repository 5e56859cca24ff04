// What is drawn into a cell: its text, and a mark where it is cut.

import { CELL_CHARS, NARROW_CHARS, grouped, isLong, type Column, type Value } from "./cells";
import { element } from "./dom";

/** How rows and numbers are shown. */
export interface Shape {
  /** Pixels of a row. */
  height: number;
  /** Draws what a cell with a number holds in another way, but not as another text. */
  number?: ((cell: HTMLElement) => void) | undefined;
}

/** As a table is shown until the reader wants another. */
export const usualShape = (): Shape => ({ height: 26 });

/** The text of a cell without what tells its kind. */
export function bare(shown: string): string {
  return shown.slice(shown.indexOf(" ") + 1);
}

export function show(
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

function setCellText(cell: HTMLElement, text: string): void {
  const node = cell.firstChild;
  if (node instanceof Text && !node.nextSibling) node.data = text;
  else cell.textContent = text;
}
