// The details of a row: all its columns with whole values, and what happened to it since the table was opened.

import { cellText, grouped, isLong, visible, type Column, type Value } from "./cells";
import { moment } from "./clock";
import { elements } from "./copy";
import { ASKED, button, element, setText } from "./dom";
import type { Rows } from "./frames";
import { folded } from "./json";
import type { Asks } from "./session";
import type { Store } from "./store";
import style from "./details.css";

const REST = 500; // Milliseconds between two answers of a row that goes on to change.

export interface Host {
  readonly ask: Asks;
  /** Reads rows of an answer. */
  read(view: DataView | undefined): Rows;
  /** The reader is done with it. */
  close(): void;
}

/** What the kernel tells of a row. */
interface Told {
  readonly columns: readonly Column[];
  readonly held: boolean;
  /** The ids of files that are images, by the positions of their columns. */
  readonly images: Readonly<Record<string, string>>;
  /** Whether more is remembered than is told. */
  readonly cut: boolean;
  readonly effects: readonly string[];
  readonly healed: readonly boolean[];
  /** Milliseconds since 1970. */
  readonly at: readonly number[];
}

const EFFECTS: Record<string, string> = { left: "left the query's result" };

export class Details {
  readonly root = element("section", "kl-details");
  readonly #title = element("strong", "");
  readonly #told = element("span", "kl-told");
  readonly #now = element("table", "");
  readonly #history = element("ol", "");
  /** What happened to the row: there is none of a result that nobody follows. */
  readonly #past = element("div", "");
  readonly #host: Host;
  #id = -1;
  /** The tick of the rows that the last question was about. */
  #tick = -1;
  /** Columns of which the JSON is unfolded or the image shown; they stay so for the next row. */
  readonly #opened = new Set<string>();
  /** Images that were asked for, by the ids of their files. */
  readonly #images = new Map<string, Promise<HTMLImageElement>>();
  #isAsking = false;
  #rests = false;

  constructor(host: Host) {
    this.#host = host;
    this.root.setAttribute("aria-label", "Details of the row");
    this.root.tabIndex = -1;
    const line = element("div", "kl-bar kl-editor");
    this.#told.setAttribute("aria-live", "polite");
    line.append(this.#title, this.#told, button("Close", "Close the details", () => host.close()));
    this.#past.append(element("strong", "", "What happened to it, as far as it is remembered"), this.#history);
    this.root.append(element("style", "", style), line, this.#now, this.#past);
    this.root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") host.close();
    });
  }

  /** Shows a row of a store, by its id. */
  show(id: number, store: Store): void {
    this.#id = id;
    this.#tick = -1;
    this.#past.hidden = !store.status?.form;
    this.follow(store);
  }

  /** Asks anew when the row has changed. */
  follow(store: Store): void {
    const slot = store.slot(this.#id);
    const tick = slot === undefined ? store.tick : (store.touched[slot] ?? 0);
    if (tick <= this.#tick || this.#isAsking || this.#rests || !this.root.isConnected) return;
    this.#tick = tick;
    this.#isAsking = true;
    const late = setTimeout(() => setText(this.#told, ASKED), REST);
    const id = this.#id;
    this.#host
      .ask({ about: "row", row: id })
      .then(({ reply, buffers: [now, after, before] }) => {
        const { read } = this.#host;
        if (id === this.#id) this.#draw(reply as unknown as Told, read(now), read(after), read(before));
      })
      .catch((error: unknown) => setText(this.#told, String(error instanceof Error ? error.message : error)))
      .finally(() => {
        clearTimeout(late);
        this.#isAsking = false;
        this.#rests = true;
        setTimeout(
          () => {
            this.#rests = false;
            this.follow(store);
          },
          id === this.#id ? REST : 0,
        );
      });
  }

  #draw(told: Told, now: Rows, after: Rows, before: Rows): void {
    const shown = told.held ? now : after;
    const last = shown.ids.length - 1;
    const names = told.columns.filter(({ key }) => key).map(({ name }) => visible(name));
    const key = told.columns.flatMap((column, index) => (column.key ? [wholeText(shown.values[index]?.at(last) ?? null, column)] : []));
    setText(this.#title, key.length > 0 ? `${names.join(", ")} = ${key.join(", ")}` : "Row");
    setText(this.#told, told.held ? `as of ${moment(Date.now())}` : "The row is gone; these were its last values.");
    this.#now.replaceChildren(...told.columns.map((column, index) => this.#valueRow(column, shown.values[index]?.at(last) ?? null, index, told.images[index])));

    const items = told.effects.map((effect, index) => {
      const item = element("li", "");
      const by = told.healed[index] ? "found by a check" : "told by an event";
      item.append(element("b", "", `${moment(told.at[index] ?? 0)} ${EFFECTS[effect] ?? effect}`), ` · ${by}`);
      if (effect === "updated") item.append(changedCells(told.columns, index, before, after));
      return item;
    });
    if (told.cut) items.unshift(element("li", "", "Older changes are in live.changes()."));
    if (items.length === 0) items.push(element("li", "", "Nothing."));
    this.#history.replaceChildren(...items.reverse());
  }

  /** A column and its whole value, which may refer to an image. */
  #valueRow(column: Column, value: Value, place: number, image?: string): HTMLTableRowElement {
    const row = element("tr", "");
    const name = element("th", "", visible(column.name));
    name.scope = "row";
    name.append(" ", element("small", "", visible(column.sql_type)));
    const cell = element("td", value === null || value === "" ? "kl-null" : "");
    if (column.kind === "json" && typeof value === "string" && /^\s*[[{]/.test(value)) {
      const toggled = (isOpen: boolean): unknown => (isOpen ? this.#opened.add(column.name) : this.#opened.delete(column.name));
      cell.append(folded(value, this.#opened.has(column.name), toggled));
    } else setText(cell, wholeText(value, column) || "empty");
    if (image) cell.append(this.#image(image, place, column, wholeText(value, column)));
    row.append(name, cell);
    return row;
  }

  /** A button that has the image of a FILE cell fetched and stands aside for it. */
  #image(file: string, place: number, column: Column, text: string): HTMLElement {
    const root = element("div", "");
    const show = (): void => {
      this.#opened.add(column.name);
      setText(root, ASKED);
      const image = this.#images.get(file) ?? this.#fetch(place, column.name, text);
      this.#images.set(file, image);
      image.then(
        (shown) => root.replaceChildren(shown),
        (error: unknown) => {
          this.#images.delete(file);
          setText(root, String(error instanceof Error ? error.message : error));
        },
      );
    };
    if (this.#opened.has(column.name)) show();
    else root.append(button("Show the image", "Fetch the file from the server", show));
    return root;
  }

  async #fetch(place: number, name: string, text: string): Promise<HTMLImageElement> {
    const { reply, buffers } = await this.#host.ask({ about: "image", row: this.#id, column: place, name });
    const image = element("img", "");
    image.alt = text;
    image.src = await dataUrl(new Blob([...buffers] as DataView<ArrayBuffer>[], { type: String(reply.type) }));
    return image;
  }
}

/** Pages that allow no other addresses of images allow these. */
function dataUrl(content: Blob): Promise<string> {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = (): void => resolve(String(reader.result));
    reader.readAsDataURL(content);
  });
}

/** Which cells an update changed, before and after. */
function changedCells(columns: readonly Column[], index: number, before: Rows, after: Rows): HTMLUListElement {
  const list = element("ul", "");
  columns.forEach((column, place) => {
    const texts = [before, after].map((rows) => wholeText(rows.values[place]?.at(index) ?? null, column));
    if (texts[0] === texts[1]) return;
    const item = element("li", "", `${visible(column.name)}: `);
    item.append(element("del", "", texts[0] || "empty"), " → ", element("ins", "", texts[1] || "empty"));
    list.append(item);
  });
  return list;
}

/** A value with nothing left out: all elements of a list, all bytes in hexadecimal digits. */
function wholeText(value: Value, column: Column): string {
  if (value instanceof Uint8Array && column.kind === "bytes") {
    const digits = Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${digits} (${grouped(value.length)} ${value.length === 1 ? "byte" : "bytes"})`;
  }
  if ((column.kind === "list" || column.kind === "list32") && value !== null) {
    return elements(value as ArrayLike<number | null>, column);
  }
  if (value === null || !isLong(column)) return cellText(value, column);
  // Lines stay lines; everything else that nobody sees is shown as in the table.
  return String(value).split(/\r\n|\n/).map(visible).join("\n");
}
