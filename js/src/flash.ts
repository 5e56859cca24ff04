// Marks of what changed just now. They are classes that come and go, without an animation or transition: those cost a
// browser work for every screen refresh that they last, which is more than the changes themselves cost it.

/** Milliseconds that a mark stays. */
export const FLASH = 1_000;
/** Rows that are marked in any case. */
export const FEW = 8;
/** Milliseconds between two looks for marks that are over. */
const SWEEP = 250;

/** What changed while a table was drawn. */
export class Marks {
  readonly rows: HTMLElement[] = [];
  readonly cells: HTMLElement[] = [];
  /** Rows with changed cells. */
  changed = 0;
}

export class Flashes {
  readonly #ends = new Map<HTMLElement, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Marks what changed, unless that is most of what is in sight: then marks tell nothing. */
  mark({ rows, cells, changed }: Marks, inSight: number): void {
    if (rows.length + changed > Math.max(FEW, inSight / 2)) return;
    this.#add(rows, "kl-new");
    this.#add(cells, "kl-changed");
  }

  /** Ends the marks of an element that is about to show something else. */
  drop(target: HTMLElement): void {
    if (this.#ends.delete(target)) clear(target);
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }

  /** Marks elements; those that are marked already stay so longer. */
  #add(targets: readonly HTMLElement[], name: string): void {
    const end = performance.now() + FLASH;
    for (const target of targets) {
      this.#ends.delete(target); // So that the map stays in the order of ends.
      this.#ends.set(target, end);
      target.classList.add(name);
    }
    if (this.#ends.size > 0) this.#timer ??= setTimeout(() => this.#sweep(), SWEEP);
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [target, end] of this.#ends) {
      if (end > now) break;
      this.#ends.delete(target);
      clear(target);
    }
    this.#add([], "");
  }
}

function clear(target: HTMLElement): void {
  target.classList.remove("kl-changed", "kl-new");
}
