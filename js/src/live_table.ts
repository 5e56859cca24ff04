// The page module of the live table, loaded by anywidget: one session per model, one panel per view.

import type { End, Message } from "./frames";
import { Panel } from "./panel";
import { Session, type Reply } from "./session";

/** What is used of the model that anywidget passes. */
interface Model {
  get(key: string): unknown;
  on(event: string, listener: (...args: never[]) => void): void;
  send(content: unknown): void;
}

const sessions = new Map<string, Session>();

/** Called once per model, before its first view. */
function initialize({ model }: { model: Model }): () => void {
  const key = model.get("twin") as string;
  const page = Math.random().toString(36).slice(2);
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

/** Called for each place that shows the table. */
function render({ model, el }: { model: Model; el: HTMLElement }): (() => void) | undefined {
  const twin = model.get("twin") as string;
  const session = sessions.get(twin);
  if (!session) return undefined;
  const panel = new Panel({ sql: model.get("sql") as string, twin }, session.store, {
    wish: (wish) => session.ask(wish),
    question: session.question,
  });
  el.append(panel.root);
  const detach = session.attach(panel);
  return () => {
    detach();
    panel.dispose();
  };
}

export default { initialize, render };
