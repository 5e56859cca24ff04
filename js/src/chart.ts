// One view of a live chart: status line, tools, the drawing by uPlot, and a line that says what is drawn.

import uPlot from "uplot";
import plotStyle from "uplot/dist/uPlot.min.css";
import { grouped, isNumber, visible } from "./cells";
import { button, element, setText } from "./dom";
import { counted, factsText, hideTwin, oneLine, parted, partText, tone, type About } from "./panel";
import { bars, plotted, textAt, type Points } from "./points";
import type { Wish } from "./session";
import type { Store } from "./store";
import style from "./live_table.css";
import chartStyle from "./chart.css";

export type ChartKind = "line" | "bar" | "points";

const HEIGHT = 300; // Pixels.
const DOT = 2; // Pixels from the middle of a dot to its edge.
const PLACES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4, 1e5]; // Rows from one name to the next below bars.
const DAY = 86_400_000;
const LATEST = 8.64e15;
const REST = 3; // A drawing may follow after so many times what the last one took.

interface Drawing extends About {
  readonly kind: ChartKind;
  readonly colours: readonly string[];
  /** Whether it stands below its table, which has the tools to freeze and stop both. */
  readonly isBeside?: boolean;
}

export class ChartPanel {
  readonly root = element("div", "kalam-live kl-chart");
  private readonly state = element("span", "kl-state");
  private readonly facts = element("span", "kl-facts");
  private readonly note = element("div", "kl-note");
  private readonly part = element("div", "kl-part");
  private readonly place = element("div", "kl-plot");
  private readonly foot = element("div", "kl-foot");
  private readonly pause: HTMLButtonElement;
  private readonly whole: HTMLButtonElement;
  private readonly retry: HTMLButtonElement;
  private readonly ends: readonly HTMLButtonElement[];
  private readonly told = element("span", "kl-told");
  private readonly sizes = new ResizeObserver(() => this.resize());
  private readonly scheme = matchMedia("(prefers-color-scheme: dark)");
  private readonly themes = new MutationObserver(() => this.recolour());
  private plot: uPlot | undefined;
  private points: Points = { xs: [], ys: [], slots: [], missing: 0 };
  /** The store and its tick that are drawn. */
  private drawn: Store;
  private tick = -1;
  private columns: Store["columns"] | undefined;
  private pausedAt: number | undefined;
  private isZoomed = false;
  private ended = "";
  private scheduled = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private notBefore = 0;
  private notebook: Element | null = null;

  constructor(
    private readonly about: Drawing,
    private readonly store: Store,
    private readonly ask: (wish: Wish) => void,
  ) {
    this.drawn = store;
    this.root.hidden = true;
    const line = element("div", "kl-line");
    const query = element("code", "kl-sql", oneLine(about.sql));
    query.title = visible(about.sql);
    line.append(element("span", "kl-dot"), this.state, this.facts, query);
    this.pause = button("Pause", "Keep the drawing as it is; the table goes on behind it", () => this.togglePause());
    this.pause.setAttribute("aria-pressed", "false");
    this.whole = button("Show all", "Take the zoom back (double click does it, too)", () => this.showAll());
    this.retry = this.wishButton("retry", "Retry now", "Try the connection to the server now");
    this.ends = [
      this.wishButton("freeze", "Freeze", "Make this output a static picture of now"),
      this.wishButton("stop", "Stop", "End the live table; the picture stays"),
    ];
    this.whole.hidden = true;
    this.told.setAttribute("aria-live", "polite");
    this.state.setAttribute("role", "status");
    const tools = element("div", "kl-tools");
    tools.setAttribute("role", "toolbar");
    tools.setAttribute("aria-label", "Tools of the chart");
    tools.append(this.pause, this.whole, ...(about.isBeside ? [] : [this.retry, ...this.ends]), this.told);
    const bar = element("div", "kl-bar");
    bar.append(tools);
    this.place.addEventListener("dblclick", () => this.showAll());
    this.root.append(element("style", "", style + plotStyle + chartStyle), line, this.note, bar, this.part, this.place, this.foot);
    this.sizes.observe(this.place);
    this.scheme.addEventListener("change", this.recolour);
    this.themes.observe(document.body, { attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"] });
  }

  refresh(ended: string): void {
    this.ended = ended;
    if (this.scheduled || this.timer) return;
    const wait = this.notBefore - performance.now();
    if (wait > 16) {
      this.timer = setTimeout(() => {
        this.timer = undefined;
        this.refresh(this.ended);
      }, wait);
      return;
    }
    this.scheduled = requestAnimationFrame(() => {
      this.scheduled = 0;
      const began = performance.now();
      this.draw();
      const now = performance.now();
      this.notBefore = now + REST * (now - began);
    });
  }

  isNotebookOpen(): boolean {
    return this.notebook?.isConnected ?? true;
  }

  dispose(): void {
    cancelAnimationFrame(this.scheduled);
    clearTimeout(this.timer);
    this.sizes.disconnect();
    this.themes.disconnect();
    this.scheme.removeEventListener("change", this.recolour);
    this.plot?.destroy();
    this.root.remove();
  }

  private wishButton(wish: Wish, word: string, title: string): HTMLButtonElement {
    return button(word, title, () => {
      this.ask(wish);
      setText(this.told, "The kernel was asked; while a cell runs, it answers at its end.");
    });
  }

  private draw(): void {
    this.notebook ??= this.root.closest(".jp-NotebookPanel"); // Not to be found from a view that is gone.
    const { status } = this.store;
    if (!status) return;
    if (this.root.hidden) {
      this.root.hidden = false;
      this.root.append(element("style", "", hideTwin(this.about.twin)));
    }
    const isPaused = this.pausedAt !== undefined;
    const text = this.ended || status.text;
    const { drawn } = this;
    const seen = drawn.status ?? status;
    const part = partText(drawn);
    this.root.dataset["tone"] = isPaused && text === "live" ? "paused" : tone(text, status.failed, part !== "");
    const words = parted(visible(text)).join("");
    setText(this.state, isPaused ? `paused here${text === "live" ? "" : ` · ${words}`}` : words);
    setText(this.facts, factsText(seen, part, text === "live" && !isPaused, this.pausedAt));
    const notices = status.notice.split("\n").filter(Boolean);
    setText(this.note, notices.map((notice) => `Warning: ${visible(notice)}`).join("\n"));
    setText(this.part, part ? `Drawn are the ${part}; the others are not here.` : "");
    const waiting = status.changes - seen.changes;
    setText(this.pause, isPaused ? `Resume · ${counted(waiting, "change")} waiting` : "Pause");
    this.pause.setAttribute("aria-pressed", String(isPaused));
    this.retry.hidden = !text.startsWith("reconnecting");
    for (const end of this.ends) end.hidden = text.startsWith("stopped");
    if (drawn.tick !== this.tick) this.plotAnew();
  }

  /** Draws the rows of the store. */
  private plotAnew(): void {
    const { drawn } = this;
    this.tick = drawn.tick;
    this.points = this.about.kind === "bar" ? bars(drawn) : plotted(drawn);
    const data = [this.points.xs, ...this.points.ys] as uPlot.AlignedData;
    if (this.columns !== drawn.columns) {
      this.columns = drawn.columns;
      this.plot?.destroy();
      this.plot = new uPlot(this.options(), data, this.place);
      this.isZoomed = false;
    } else this.plot?.setData(data, !this.isZoomed);
    if (this.isZoomed) this.plot?.redraw();
    this.whole.hidden = !this.isZoomed;
  }

  /** Says what is drawn, and what is not; called when it was. */
  private tell(): void {
    const { xs, missing } = this.points;
    const parts = [`${counted(xs.length, this.about.kind === "bar" ? "row" : "point")}`];
    if (missing > 0) parts.push(`${counted(missing, "row")} without a number left out`);
    const thinned = this.thinned();
    if (thinned) parts.push(`thinned: ${thinned}`);
    if (this.columns?.[0]?.zoned) parts.push("times in UTC");
    setText(this.foot, parts.join(" · "));
    this.plot?.root.setAttribute("aria-label", `${this.about.kind} chart, ${parts.join(", ")}`);
  }

  /** By which rule there is less on screen than there is in the page; "" where everything is. */
  private thinned(): string {
    const { plot } = this;
    const { min, max } = plot?.scales["x"] ?? {};
    if (!plot || min == null || max == null) return "";
    const { xs } = this.points;
    const inSight = xs[0] !== undefined && xs[0] >= min && (xs.at(-1) ?? 0) <= max ? xs.length : xs.filter((x) => x >= min && x <= max).length;
    const width = plot.bbox.width;
    if (this.about.kind === "line") {
      return inSight > 4 * width ? "of each pixel column the first, least, greatest and last" : "";
    }
    if (this.about.kind === "bar") return inSight > width ? "bars are narrower than a pixel" : "";
    return this.covered > 0 ? `${grouped(this.covered)} dots are covered by others` : "";
  }

  /** Dots that were not drawn because another is at their pixel. */
  private covered = 0;

  private togglePause(): void {
    const isPaused = this.pausedAt === undefined;
    this.pausedAt = isPaused ? Date.now() : undefined;
    this.drawn = isPaused ? this.store.copy() : this.store;
    this.draw();
  }

  private showAll(): void {
    this.isZoomed = false;
    this.tick = -1;
    this.draw();
  }

  private readonly recolour = (): void => this.plot?.redraw(false);

  private resize(): void {
    const width = this.place.clientWidth;
    if (width > 0 && this.plot && width !== this.plot.width) {
      this.plot.setSize({ width, height: HEIGHT });
    }
  }

  private options(): uPlot.Options {
    const { kind } = this.about;
    const [across, ...series] = this.drawn.columns;
    const isTime = kind !== "bar" && across !== undefined && !isNumber(across);
    const text = (column: number) => (_: uPlot, __: unknown, ___: number, index: number | null) =>
      index === null ? "–" : textAt(this.drawn, this.points, index, column);
    const axis: uPlot.Axis = {
      stroke: () => this.colour("--k-soft"),
      grid: { stroke: () => this.colour("--k-thin"), width: 1 },
      ticks: { stroke: () => this.colour("--k-rule"), width: 1, size: 4 },
      font: "11px system-ui, sans-serif",
    };
    const name = (index: number): string => (Number.isInteger(index) && this.points.slots[index] !== undefined ? short(textAt(this.drawn, this.points, index, 0)) : "");
    return {
      width: this.place.clientWidth || 600,
      height: HEIGHT,
      ms: 1,
      tzDate: (ms) => uPlot.tzDate(new Date(ms), "Etc/UTC"),
      scales: {
        x: { time: isTime, ...(kind === "bar" ? { range: (_, low, high) => [(low ?? 0) - 0.5, (high ?? 0) + 0.5] } : {}) },
        y: kind === "bar" ? { range: (_, low, high) => uPlot.rangeNum(Math.min(0, low ?? 0), Math.max(0, high ?? 1), 0.05, true) } : {},
      },
      axes: [
        { ...axis, ...(kind === "bar" ? { values: (_, at) => at.map(name), incrs: PLACES, space: 90, grid: { show: false } } : {}), ...(isTime ? { values: timeTexts, space: 80 } : {}) },
        { ...axis, size: (_, values) => 14 + 7 * Math.max(4, ...(values ?? []).map((value) => String(value).length)) },
      ],
      series: [
        { label: visible(across?.name ?? ""), value: text(0) },
        ...series.map((column, index): uPlot.Series => {
          const stroke = this.about.colours[index % this.about.colours.length] ?? "gray";
          const shown: uPlot.Series = { label: visible(column.name), stroke, width: 1.5, value: text(index + 1) };
          if (kind !== "line") shown.points = { show: false };
          if (kind === "points") Object.assign(shown, { fill: stroke, paths: this.dots });
          if (kind === "bar") Object.assign(shown, { fill: stroke, paths: barsOf(index, series.length) });
          return shown;
        }),
      ],
      cursor: { drag: { x: true, y: false, setScale: true }, points: { show: kind !== "bar" } },
      hooks: {
        setSelect: [(plot) => {
          if (plot.select.width === 0) return;
          this.isZoomed = true;
          this.whole.hidden = false;
        }],
        draw: [() => this.tell()], // What is thinned is known then.
      },
    };
  }

  private colour(name: string): string {
    return getComputedStyle(this.root).getPropertyValue(name).trim() || "gray";
  }

  /** A square for each pixel that has a point. */
  private readonly dots: uPlot.Series.PathBuilder = (plot, series, from, to) => {
    const fill = new Path2D();
    const xs = plot.data[0];
    const ys = plot.data[series] ?? [];
    const { left, top, width, height } = plot.bbox;
    const held = new Uint8Array((width + 1) * (height + 1));
    if (series === 1) this.covered = 0;
    const side = 2 * DOT * devicePixelRatio;
    for (let index = from; index <= to; index++) {
      const value = ys[index];
      if (value == null) continue;
      const x = Math.round(plot.valToPos(xs[index] ?? 0, "x", true));
      const y = Math.round(plot.valToPos(value, "y", true));
      const pixel = (y - top) * (width + 1) + x - left;
      if (held[pixel]) {
        this.covered++;
        continue;
      }
      held[pixel] = 1;
      fill.rect(x - side / 2, y - side / 2, side, side);
    }
    return filled(fill);
  };
}

/** The bars of one series among others, side by side. */
function barsOf(number: number, count: number): uPlot.Series.PathBuilder {
  return (plot, series, from, to) => {
    const fill = new Path2D();
    const ys = plot.data[series] ?? [];
    const ground = plot.valToPos(0, "y", true);
    const step = plot.valToPos(1, "x", true) - plot.valToPos(0, "x", true);
    const width = Math.max(1, (step * 0.8) / count);
    for (let index = from; index <= to; index++) {
      const value = ys[index];
      if (value == null) continue;
      const left = plot.valToPos(index, "x", true) - step * 0.4 + (number * step * 0.8) / count;
      const y = plot.valToPos(value, "y", true);
      fill.rect(left, Math.min(y, ground), width, Math.max(value === 0 ? 0 : 1, Math.abs(ground - y)));
    }
    return filled(fill);
  };
}

/** Paths that are filled and have no edge. */
function filled(fill: Path2D): uPlot.Series.Paths {
  return { stroke: null, fill, clip: null };
}

/** Times below the drawing, as fine as the steps between them; the first with its date. */
function timeTexts(_: uPlot, times: number[], __: number, ___: number, step: number): string[] {
  return times.map((time, index) => {
    if (Math.abs(time) > LATEST) return ""; // A year that the browser does not know.
    const [date = "", clock = ""] = new Date(time).toISOString().split("T");
    if (step >= DAY) return date;
    const text = clock.slice(0, step >= 60_000 ? 5 : step >= 1_000 ? 8 : 12);
    return index === 0 || time % DAY === 0 ? `${text}\n${date}` : text;
  });
}

/** A name below a bar. */
function short(text: string): string {
  return text.length > 14 ? `${text.slice(0, 13)}…` : text;
}
