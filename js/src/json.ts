// JSON for readers: folded to its start, laid out when it is opened. Nothing is read as a number, so every digit stays.

import { visible } from "./cells";
import { element } from "./dom";

const START = 60; // Characters that are shown of folded text.
const DEEPEST = 40; // Levels that are indented.

/** A value that opens by a click, or by its key. */
export function folded(text: string, isOpen: boolean, toggled: (isOpen: boolean) => void): HTMLElement {
  const root = element("details", "");
  const start = [...text.slice(0, 2 * START)].slice(0, START).join("");
  const whole = element("pre", "");
  const fill = (): void => {
    whole.textContent ||= indented(text).split("\n").map(visible).join("\n");
  };
  root.open = isOpen;
  if (isOpen) fill();
  root.addEventListener("toggle", () => {
    if (root.open) fill();
    toggled(root.open);
  });
  root.append(element("summary", "", visible(start) + (start.length < text.length ? "…" : "")), whole);
  return root;
}

/** JSON with a line for each value. */
export function indented(json: string): string {
  let depth = 0;
  const line = (): string => `\n${"  ".repeat(Math.min(Math.max(depth, 0), DEEPEST))}`;
  const parts: string[] = [];
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|\S/gs)) {
    if (token === "{" || token === "[") {
      depth++;
      parts.push(token, line());
    } else if (token === "}" || token === "]") {
      depth--;
      parts.push(line(), token);
    } else if (token === ",") parts.push(token, line());
    else if (token === ":") parts.push(": ");
    else parts.push(token.length > 1 && token[0] !== '"' ? token.replace(/\s+/g, "") : token);
  }
  return parts.join("");
}
