// Cells as texts to copy and as files that the browser saves: the kernel has no part in it.

import { csvText, type Format, type Part } from "./copy";
import { element } from "./dom";
import { part } from "./parts";
import type { Asks } from "./session";
import type { Store } from "./store";
import { textIn } from "./texts";

const arrow = (ask: Asks): Promise<typeof import("./live_arrow")> => part("live_arrow", ask);

/** Has what writes Arrow come before it is wanted: a kernel that is kept busy later cannot give it then. */
export function prepareToSave(ask: Asks): void {
  arrow(ask).catch(() => 0);
}

/**
 * Writes cells, all of which must be whole.
 * @returns What is to be copied; "" when it was saved as a file.
 */
export async function textOf(format: Format, store: Store, cells: Part, ask: Asks): Promise<string> {
  if (format === "Markdown" || format === "VALUES") return textIn(format, store, cells);
  if (format === "CSV") saveFile(csvText(store, cells), "table.csv", "text/csv");
  else saveFile((await arrow(ask)).arrowFile(store, cells), "table.arrow", "application/vnd.apache.arrow.file");
  return "";
}

function saveFile(content: string | Uint8Array, name: string, type: string): void {
  const link = element("a", "");
  link.href = URL.createObjectURL(new Blob([content as BlobPart], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
