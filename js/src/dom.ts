// Elements by hand: text goes in as text only, never as markup.

/** What is said while there is no answer. */
export const ASKED = "The kernel was asked; while a cell runs, it answers at its end.";

/** A new element with a class and, if given, text. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  text?: string,
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Sets the text of an element if it differs, so that nothing is laid out anew without need. */
export function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** Gives an element the keys while it has the focus: JupyterLab's shortcuts, such as `d d`, look for this mark on it. */
export function takeKeys(target: HTMLElement): void {
  target.tabIndex = 0;
  target.dataset["lmSuppressShortcuts"] = "true";
}

/** A button with a word on it. */
export function button(text: string, title: string, click: () => void): HTMLButtonElement {
  const made = element("button", "", text);
  made.type = "button";
  made.title = title;
  takeKeys(made);
  made.addEventListener("click", click);
  return made;
}

/** Puts a text into the clipboard. @returns Whether the browser allowed it. */
export async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // Pages that came without encryption have no clipboard.
  }
}

function copyBySelection(text: string): boolean {
  const place = element("textarea", "");
  place.value = text;
  const before = document.activeElement;
  document.body.append(place);
  place.select();
  const isCopied = document.execCommand("copy");
  place.remove();
  if (before instanceof HTMLElement) before.focus();
  return isCopied;
}

/** A list of words to choose one from. */
export function select(label: string, words: readonly string[]): HTMLSelectElement {
  const made = element("select", "");
  made.setAttribute("aria-label", label);
  made.append(...words.map((word) => element("option", "", word)));
  takeKeys(made);
  return made;
}

/** Sets an attribute where it is another: a browser works for each that is set. */
export function setAttribute(target: Element, name: string, value: number): void {
  if (target.getAttribute(name) !== String(value)) target.setAttribute(name, String(value));
}
