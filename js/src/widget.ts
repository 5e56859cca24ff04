// What anywidget asks of a page module: one session per model, one view per place that shows it.

import type { End, Message } from "./frames";
import type { About } from "./panel";
import { Session, type Reply, type View } from "./session";

/** What is used of the model that anywidget passes. */
export interface Model {
  get(key: string): unknown;
  on(event: string, listener: (...args: never[]) => void): void;
  send(content: unknown): void;
}

/** A view that has an element. */
export interface Shown extends View {
  readonly root: HTMLElement;
  dispose(): void;
}

type Makes = (model: Model, about: About, session: Session) => Shown;

/** @param make Makes a view. */
export function widget(make: Makes): object {
  const sessions = new Map<string, Session>();

  /** Called once per model, before its first view. */
  function initialize({ model }: { model: Model }): () => void {
    const key = model.get("twin") as string;
    const page = `${Math.random()}`;
    const session = new Session(page, (answer) => model.send(answer), () => document.hidden);
    sessions.set(key, session);
    model.on("msg:custom", (message: Message | End | Reply, buffers: DataView[]) => {
      if (message.kind === "frame") session.take(message, buffers);
      else if (message.kind === "answer") session.answered(message, buffers);
      else if (message.kind === "end") session.end(message.text);
    });
    // JupyterLab says so when the kernel restarts, and when a lost connection is back.
    model.on("comm_live_update", () => session.connectionChanged());
    const comeBack = (): void => session.comeBack();
    document.addEventListener("visibilitychange", comeBack);
    session.hello();
    return () => {
      document.removeEventListener("visibilitychange", comeBack);
      session.dispose();
      sessions.delete(key);
    };
  }

  /** Called for each place that shows it. */
  function render({ model, el }: { model: Model; el: HTMLElement }): (() => void) | undefined {
    const twin = model.get("twin") as string;
    const session = sessions.get(twin);
    if (!session) return undefined;
    const view = make(model, { sql: model.get("sql") as string, twin }, session);
    el.append(view.root);
    const detach = session.attach(view);
    return () => {
      detach();
      view.dispose();
    };
  }

  return { initialize, render };
}
