// One view of a live table: status line, notices, rows, and a line that says how much is shown.

import { grouped, visible, type Column } from "./cells";
import { element, setText } from "./dom";
import { Grid } from "./grid";
import type { Status } from "./frames";
import type { Store } from "./store";
import style from "./live_table.css";

export interface About {
  readonly sql: string;
  /** Marks the static copy of this table in the notebook, which is hidden while the page shows the table itself. */
  readonly twin: string;
}

export class Panel {
  readonly root = element("div", "kalam-live");
  private readonly state = element("span", "kl-state");
  private readonly word = element("span", "");
  private readonly countdown = element("span", "");
  private readonly facts = element("span", "kl-facts");
  private readonly note = element("div", "kl-note");
  private readonly part = element("div", "kl-part");
  private readonly place = element("div", "");
  private readonly foot = element("div", "kl-foot");
  private grid: Grid | undefined;
  private columns: readonly Column[] | undefined;
  private ended = "";
  private scheduled = 0;
  private notebook: Element | null = null;

  constructor(
    private readonly about: About,
    private readonly store: Store,
  ) {
    this.root.hidden = true; // Until there is something to show, the static copy is better.
    this.word.setAttribute("role", "status"); // Read aloud when it changes: not every second.
    this.state.append(this.word, this.countdown);
    this.note.setAttribute("role", "note");
    this.part.setAttribute("role", "status");
    const line = element("div", "kl-line");
    const query = element("code", "kl-sql", oneLine(about.sql));
    query.title = visible(about.sql);
    line.append(element("span", "kl-dot"), this.state, this.facts, query);
    this.root.append(element("style", "", style), line, this.note, this.part, this.place, this.foot);
  }

  /** Shows the store as it is at the next screen refresh. */
  refresh(ended: string): void {
    this.ended = ended;
    if (this.scheduled) return;
    this.scheduled = requestAnimationFrame(() => {
      this.scheduled = 0;
      this.draw();
    });
  }

  /** Front ends other than JupyterLab and Notebook take the page away with the notebook, and with it whoever asks. */
  isNotebookOpen(): boolean {
    return this.notebook?.isConnected ?? true;
  }

  dispose(): void {
    cancelAnimationFrame(this.scheduled);
    this.grid?.dispose();
    this.root.remove();
  }

  private draw(): void {
    this.notebook ??= this.root.closest(".jp-NotebookPanel"); // Not to be found from a view that is gone.
    const { status } = this.store;
    if (!status) return;
    if (this.root.hidden) {
      this.root.hidden = false;
      this.root.append(element("style", "", hideTwin(this.about.twin)));
    }
    const text = this.ended || status.text;
    const part = partText(this.store.size, status.rows);
    this.root.dataset["tone"] = tone(text, status.failed, part !== "");
    const [word, countdown] = parted(visible(text));
    setText(this.word, word);
    setText(this.countdown, countdown);
    this.state.title = word + countdown;
    const facts = factsText(status, part, text === "live");
    setText(this.facts, facts);
    const { changed_at } = status;
    this.facts.title = changed_at === null ? facts : `${facts}\nLast change ${new Date(changed_at).toISOString()}`;
    const notices = status.notice.split("\n").filter(Boolean);
    setText(this.note, notices.map((notice) => `Warning: ${visible(notice)}`).join("\n"));
    if (this.columns !== this.store.columns) {
      this.columns = this.store.columns;
      this.grid?.dispose();
      this.grid = new Grid(this.columns, this.store, oneLine(this.about.sql), () => this.tellSort());
      this.place.replaceChildren(this.grid.box);
    }
    this.grid?.update();
    this.tellSort();
    setText(this.foot, part);
  }

  /** Says above the header that the rows were sorted without those that are not in the page. */
  private tellSort(): void {
    const column = this.grid?.sortedBy;
    const part = partText(this.store.size, this.store.status?.rows ?? 0);
    setText(
      this.part,
      column && part
        ? `Sorted by ${visible(column.name)} among the ${part}; the others are not here. ORDER BY in the query sorts all.`
        : "",
    );
  }
}

function oneLine(sql: string): string {
  return visible(sql.replace(/\s+/g, " "));
}

/** How many rows are in the page, when they are not all. */
function partText(shown: number, rows: number): string {
  return shown < rows ? `first ${grouped(shown)} of ${grouped(rows)} rows` : "";
}

/** The colour of the dot. */
function tone(text: string, failed: boolean, isPart: boolean): "live" | "part" | "waiting" | "stopped" | "failed" {
  if (failed) return "failed";
  if (text === "live") return isPart ? "part" : "live";
  return text.startsWith("stopped") ? "stopped" : "waiting";
}

/** A status in its word and the time that passes by itself. */
function parted(text: string): [string, string] {
  const [, word, countdown] = /^(reconnecting)( in .*)$/.exec(text) ?? [];
  return word && countdown ? [word, countdown] : [text, ""];
}

function factsText({ rows, changes, changed_at, form, verified_at }: Status, part: string, live: boolean): string {
  // Rows that are not followed are as old as the last time that anything was heard of them.
  const heard = live || verified_at === null ? "" : ` as of ${moment(Math.max(verified_at, changed_at ?? 0))}`;
  const parts = [
    `${part || `${grouped(rows)} ${rows === 1 ? "row" : "rows"}`}${heard}`,
    `${grouped(changes)} ${changes === 1 ? "change" : "changes"}`,
  ];
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
function hideTwin(twin: string): string {
  const copy = `[data-kalam-twin="${CSS.escape(twin)}"]`;
  return `${copy},.jp-OutputArea-child:has(${copy}){display:none!important}`;
}
