// Parts of the page's code that do not travel with every widget: the kernel sends one when it is first used.

import type { Asks } from "./session";

const loaded = new Map<string, Promise<unknown>>();

/** The module of a name, as one of `PARTS` in `notebook/page/questions.py`. */
export function part<T>(name: string, ask: Asks): Promise<T> {
  const known = loaded.get(name);
  if (known) return known as Promise<T>;
  const coming = ask({ about: "part", name }).then(async ({ reply }) => {
    const url = URL.createObjectURL(new Blob([reply["text"] as string], { type: "text/javascript" }));
    return (await import(url)) as T;
  });
  loaded.set(name, coming);
  coming.catch(() => loaded.delete(name)); // It may be asked for again.
  return coming;
}
