// How to count the rows by a column: the text of a cell. SQL does the work, in a live table of its own.

import { isNumber, visible } from "./cells";
import { button, element, select, setText, toClipboard } from "./dom";
import type { Place } from "./more";
import { groupText } from "./texts";

/** A button that becomes the fields and the text. */
export function grouping(place: Place): HTMLElement {
  const root = element("span", "kl-chips");
  root.append(button("Group", "Count the rows by a column", () => root.replaceChildren(...fields(place))));
  return root;
}

function fields(place: Place): HTMLElement[] {
  const { columns } = place.store();
  const numbers = columns.filter(isNumber);
  const by = select("Count by", columns.map(({ name }) => visible(name)));
  const measured = select("Sum and mean of", ["count", ...numbers.map(({ name }) => `count, sum and mean of ${visible(name)}`)]);
  const text = element("textarea", "kl-where");
  text.readOnly = true;
  text.rows = 6;
  text.style.cssText = "flex: 1 1 100%; font: 12px/1.5 var(--k-code); color: inherit; background: none; border: 1px solid var(--k-rule)";
  text.setAttribute("aria-label", "A cell that counts by the column");
  const told = element("span", "kl-told");
  told.setAttribute("role", "status");
  const write = (): void => {
    const column = columns[by.selectedIndex];
    if (column) text.value = groupText(place.sql(), column, numbers[measured.selectedIndex - 1]);
    setText(told, /\$\w/.test(place.sql()) ? "Give the values of $1 … by --params." : "");
  };
  for (const list of [by, measured]) list.addEventListener("change", write);
  write();
  const copy = button("Copy cell", "Copy the text, for a cell of the notebook", () => {
    void toClipboard(text.value).then((isCopied) => {
      setText(told, isCopied ? "Copied: paste it into a cell." : "Not copied: the browser did not allow it.");
    });
  });
  return [by, measured, text, copy, told];
}
