// How rows and numbers are shown, as the reader wants it: thousands apart, and the height of a row.

import { button, element, select } from "./dom";
import type { Place } from "./more";

/** Pixels of a row; the least that a line of text and a border need, and more. */
const HEIGHTS = { "Usual rows": 26, "Dense rows": 21, "Roomy rows": 34 };

/** A switch for thousands, and a list of heights. */
export function shapeFields(place: Place): HTMLElement[] {
  const thousands = button("Thousands apart", "Show gaps in numbers, 1 234 567; copies and files have none", () => {
    place.reshape({ number: place.shape().number ? undefined : apart });
    tell();
  });
  const tell = (): void => thousands.setAttribute("aria-pressed", String(place.shape().number !== undefined));
  tell();

  const rows = select("Row height", Object.keys(HEIGHTS));
  const pixels = Object.values(HEIGHTS);
  rows.selectedIndex = pixels.indexOf(place.shape().height);
  rows.addEventListener("change", () => place.reshape({ height: pixels[rows.selectedIndex] ?? HEIGHTS["Usual rows"] }));
  return [thousands, rows];
}

/** A number in its parts: before the point three digits each. */
export const parts = (text: string): string[] => text.split(/(?<=^-?\d+)(?=(?:\d{3})+(?!\d))/);

/** Shows gaps in a number. They are no letters: its text, also as a browser copies it, stays the exact one. */
function apart(cell: HTMLElement): void {
  const [first = "", ...rest] = parts(cell.textContent);
  if (rest.length === 0) return;
  cell.replaceChildren(
    first,
    ...rest.map((digits) => {
      const made = element("span", "", digits);
      made.style.marginLeft = "0.2em";
      return made;
    }),
  );
}
