// The line of tools above the rows: pause, search, filters. It says what it does; the panel does it.

import { grouped, visible, type Column } from "./cells";
import type { Format } from "./copy";
import { ASKED, button, element, setText } from "./dom";
import type { Chosen, Wishes } from "./filter";
import type { Place } from "./live_tools";
import type { Wish } from "./session";

const TYPED = 150; // Milliseconds without a key until a text is searched.

type Loaded = typeof import("./live_tools");

export interface Tools {
  /** Stops and resumes drawing. */
  togglePause(): void;
  /** The wishes are others now. */
  wish(): void;
  isHidden(column: number): boolean;
  setHidden(column: number, isHidden: boolean): void;
  /** What would be copied, in words. */
  copied(): string;
  /** Copies it, or writes it to a file, and tells what came of it. */
  copy(format: Format, toFile: boolean): Promise<void>;
  /** The table, for tools that are loaded on demand. */
  readonly place: Place;
  /** What is loaded on demand; undefined when it cannot be had now, which is told. */
  load(): Promise<Loaded | undefined>;
  /** Shows the details of the chosen row. */
  openRow(): void;
  /** Asks the kernel for something. */
  ask(wish: Wish): void;
}

export class Bar {
  readonly root = element("div", "kl-bar");
  readonly #pause: HTMLButtonElement;
  readonly #search = element("input", "kl-search");
  readonly #filter: HTMLButtonElement;
  readonly #chips = element("span", "kl-chips");
  readonly #hits = element("span", "kl-hits");
  readonly #told = element("span", "kl-told");
  readonly #copy: HTMLButtonElement;
  readonly #choose = button("Columns", "Show or hide columns", () => this.#openColumns());
  readonly #details = button("Details", "All of the chosen row, and what happened to it (Enter)", () => this.#tools.openRow());
  readonly #more = button("More", "Further tools", () => this.#openMore());
  readonly #chart: HTMLButtonElement = button("Chart", "Draw columns", () => {
    void this.#openLoaded(this.#chart, (tools) => tools.chartFields(this.#tools.place));
  });
  readonly #retry = this.#wishButton("retry", "Retry now", "Try the connection now");
  readonly #ends = [
    this.#wishButton("freeze", "Freeze", "Make this output static"),
    this.#wishButton("stop", "Stop", "End the live table"),
  ];
  readonly #what = element("span", "");
  readonly #editor = element("form", "kl-editor");
  /** What opened the line below. */
  #opener: HTMLButtonElement | undefined;
  #columns: readonly Column[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #wishes: Wishes;
  readonly #tools: Tools;

  constructor(wishes: Wishes, tools: Tools) {
    this.#wishes = wishes;
    this.#tools = tools;
    this.#pause = button("Pause", "Keep the rows as they are", () => tools.togglePause());
    this.#pause.setAttribute("aria-pressed", "false");
    this.#search.type = "search";
    this.#search.placeholder = "Search  /";
    this.#search.setAttribute("aria-label", "Search in all columns");
    this.#search.addEventListener("input", () => this.#typed());
    this.#search.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.#search.value === "") return;
      this.#search.value = "";
      this.#typed();
    });
    this.#filter = button("Filter", "Show only certain rows", () => this.#openEditor());
    this.#copy = button("Copy", "Copy or save the chosen cells, or all", () => this.#openCopy());
    for (const opener of [this.#filter, this.#choose, this.#copy]) opener.setAttribute("aria-expanded", "false");
    for (const said of [this.#hits, this.#told]) said.setAttribute("aria-live", "polite");
    this.#editor.hidden = true;
    this.#editor.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#closeEditor();
    });
    const line = element("div", "kl-tools");
    line.setAttribute("role", "toolbar");
    line.setAttribute("aria-label", "Tools of the table");
    line.append(this.#pause, this.#search, this.#filter, this.#choose, this.#copy, this.#details, this.#chart, this.#more, this.#retry, ...this.#ends, this.#chips, this.#hits, this.#told);
    this.root.append(line, this.#editor);
  }

  /** Sets the focus to the search. */
  focusSearch(): void {
    this.#search.focus();
  }

  /** The table has other columns now. */
  setColumns(columns: readonly Column[]): void {
    this.#columns = columns;
    this.#closeEditor();
    this.#drawChips();
  }

  /** @param text As the live table says it. */
  setStatus(text: string): void {
    this.#retry.hidden = !text.startsWith("reconnecting");
    for (const end of [this.#pause, ...this.#ends]) end.hidden = text === "result";
    if (text.startsWith("stopped")) for (const end of this.#ends) end.hidden = true;
  }

  /** @param waiting Changes that are not shown; undefined while nothing is paused. */
  setPaused(waiting: number | undefined): void {
    const isPaused = waiting !== undefined;
    const changes = `${grouped(waiting ?? 0)} ${waiting === 1 ? "change" : "changes"}`;
    setText(this.#pause, isPaused ? `Resume · ${changes} waiting` : "Pause");
    this.#pause.setAttribute("aria-pressed", String(isPaused));
  }

  /** @param text How many rows are shown, while not all are, and how much is chosen. */
  setHits(text: string): void {
    setText(this.#hits, text);
    if (this.#opener === this.#copy) setText(this.#what, `Copy ${this.#tools.copied()} as`);
  }

  /** Says what came of something that the reader did; "" takes it back. */
  tell(text: string): void {
    setText(this.#told, text);
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }

  #wishButton(wish: Wish, word: string, title: string): HTMLButtonElement {
    return button(word, title, () => {
      this.#tools.ask(wish);
      this.tell(ASKED);
    });
  }

  #typed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#wishes.search = this.#search.value;
      this.#tools.wish();
    }, TYPED);
  }

  /** Shows the conditions, each a button that takes it back. */
  #drawChips(): void {
    const made: HTMLElement[] = [...this.#wishes.conditions].map(([index, { words }]) => {
      const text = visible(words);
      const chip = button(`${text} ×`, `${text}: click to take it back`, () => {
        this.#wishes.conditions.delete(index);
        this.#changed();
        this.#filter.focus();
      });
      chip.className = "kl-chip";
      return chip;
    });
    if (made.length > 0) made.push(button("as SQL", "Show the filters as WHERE", () => void this.#openSql()));
    this.#chips.replaceChildren(...made);
  }

  #changed(): void {
    this.#drawChips();
    this.#tools.wish();
  }

  /** Opens the line below the tools. */
  #open(opener: HTMLButtonElement, ...parts: (Node | string)[]): void {
    this.#closeEditor();
    this.#opener = opener;
    this.#editor.replaceChildren(...parts, button("Close", "Close this line", () => this.#closeEditor()));
    this.#editor.hidden = false;
    opener.setAttribute("aria-expanded", "true");
  }

  #closeEditor(): void {
    const hadFocus = this.#editor.contains(document.activeElement);
    this.#editor.hidden = true;
    this.#editor.replaceChildren();
    this.#opener?.setAttribute("aria-expanded", "false");
    if (hadFocus) this.#opener?.focus();
    this.#opener = undefined;
  }

  /** Opens a line that is loaded on demand, or closes it. */
  async #openLoaded(opener: HTMLButtonElement, fill: (tools: Loaded) => readonly (Node | string)[]): Promise<void> {
    if (this.#opener === opener) {
      this.#closeEditor();
      return;
    }
    const tools = await this.#tools.load();
    if (!tools) return;
    this.#open(opener, tools.looks(), ...fill(tools));
    this.#editor.querySelector<HTMLElement>("input, select, button")?.focus();
  }

  #openColumns(): void {
    const { isHidden, setHidden } = this.#tools;
    void this.#openLoaded(this.#choose, (tools) => tools.columnChooser(this.#columns, isHidden, setHidden));
  }

  #openMore(): void {
    void this.#openLoaded(this.#more, (tools) => tools.more(this.#tools.place));
  }

  #openEditor(): void {
    const apply = (column: number, chosen: Chosen): void => {
      this.#wishes.conditions.set(column, chosen);
      this.#closeEditor();
      this.#changed();
    };
    void this.#openLoaded(this.#filter, (tools) => tools.filterEditor(this.#editor, this.#columns, this.#tools.place, apply));
  }

  #openCopy(): void {
    void this.#openLoaded(this.#copy, (tools) => {
      setText(this.#what, `Copy ${this.#tools.copied()} as`);
      return [this.#what, ...tools.copyButtons(this.#tools.copy, this.#tools.place.ask)];
    });
  }

  async #openSql(): Promise<void> {
    const tools = await this.#tools.load();
    if (!tools) return;
    const made = tools.sqlField(this.#columns, this.#wishes.conditions, this.#tools.place);
    this.#open(this.#filter, tools.looks(), ...made);
    made[0].select();
  }
}
