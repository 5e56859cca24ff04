// Rows that were deleted just now, and fade in their places for a moment.

import { FEW, FLASH } from "./flash";

export class Leaving {
  readonly #rows = new Set<Node | null>();

  /** Lets rows fade where they are, unless they are many. @returns Whether they do. */
  fade(rows: readonly HTMLElement[]): boolean {
    if (rows.length === 0 || rows.length > FEW) return false;
    for (const row of rows) {
      row.className = "kl-gone";
      row.setAttribute("aria-hidden", "true");
      this.#rows.add(row);
      setTimeout(() => {
        row.remove();
        this.#rows.delete(row);
      }, FLASH);
    }
    return true;
  }

  /** The first from a node on that is not leaving. */
  skip(node: ChildNode | null): ChildNode | null {
    let next = node;
    while (this.#rows.has(next)) next = next?.nextSibling ?? null;
    return next;
  }
}
