// One view of a live table: status line, notices, rows, and a line that says how much is shown.

import { Bar } from "./bar";
import { grouped, visible, type Column } from "./cells";
import { csvText, isCut, type Format } from "./copy";
import { ASKED, element, setText, toClipboard } from "./dom";
import { Wishes } from "./filter";
import { usualShape } from "./drawn";
import { Grid } from "./grid";
import type { Details } from "./details";
import type { Far } from "./far";
import { part } from "./parts";
import { assembled, readAnswered, type Status } from "./frames";
import type { Asks, Wish } from "./session";
import type { Sort } from "./order";
import type { Store } from "./store";
import style from "./live_table.css";

export interface About {
  readonly sql: string;
  /** Marks the static copy of this table in the notebook, which is hidden while the page shows the table itself. */
  readonly twin: string;
}

/** Rows that are kept on screen, of when they are, and what that is called. */
interface Kept {
  readonly store: Store;
  readonly at: number;
  readonly word: string;
}

/** The way to the kernel. */
export interface Kernel {
  wish(wish: Wish): void;
  readonly question: Asks;
}

export class Panel {
  readonly root = element("div", "kalam-live");
  readonly #state = element("span", "kl-state");
  readonly #word = element("span", "");
  readonly #countdown = element("span", "");
  readonly #facts = element("span", "kl-facts");
  readonly #note = element("div", "kl-note");
  readonly #part = element("div", "kl-part");
  readonly #place = element("div", "");
  readonly #foot = element("div", "kl-foot");
  readonly #wishes = new Wishes();
  readonly #bar = new Bar(this.#wishes, {
    togglePause: () => this.#togglePause(),
    wish: () => this.#wish(),
    isHidden: (column) => this.#grid?.isHidden(column) ?? false,
    setHidden: (column, isHidden) => this.#grid?.setHidden(column, isHidden),
    copied: () => this.#copiedText(),
    copy: (format, toFile) => this.#copy(format, toFile),
    ask: (wish) => this.#kernel.wish(wish),
    place: {
      store: () => this.#shown,
      heads: () => this.#grid?.drawnHeads ?? [],
      follow: (draw) => {
        this.#followers.add(draw);
        draw();
      },
      unfollow: (draw) => this.#followers.delete(draw),
      ask: (question) => this.#kernel.question(question),
      root: this.root,
      sql: () => this.#about.sql,
      travel: (messages, buffers, at) => {
        const frame = assembled(messages, buffers);
        // Not even -1, which stands for no slots at all.
        if (frame) this.#keep({ store: this.#store.other(frame, --this.#travels - 1), at, word: "as it was" });
      },
      now: () => this.#keep(undefined),
      shape: () => this.#shape,
      reshape: (change) => this.#grid?.reshape(change),
    },
    load: () => this.#tools(),
    openRow: () => void this.#openRow(this.#grid?.chosenRow),
  });
  readonly #shape = usualShape();
  #grid: Grid | undefined;
  /** Where rows come from that the page does not hold; undefined while there is no kernel to give them. */
  #far: Far | undefined;
  #isFarComing = false;
  /** The rows that the grid shows. */
  #looked: Store | undefined;
  #paused: Kept | undefined;
  #travels = 0;
  #columns: readonly Column[] | undefined;
  #ended = "";
  #scheduled = 0;
  #notebook: Element | null = null;
  readonly #about: About;
  readonly #store: Store;
  readonly #kernel: Kernel;
  #details: Details | undefined;
  /** Draw what tools show that were loaded. */
  readonly #followers = new Set<() => void>();

  constructor(about: About, store: Store, kernel: Kernel) {
    this.#about = about;
    this.#store = store;
    this.#kernel = kernel;
    this.root.hidden = true; // Until there is something to show, the static copy is better.
    this.#word.setAttribute("role", "status"); // Read aloud when it changes: not every second.
    this.#state.append(this.#word, this.#countdown);
    this.#note.setAttribute("role", "note");
    this.#part.setAttribute("role", "status");
    const line = element("div", "kl-line");
    const query = element("code", "kl-sql", oneLine(about.sql));
    query.title = visible(about.sql);
    line.append(element("span", "kl-dot"), this.#state, this.#facts, query);
    this.root.append(element("style", "", style), line, this.#note, this.#bar.root, this.#part, this.#place, this.#foot);
    // Who touches the table will want tools next; a kernel that is kept busy later cannot give them then.
    for (const touch of ["pointerenter", "focusin"]) {
      this.root.addEventListener(touch, () => void part("live_tools", kernel.question).catch(() => 0), { once: true });
    }
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target instanceof HTMLInputElement) return;
      event.preventDefault();
      this.#bar.focusSearch();
    });
  }

  /** The rows that the page holds, of which those on screen are some, or a part. */
  get #shown(): Store {
    return this.#paused?.store ?? this.#store;
  }

  /** The rows that are on screen. While an order is on its way, what is there stays. */
  get #seen(): Store {
    const far = this.#paused ? undefined : this.#far;
    const isFar = far && (far.isHere || (!far.told && this.#looked === far.store));
    return isFar ? far.store : this.#shown;
  }

  /** Shows the store as it is at the next screen refresh. */
  refresh(ended: string): void {
    this.#ended = ended;
    if (this.#scheduled) return;
    this.#scheduled = requestAnimationFrame(() => {
      this.#scheduled = 0;
      this.#draw();
    });
  }

  /** Front ends other than JupyterLab and Notebook take the page away with the notebook, and with it whoever asks. */
  isNotebookOpen(): boolean {
    return this.#notebook?.isConnected ?? true;
  }

  dispose(): void {
    cancelAnimationFrame(this.#scheduled);
    this.#far?.end();
    this.#grid?.dispose();
    this.#bar.dispose();
    this.root.remove();
  }

  #draw(): void {
    this.#notebook ??= this.root.closest(".jp-NotebookPanel"); // Not to be found from a view that is gone.
    const { status } = this.#store;
    if (!status) return;
    if (this.root.hidden) {
      this.root.hidden = false;
      this.root.append(element("style", "", hideTwin(this.#about.twin)));
    }
    const text = this.#ended || status.text;
    if (this.#columns !== this.#shown.columns) this.#showColumns(this.#shown);
    this.#goFar();
    const shown = this.#seen;
    if (this.#looked !== shown) {
      this.#looked = shown;
      this.#grid?.look(shown);
      this.#grid?.showOnly(this.#wishes.filter(shown));
    }
    const seen = { ...(this.#shown.status ?? status), rows: shown.status?.rows ?? status.rows };
    const part = partText(shown);
    this.root.dataset["tone"] = this.#paused && text === "live" ? "paused" : tone(text, status.failed, part !== "");
    const [word, countdown] = parted(visible(text));
    setText(this.#word, this.#paused ? `${this.#paused.word}${text === "live" ? "" : ` · ${word}`}` : word);
    setText(this.#countdown, countdown);
    this.#state.title = word + countdown;
    const facts = factsText(seen, part, text === "live" && !this.#paused, this.#paused?.at);
    setText(this.#facts, facts);
    const { changed_at } = seen;
    this.#facts.title = changed_at === null ? facts : `${facts}\nLast change ${new Date(changed_at).toISOString()}`;
    const notices = status.notice.split("\n").filter(Boolean);
    setText(this.#note, notices.map((notice) => `Warning: ${visible(notice)}`).join("\n"));
    this.#bar.setStatus(text);
    this.#bar.setPaused(this.#paused && status.changes - seen.changes);
    this.#grid?.update();
    this.#details?.follow(this.#store);
    this.#drawMore();
    this.#tellHits();
    this.#tellSort();
    setText(this.#foot, part);
  }

  /** Has the kernel give the rows that the page does not hold, as long as there are some. */
  #goFar(): void {
    const isPart = partText(this.#store) !== "" && !this.#ended;
    if (!isPart) {
      this.#far?.end();
      this.#far = undefined;
    } else if (this.#far) this.#far.follow();
    else if (!this.#isFarComing) {
      this.#isFarComing = true;
      const far = part("live_tools", this.#kernel.question) as Promise<typeof import("./live_tools")>;
      far.then(
        ({ Far }) => {
          this.#isFarComing = false;
          const sort = (): Sort | undefined => this.#grid?.sortedBy;
          const changed = (): void => this.refresh(this.#ended);
          const { question } = this.#kernel;
          this.#far = new Far({ near: this.#store, wishes: this.#wishes, ask: question, read: readAnswered, sort, changed });
        },
        () => (this.#isFarComing = false),
      );
    }
  }

  /** Builds the table anew, for other columns. */
  #showColumns(store: Store): void {
    this.#columns = store.columns;
    this.#looked = undefined;
    this.#far?.end();
    this.#far = undefined;
    this.#wishes.conditions.clear(); // Of columns that may be gone.
    this.#grid?.dispose();
    this.#grid = new Grid(this.#columns, store, oneLine(this.#about.sql), this.#shape, {
      onSort: () => this.#draw(),
      onLook: (first, last) => this.#far?.look(first, last),
      onArrange: () => this.#drawMore(),
      onSelect: () => {
        this.#bar.tell("");
        this.#tellHits();
      },
      onCopy: () => void this.#copy("CSV", false),
      onOpen: (id) => void this.#openRow(id),
    });
    this.#grid.showOnly(this.#wishes.filter(store));
    this.#place.replaceChildren(this.#grid.box);
    this.#bar.setColumns(this.#columns);
  }

  #drawMore(): void {
    for (const draw of this.#followers) draw();
  }

  /** Shows the details of a row below the table. */
  async #openRow(id: number | undefined): Promise<void> {
    const tools = await this.#tools();
    if (id === undefined || !tools) return;
    const close = (): void => {
      this.#details?.root.remove();
      this.#details = undefined;
      this.#grid?.box.focus();
    };
    this.#details ??= new tools.Details({ ask: this.#kernel.question, read: readAnswered, close });
    this.#place.after(this.#details.root);
    this.#details.show(id, this.#store);
    this.#details.root.focus();
  }

  /** The tools that are loaded on demand; undefined when there is no kernel to give them, which is told. */
  async #tools(): Promise<typeof import("./live_tools") | undefined> {
    const late = setTimeout(() => this.#bar.tell(ASKED), 500);
    let told = "";
    try {
      return await part("live_tools", this.#kernel.question);
    } catch (error) {
      told = (error as Error).message;
    } finally {
      clearTimeout(late);
      this.#bar.tell(told);
    }
    return undefined;
  }

  /** Keeps the rows as they are on screen, or goes on. */
  #togglePause(): void {
    this.#keep(this.#paused ? undefined : { store: this.#store.copy(), at: Date.now(), word: "paused here" });
  }

  /** @param paused The rows to show from now on; undefined for those of now. */
  #keep(paused: Kept | undefined): void {
    this.#paused = paused;
    this.#draw();
  }

  #wish(): void {
    this.#looked = undefined;
    this.#draw();
  }

  /** Says how many rows are shown, unless all are, and what is chosen of them. */
  #tellHits(): void {
    const chosen = this.#grid?.isPartChosen ? `${this.#copiedText()} chosen` : "";
    this.#bar.setHits([this.#hitsText(this.#seen), chosen].filter(Boolean).join(" · "));
  }

  /** No number that is not sure. */
  #hitsText(store: Store): string {
    if (this.#wishes.isEmpty || !this.#grid) return "";
    const part = partText(store);
    const all = part ? `the ${part}` : counted(store.status?.rows ?? store.size, "row");
    const unsure = !store.window && this.#wishes.isUnsure(store);
    const found = `${grouped(this.#grid.count)} of ${all}`;
    return unsure ? `${found} match in what is here; long values are here only in part` : `${found} match`;
  }

  #copiedText(): string {
    const part = this.#grid?.part;
    const rows = this.#grid?.isPartChosen ? part?.slots.length : this.#grid?.count;
    return `${counted(rows ?? 0, "row")} × ${counted(part?.columns.length ?? 0, "column")}`;
  }

  /** Copies the chosen cells, or all that are shown, and tells what came of it. */
  async #copy(format: Format, toFile: boolean): Promise<void> {
    const isPlain = format === "CSV" && !toFile;
    const tools = isPlain ? undefined : await this.#tools();
    let part = this.#grid?.part;
    let store: Store | string = this.#seen;
    if (!part) return;
    const told = `${this.#copiedText()} ${toFile ? "saved" : "copied"}`;
    if (store.window && !this.#grid?.isPartChosen) {
      store = (await this.#far?.all()) ?? "there is no kernel to ask";
      if (typeof store === "string") return this.#bar.tell(`Not copied: ${store}.`);
      part = { ...part, slots: [...store.ids.keys()] };
    }
    if (isCut(store, part)) {
      this.#bar.tell(ASKED);
      store = (await (await this.#tools())?.completed(store, part, this.#kernel.question, readAnswered)) ?? "";
      if (typeof store === "string") return this.#bar.tell(`Not copied: ${store}.`);
    }
    const text = isPlain ? csvText(store, part) : await tools?.textOf(format, store, part, this.#kernel.question);
    if (text === undefined) return;
    if (text && !(await toClipboard(text))) return this.#bar.tell("Not copied: the browser did not allow it.");
    this.#bar.tell(told);
  }

  /** Says above the header what is done without the rows that are not in the page, and why. */
  #tellSort(): void {
    setText(this.#part, this.#partWords(partText(this.#shown)));
  }

  #partWords(part: string): string {
    const sort = this.#grid?.sortedBy;
    const far = this.#paused ? undefined : this.#far;
    if (far?.isHere) return far.told && `Other rows, and what changes in these, will come: ${far.told}.`;
    if (!part) return "";
    const isFound = !this.#wishes.isEmpty;
    if (far) {
      const done = [sort && "sorting", isFound && "searching"].filter(Boolean).join(" and ");
      return done && `${done[0]?.toUpperCase()}${done.slice(1)} the ${part} here; ${far.told || "the kernel was asked for all"}.`;
    }
    const name = sort && this.#columns?.[sort.column]?.name;
    return name === undefined ? "" : `Sorted by ${visible(name)} among the ${part}; the others are not here. ORDER BY in the query sorts all.`;
  }
}

export function counted(count: number, word: string): string {
  return `${grouped(count)} ${word}${count === 1 ? "" : "s"}`;
}

export function oneLine(sql: string): string {
  return visible(sql.replace(/\s+/g, " "));
}

/** How many rows are in the page, when they are not all. */
export function partText({ size, status, window }: Store): string {
  const rows = status?.rows ?? 0;
  return size < rows && !window ? `first ${grouped(size)} of ${grouped(rows)} rows` : "";
}

/** The colour of the dot. */
export function tone(text: string, failed: boolean, isPart: boolean): "live" | "part" | "waiting" | "stopped" | "failed" {
  if (failed) return "failed";
  if (text === "live") return isPart ? "part" : "live";
  if (text === "result") return isPart ? "part" : "stopped";
  return text.startsWith("stopped") ? "stopped" : "waiting";
}

/** A status in its word and the time that passes by itself. */
export function parted(text: string): [string, string] {
  const [, word, countdown] = /^(reconnecting)( in .*)$/.exec(text) ?? [];
  return word && countdown ? [word, countdown] : [text, ""];
}

/** @param at When the rows were these, if that is not now. */
export function factsText(status: Status, part: string, live: boolean, at?: number): string {
  const { rows, changes, changed_at, form, verified_at } = status;
  // Rows that are not followed are as old as the last time that anything was heard of them.
  const last = at ?? (live || verified_at === null ? undefined : Math.max(verified_at, changed_at ?? 0));
  const heard = last === undefined ? "" : ` as of ${moment(last)}`;
  const parts = [`${part || counted(rows, "row")}${heard}`];
  if (form) parts.push(counted(changes, "change"));
  if (changed_at !== null) parts.push(`last change ${clock(changed_at)}`);
  if (form) parts.push(form);
  // What was proved is what the kernel holds, which is more than a part of it.
  if (verified_at !== null) parts.push(`${part ? "whole table " : ""}verified ${clock(verified_at)}`);
  return parts.join(" · ");
}

/** Twenty-four hours, in the reader's own time zone. */
function clock(time: number): string {
  return new Date(time).toLocaleTimeString("en-GB");
}

/** The same, with the date if it is not today's. */
function moment(time: number): string {
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  return today ? clock(time) : `${date.toLocaleDateString("sv")} ${clock(time)}`; // Swedish dates are ISO dates.
}

/** A rule that hides the static copy, and JupyterLab's frame around it, for as long as it is in the document. */
export function hideTwin(twin: string): string {
  const copy = `[data-kalam-twin="${CSS.escape(twin)}"]`;
  return `${copy},.jp-OutputArea-child:has(${copy}){display:none!important}`;
}
