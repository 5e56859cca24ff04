// Rows counted by a column: below the table, by the kernel from the rows that it holds; or as the text of a cell, for a live
// table of its own.

import { grouped, isNumber, visible } from "./cells";
import { button, element, select, setText, toClipboard } from "./dom";
import type { Place } from "./more";
import { groupText } from "./texts";

const REST = 500; // Milliseconds between two countings of rows that go on to change, at least; and times as long as one took.
const RESTS = 4;

const isLive = (place: Place): boolean => !!place.store().status?.form;

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
  const count = button("Count here", "Count below the table, and follow it", () => {
    const number = numbers[measured.selectedIndex - 1];
    countBelow(place, by.selectedIndex, number ? columns.indexOf(number) : null);
  });
  return isLive(place) ? [by, measured, count, text, copy, told] : [by, measured, count, told];
}

/** Shows below the table how many rows have each value of a column, for as long as the reader wants it. */
function countBelow(place: Place, by: number, of: number | null): void {
  const root = element("section", "");
  root.setAttribute("aria-label", "Rows counted by a column");
  const told = element("span", "kl-told");
  told.setAttribute("role", "status");
  const table = element("table", "");
  const { columns } = place.store();
  let tick = -1;
  let waits = false;

  const count = async (): Promise<void> => {
    const began = performance.now();
    try {
      const { reply } = await place.ask({ about: "groups", by, of });
      const texts = reply["texts"] as (string | null)[][];
      fill(table, reply["names"] as string[], texts);
      const shown = texts[0]?.length ?? 0;
      const all = Number(reply["groups"]);
      const part = shown < all ? `the ${grouped(shown)} largest of ${grouped(all)} groups` : `${grouped(all)} ${all === 1 ? "group" : "groups"}`;
      setText(told, `${part}, ${grouped(Number(reply["rows"]))} rows`);
    } catch (error) {
      setText(told, error instanceof Error ? error.message : String(error));
    }
    setTimeout(() => {
      waits = false;
      follow();
    }, Math.max(REST, RESTS * (performance.now() - began)));
  };
  const follow = (): void => {
    const store = place.store();
    if (store.columns !== columns) return close(); // It may be gone.
    if (waits || tick === store.tick || !root.isConnected) return;
    tick = store.tick;
    waits = true;
    void count();
  };
  const close = (): void => {
    place.unfollow(follow);
    root.remove();
  };
  const line = element("div", "kl-bar kl-editor");
  line.append(element("strong", "", `Rows by ${visible(columns[by]?.name ?? "")}`), told, button("Close the count", "Take it away", close));
  const box = element("div", "");
  box.style.cssText = "max-height: 300px; overflow: auto; width: fit-content; max-width: 100%";
  box.tabIndex = 0;
  box.append(table);
  root.append(line, box);
  place.root.append(root);
  place.follow(follow);
}

/** Writes columns of texts into a table; null for NULL. */
function fill(table: HTMLTableElement, names: readonly string[], texts: readonly (readonly (string | null)[])[]): void {
  const head = element("tr", "");
  head.append(
    ...names.map((name) => {
      const cell = element("th", "", visible(name));
      cell.scope = "col";
      return cell;
    }),
  );
  const rows = (texts[0] ?? []).map((_, index) => {
    const row = element("tr", "");
    row.append(
      ...texts.map((column, place) => {
        const text = column[index] ?? null;
        const cell = element("td", text === null || text === "" ? "kl-null" : place > 0 ? "kl-n" : "", text ?? "NULL");
        if (text === "") setText(cell, "empty");
        return cell;
      }),
    );
    return row;
  });
  table.replaceChildren(head, ...rows);
}
