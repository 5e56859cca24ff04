// What is drawn into a cell: its text, a mark where it is cut, and room behind its digits.

import { CELL_CHARS, NARROW_CHARS, grouped, isLong, type Column, type Value } from "./cells";
import { element } from "./dom";

/** The text of a cell without what tells its kind. */
export function bare(shown: string): string {
  return shown.slice(shown.indexOf(" ") + 1);
}

/** How many digits a number has behind its point; undefined where it is not written with one alone. */
export function digitsOf(text: string): number | undefined {
  return /^-?\d+\.(\d+)$/.exec(text)?.[1]?.length;
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

export function pad(cell: HTMLElement, digits: number | undefined, most: number): void {
  cell.style.paddingRight = digits === undefined || digits >= most ? "" : `calc(14px + ${most - digits}ch)`;
}

function setCellText(cell: HTMLElement, text: string): void {
  const node = cell.firstChild;
  if (node instanceof Text && !node.nextSibling) node.data = text;
  else cell.textContent = text;
}
