// What comes from the kernel: frames, each one or more messages with rows as Arrow IPC. No DOM here.
// The other end is `kalam_notebook/notebook/page/page_rows.py`.

import { tableFromIPC } from "@uwdata/flechette";
import type { Column } from "./cells";
import { listed, unread, type Cells } from "./listed";

export interface Status {
  /** As the live table says it: "live", "reconnecting in 3 s", "stopped: …". */
  readonly text: string;
  readonly failed: boolean;
  /** A warning to show with the table, or "". */
  readonly notice: string;
  /** Rows of the whole table; the page may hold only the first of them. */
  readonly rows: number;
  readonly changes: number;
  /** Milliseconds since 1970 of the last change; null before the first. */
  readonly changed_at: number | null;
  /** The columns by which rows are shown that nobody has sorted; none for the order of the table. */
  readonly order?: readonly number[];
  /** How the table follows the server: "direct", "delta", "re-run". */
  readonly form: string;
  /** Milliseconds since 1970 when the table was last proved equal to the server; null before that. */
  readonly verified_at: number | null;
}

/** The content of one message. A frame that is too large for one message comes in parts. */
export interface Message {
  readonly kind: "frame";
  readonly frame: number;
  readonly part: number;
  readonly parts: number;
  /** Rows of this message: a stream that breaks off reads as one with fewer. */
  readonly count?: number;
  /** The version that the rows change; -1: they replace everything. */
  readonly base: number;
  readonly version: number;
  /** Frames that may be left unanswered. */
  readonly credit?: number;
  readonly status: Status;
  /** With a frame that replaces everything; else null. */
  readonly columns: readonly Column[] | null;
}

/** The last message of a view that ends: the kernel exits, or the table was closed. */
export interface End {
  readonly kind: "end";
  readonly text: string;
}

export interface Rows {
  readonly ids: readonly number[];
  /** By column. */
  readonly values: readonly Cells[];
  /** Per column: bytes, characters or elements of what was cut; undefined where nothing was. */
  readonly lengths: readonly (readonly (number | null)[] | undefined)[];
}

/** A frame, or a part of the first one, of which each part is shown as it comes. */
export interface Frame extends Message {
  readonly rows: readonly Rows[];
  readonly removed: readonly number[];
  /** Whether it is the first part. */
  readonly begins: boolean;
  /** Whether it is the last part. */
  readonly ends: boolean;
}

/** Collects the parts of frames. A frame of which a part is missing is dropped; the store then asks for a new start. */
export class Assembler {
  #rows: Rows[] = [];
  #removed: number[] = [];
  #frame = -1;
  #next = 0;

  /**
   * @param eager Whether a part is wanted as soon as it is there.
   * @returns The frame when this message completes it, or the part; else undefined.
   */
  add(message: Message, buffers: readonly DataView[], eager: boolean): Frame | undefined {
    const { part, parts } = message;
    if (part === 0) {
      this.#frame = message.frame;
      this.#next = 0;
      this.#rows = [];
      this.#removed = [];
    }
    if (message.frame !== this.#frame || part !== this.#next) return undefined;
    const [rows, removed] = buffers;
    if (!rows || !removed) return undefined;
    const read = readRows(rows);
    if (read.ids.length !== (message.count ?? read.ids.length)) throw new RangeError();
    this.#next++;
    this.#rows.push(read);
    this.#removed.push(...readIds(removed));
    const ends = part + 1 === parts;
    if (!ends && !eager) return undefined;
    const frame = { ...message, rows: this.#rows, removed: this.#removed, begins: part + 1 === this.#rows.length, ends };
    this.#rows = [];
    this.#removed = [];
    return frame;
  }
}

/** The bytes of a buffer, copied: Arrow's 64-bit values need an alignment that a message does not promise. */
function copy(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}

function readIds(view: DataView): number[] {
  return Array.from(new BigInt64Array(copy(view).buffer), Number); // The kernel counts rows from 1.
}

/** Reads a frame that came in the answer to a question. */
export function assembled(messages: readonly Message[], buffers: readonly DataView[]): Frame | undefined {
  const assembler = new Assembler();
  return messages.map((message, i) => assembler.add(message, buffers.slice(2 * i, 2 * i + 2), false)).at(-1);
}

/** Reads rows that came in the answer to a question. */
export function readAnswered(view: DataView | undefined): Rows {
  return view ? readRows(view) : { ids: [], values: [], lengths: [] };
}

/** Reads columns named `0`, `1`, …, the lengths of cut cells named `0.length`, …, and the row ids named `id`. */
function readRows(view: DataView): Rows {
  const table = tableFromIPC(copy(view), { useBigInt: true, useDecimalInt: true });
  const values: Cells[] = [];
  const lengths: ((number | null)[] | undefined)[] = [];
  let ids: number[] = [];
  table.schema.fields.forEach((field, index) => {
    const column = unread(table.getChildAt(index));
    const [position, suffix] = field.name.split(".");
    if (field.name === "id") ids = listed(column) as number[];
    else if (suffix) lengths[Number(position)] = listed(column) as (number | null)[];
    else values[Number(position)] = column;
  });
  return { ids, values, lengths };
}
