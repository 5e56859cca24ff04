// The page's end of one live table: takes frames, keeps the rows, answers the kernel. Views come and go, it stays.

import { Assembler, type Message } from "./frames";
import { Store } from "./store";

/**
 * What the page may say: it is new or has missed rows; it has shown everything up to a frame; it shows the table no
 * longer, because the cell or its output was deleted. A page that is closed says nothing: its reader may come back.
 */
export type Answer =
  | { readonly kind: "hello"; readonly page: string }
  | { readonly kind: "ack"; readonly frame: number }
  | { readonly kind: "unseen"; readonly page: string }
  | { readonly kind: Wish }
  | ({ readonly kind: "question"; readonly number: string } & Question);

/** What a reader wants to know beyond the rows that are sent; the other end is `notebook/page/questions.py`. */
export type Question =
  | { readonly about: "part"; readonly name: string }
  | { readonly about: "row"; readonly row: number }
  | {
      readonly about: "cells";
      /** That the page shows; -1 where the kernel gave the rows one by one. */
      readonly version: number;
      readonly rows: readonly number[];
      readonly columns: readonly { readonly column: number; readonly name: string }[];
    }
  | { readonly about: "image"; readonly row: number; readonly column: number; readonly name: string }
  | { readonly about: "moments" }
  | { readonly about: "past"; readonly moment: number }
  | { readonly about: "frequent"; readonly column: number; readonly name: string; readonly most: number }
  | { readonly about: "groups"; readonly by: number; readonly of: number | null }
  | {
      readonly about: "range";
      readonly sort: object | null;
      readonly search: string;
      readonly conditions: readonly object[];
      readonly from: number;
      readonly count: number;
    };

/** The kernel's answer: what it holds depends on the question. */
export interface Reply {
  readonly kind: "answer";
  readonly number: string;
  /** Why there is none. */
  readonly fault?: string;
  readonly [name: string]: unknown;
}

/** Puts a question to the kernel. Nothing comes while a cell keeps it busy. @throws {Error} There is no answer. */
export type Asks = (question: Question) => Promise<{ readonly reply: Reply; readonly buffers: readonly DataView[] }>;

/** What a reader may ask of the kernel: to try the connection now, to make the output static, to end the live table. */
export type Wish = "retry" | "freeze" | "stop";

export interface View {
  /** @param ended Why nothing more comes; "" while the table is followed. */
  refresh(ended: string): void;
  /** Whether the notebook that it stood in is still open, when the view is gone. */
  isNotebookOpen(): boolean;
}

const KERNEL_GONE = "stopped: the kernel has gone";
// An answer costs kernel and front end as much as a tiny cell, so several frames get one: as many as the kernel allows.
const ACK_EVERY = 900; // Milliseconds.
const ACK_FRAMES = 3; // Unless the kernel says more.
const DAMAGED = 1_000; // Milliseconds until all rows are asked for, when some cannot be read.
const UNSEEN_AFTER = 1_000; // Milliseconds; a cell that is moved is shown again at once.
const UNSEEN_EVERY = 30_000; // The kernel lets go at the second time, so that deleting can be undone before it.

export class Session {
  readonly store = new Store();
  readonly #views = new Set<View>();
  readonly #assembler = new Assembler();
  #ended = "";
  #asked = false;
  #acknowledged = -1;
  #newest = -1;
  #unanswered = 0;
  #credit = ACK_FRAMES;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #saidUnseen = false;
  /** What waits for an answer, by its number. */
  readonly #asking = new Map<string, (reply: Reply, buffers: readonly DataView[]) => void>();
  #questions = 0;
  readonly #page: string;
  readonly #send: (answer: Answer) => void;
  readonly #isHidden: () => boolean;

  /**
   * @param page Tells this page from others that show the table.
   * @param isHidden Whether nobody can see the page now, because its tab is not in front.
   */
  constructor(page: string, send: (answer: Answer) => void, isHidden: () => boolean = () => false) {
    this.#page = page;
    this.#send = send;
    this.#isHidden = isHidden;
  }

  /** Asks for all rows, unless that was done and is not answered yet. */
  hello(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#say({ kind: "hello", page: this.#page });
  }

  ask(wish: Wish): void {
    this.#say({ kind: wish });
  }

  readonly question: Asks = (question) =>
    new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(new Error(`There is no kernel to ask any more (${this.#ended}).`));
        return;
      }
      const number = `${this.#page} ${++this.#questions}`; // Other pages hear the answer, too.
      this.#asking.set(number, (reply, buffers) => {
        if (reply.fault === undefined) resolve({ reply, buffers });
        else reject(new Error(reply.fault));
      });
      this.#say({ kind: "question", number, ...question });
    });

  answered(reply: Reply, buffers: readonly DataView[]): void {
    this.#asking.get(reply.number)?.(reply, buffers);
    this.#asking.delete(reply.number);
  }

  take(message: Message, buffers: readonly DataView[]): void {
    this.#ended = "";
    // The answer to what was asked has begun. If a part of it is lost, it is asked for again.
    if (message.base < 0 && message.part === 0) this.#asked = false;
    let frame;
    try {
      frame = this.#assembler.add(message, buffers, this.store.version < 0 && message.base < 0);
    } catch {
      setTimeout(() => this.hello(), DAMAGED);
    }
    if (!frame) return;
    if (!this.store.apply(frame)) this.hello();
    this.#refresh();
    if (!frame.ends) return;
    this.#newest = frame.frame;
    this.#unanswered++;
    this.#credit = message.credit ?? ACK_FRAMES;
    if (this.#views.size > 0) this.#acknowledgeSoon();
  }

  /** The kernel follows the table no longer. */
  end(text: string): void {
    this.#ended = text;
    this.#refresh();
  }

  /** The connection to the kernel changed; if the kernel is still there, it answers with all rows. */
  connectionChanged(): void {
    this.#ended ||= KERNEL_GONE;
    this.#asked = false;
    this.hello();
    this.#refresh();
  }

  attach(view: View): () => void {
    this.#views.add(view);
    view.refresh(this.#ended);
    clearTimeout(this.#watch);
    if (this.#newest > this.#acknowledged || this.#saidUnseen) this.#acknowledgeSoon();
    return () => {
      this.#views.delete(view);
      if (this.#views.size === 0) this.#watchFor(view, UNSEEN_AFTER);
    };
  }

  dispose(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    this.#views.clear();
  }

  #refresh(): void {
    for (const view of this.#views) view.refresh(this.#ended);
  }

  /** The page is in front again: the kernel goes on to send. */
  comeBack(): void {
    if (this.#newest > this.#acknowledged) this.#acknowledgeSoon();
  }

  /** Acknowledges the newest frame. A table that nobody sees is not acknowledged, so that the kernel sends less. */
  #acknowledgeSoon(): void {
    if (this.#unanswered >= this.#credit) this.#acknowledge();
    else this.#timer ??= setTimeout(() => this.#acknowledge(), ACK_EVERY);
  }

  #acknowledge(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#views.size === 0 || this.#isHidden()) return;
    this.#acknowledged = this.#newest;
    this.#unanswered = 0;
    this.#saidUnseen = false;
    this.#say({ kind: "ack", frame: this.#newest });
  }

  /** Tells the kernel, and tells it again, that nobody shows the table any more in a notebook that is open. */
  #watchFor(last: View, delay: number): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      if (this.#views.size > 0 || !last.isNotebookOpen()) return;
      this.#saidUnseen = true;
      this.#say({ kind: "unseen", page: this.#page });
      if (!this.#ended) this.#watchFor(last, UNSEEN_EVERY);
    }, delay);
  }

  #say(answer: Answer): void {
    try {
      this.#send(answer);
    } catch {
      this.#ended ||= KERNEL_GONE; // The channel to it is closed.
    }
  }
}
