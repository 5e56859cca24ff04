// The points of floating-point numbers stand below each other: cells with fewer digits behind it get room for them.

/** What is aligned: a line of the table, with a cell for each column that is drawn. */
interface Line {
  readonly cells: readonly HTMLElement[];
}

export class Alignment {
  /** The most digits behind the point that a column has shown. */
  readonly #digits = new Map<number, number>();
  /** Columns that have got longer numbers, so that cells drawn before stand wrong. */
  readonly #unaligned = new Set<number>();

  /** Puts the point of a number below those of the others in its column. */
  align(cell: HTMLElement, text: string, column: number): void {
    const most = this.#digits.get(column) ?? 0;
    const digits = digitsOf(text);
    pad(cell, digits, most);
    if (digits === undefined || digits <= most) return;
    this.#digits.set(column, digits);
    this.#unaligned.add(column);
  }

  /** Brings the points of columns that have got longer numbers below each other again. */
  alignAgain(lines: ReadonlyMap<number, Line>, drawn: readonly number[]): void {
    for (const column of this.#unaligned) {
      const place = drawn.indexOf(column);
      for (const { cells } of lines.values()) {
        const cell = cells[place];
        if (cell) pad(cell, digitsOf(cell.textContent), this.#digits.get(column) ?? 0);
      }
    }
    this.#unaligned.clear();
  }
}

/** How many digits a number has behind its point; undefined where it is not written with one alone. */
function digitsOf(text: string): number | undefined {
  return /^-?\d+\.(\d+)$/.exec(text)?.[1]?.length;
}

function pad(cell: HTMLElement, digits: number | undefined, most: number): void {
  cell.style.paddingRight = digits === undefined || digits >= most ? "" : `calc(14px + ${most - digits}ch)`;
}
