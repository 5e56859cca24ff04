// The lines that the tools above the table open: for a filter, and for the choice of columns.

import { cellText, grouped, isNumber, visible, type Column, type Value } from "./cells";
import { button, element, select, setText, takeKeys, toClipboard } from "./dom";
import style from "./editors.css";
import type { Format } from "./copy";
import { digits, matcher, parse, size, type Condition } from "./conditions";
import type { Chosen } from "./filter";
import type { Place } from "./more";
import type { Filter } from "./order";
import type { Store } from "./store";
import { prepareToSave } from "./save";
import type { Asks } from "./session";
import { followText, whereText } from "./texts";

const FORMATS = ["CSV", "Markdown", "VALUES"] as const;
const FILES = ["CSV", "Arrow"] as const;

const OFFERED = 20; // Values of a column that are offered to choose from.
const LISTED = 100; // Columns that are listed at once.

const WORDS: Record<Condition["kind"], string> = {
  contains: "contains",
  "one of": "is one of",
  range: "from … to …",
  begins: "begins with",
  size: "has a size from … to …",
  null: "is NULL",
  "not null": "is not NULL",
};

/** Values of a column, and how many rows have each. */
type Counted = readonly [Value, number][];

/** What the fields and buttons of an opened line look like. */
export const looks = (): HTMLElement => element("style", "", style);

/** The filters as SQL, to be copied, and as a live query of its own. */
export function sqlField(columns: readonly Column[], chosen: ReadonlyMap<number, Chosen>, table: Place): [HTMLInputElement, ...HTMLElement[]] {
  const where = whereText(columns, chosen);
  const text = element("input", "kl-where");
  text.readOnly = true;
  text.value = `WHERE ${where}`;
  text.setAttribute("aria-label", "The filters as SQL");
  if (!table.store().status?.form) return [text]; // A result is not followed.
  const told = element("span", "kl-told");
  told.setAttribute("role", "status");
  const follow = button("Follow this", "Copy a cell with a live table of these rows alone", () => {
    void toClipboard(followText(table.sql(), where)).then((isCopied) => {
      const values = /\$\w/.test(table.sql()) ? " Give the values of $1 … by --params." : "";
      setText(told, isCopied ? `Copied: paste it into a cell.${values}` : "Not copied: the browser did not allow it.");
    });
  });
  return [text, follow, told];
}

/** Boxes to check for the columns that are shown, and a field to find some of very many. */
export function columnChooser(
  columns: readonly Column[],
  isHidden: (column: number) => boolean,
  setHidden: (column: number, isHidden: boolean) => void,
): Node[] {
  const list = element("span", "kl-chips");
  const find = field("Find columns");
  const fill = (): void => {
    const wanted = find.value.toLowerCase();
    const found = [...columns.keys()].filter((index) => columns[index]?.name.toLowerCase().includes(wanted));
    const boxes = found.slice(0, LISTED).map((index) => {
      const [label, box] = choice(visible(columns[index]?.name ?? ""));
      box.checked = !isHidden(index);
      box.addEventListener("change", () => setHidden(index, !box.checked));
      return label;
    });
    const rest = found.length - boxes.length;
    list.replaceChildren(...boxes, rest > 0 ? `and ${grouped(rest)} more` : "");
  };
  find.addEventListener("input", fill);
  fill();
  return columns.length > LISTED ? [find, list] : [list];
}

/** Fields for a column, what is to be asked of it, and the values. */
export function filterEditor(
  form: HTMLFormElement,
  columns: readonly Column[],
  table: Place,
  apply: (column: number, chosen: Chosen) => void,
): Node[] {
  const column = select("Column", columns.map((column) => visible(column.name)));
  const kind = element("span", "");
  const fields = element("span", "");
  const fault = element("span", "kl-fault");
  fault.setAttribute("role", "alert");
  let kinds: readonly Condition["kind"][] = [];
  let read: () => Condition = () => ({ kind: "null" });
  const chooseKind = (chosen: Condition["kind"]): void => {
    setText(fault, "");
    read = readers(fields, columns[column.selectedIndex], column.selectedIndex, chosen, table);
  };
  const chooseColumn = (): void => {
    const described = columns[column.selectedIndex];
    if (!described) return;
    kinds = kindsFor(described);
    const list = select("Condition", kinds.map((name) => WORDS[name]));
    list.addEventListener("change", () => chooseKind(kinds[list.selectedIndex] ?? "null"));
    kind.replaceChildren(list);
    chooseKind(kinds[0] ?? "null");
  };
  column.addEventListener("change", chooseColumn);
  chooseColumn();
  const submit = button("Apply", "Show only these rows", () => undefined);
  submit.type = "submit";
  form.onsubmit = (event) => {
    event.preventDefault();
    try {
      const described = columns[column.selectedIndex];
      const condition = read();
      const index = column.selectedIndex;
      const filter = (store: Store): Filter => matcher(store, index, condition);
      if (described) apply(index, { condition, words: conditionText(described, condition), filter });
    } catch (error) {
      setText(fault, error instanceof Error ? error.message : String(error));
    }
  };
  return [column, kind, fields, submit, fault];
}

/** Puts the fields of a condition in a place. @returns What reads them. */
function readers(
  place: HTMLElement,
  column: Column | undefined,
  index: number,
  kind: Condition["kind"],
  table: Place,
): () => Condition {
  switch (kind) {
    case "contains": {
      const text = field("Text");
      place.replaceChildren(text);
      return () => ({ kind, text: text.value });
    }
    case "begins": {
      const text = field("Hexadecimal digits");
      place.replaceChildren(text);
      return () => ({ kind, text: digits(text.value) });
    }
    case "range": case "size": {
      const [least, most] = [field("From"), field("To")];
      place.replaceChildren(least, most);
      return () => {
        const bounds = [least.value, most.value].map((text) => (column && kind === "range" ? parse(text, column) : size(text)));
        if (bounds.every((bound) => bound === null)) throw new RangeError("Give at least one of the two bounds.");
        return { kind, least: least.value.trim(), most: most.value.trim() };
      };
    }
    case "one of": {
      const list = element("span", "");
      let boxes: { readonly box: HTMLInputElement; readonly value: Value }[] = [];
      const offer = (values: Counted, ...told: string[]): void => {
        boxes = [];
        list.replaceChildren(...told);
        for (const [value, count] of values) {
          const [label, box] = choice(column ? cellText(value, column) || "empty" : "");
          label.append(element("small", "", grouped(count)));
          boxes.push({ box, value });
          list.append(label);
        }
      };
      place.replaceChildren(list);
      const store = table.store();
      const rows = store.status?.rows ?? 0;
      if (!column || store.size >= rows) offer(frequent(store, index));
      else {
        list.textContent = "asking for the values of all rows…";
        frequentOfAll(table, index, column.name).then(offer, (error: Error) => {
          offer(frequent(store, index), `of the first ${grouped(store.size)} of ${grouped(rows)} rows (${error.message}): `);
        });
      }
      return () => {
        const values = boxes.filter(({ box }) => box.checked).map(({ value }) => value);
        if (values.length === 0) throw new RangeError("Choose at least one value.");
        return { kind, values };
      };
    }
    default:
      place.replaceChildren();
      return () => ({ kind });
  }
}

/** The values of a column that most rows have, without NULL. */
function frequent(store: Store, column: number): Counted {
  const counts = new Map<Value, number>();
  store.column(column).forEach((value, slot) => {
    if (value !== null && store.ids[slot] !== -1) counts.set(value, (counts.get(value) ?? 0) + 1);
  });
  return [...counts].sort(([, one], [, two]) => two - one).slice(0, OFFERED);
}

/** The same of all rows, of which the page holds a part. */
async function frequentOfAll(table: Place, column: number, name: string): Promise<Counted> {
  const { reply } = await table.ask({ about: "frequent", column, name, most: OFFERED });
  const counts = reply["counts"] as number[];
  return (reply["values"] as Value[]).map((value, at) => [value, counts[at] ?? 0]);
}

/** What can be asked of a column. */
function kindsFor(column: Column): readonly Condition["kind"][] {
  if (isNumber(column)) return ["range", "null", "not null"];
  switch (column.kind) {
    case "timestamp": case "date": case "time":
      return ["range", "null", "not null"];
    case "text": case "other":
      return ["contains", "one of", "null", "not null"];
    case "boolean":
      return ["one of", "null", "not null"];
    case "bytes":
      return ["begins", "size", "null", "not null"];
    case "json": case "uuid": case "file":
      return ["contains", "null", "not null"];
    default:
      return ["null", "not null"];
  }
}

/** A box to check, in its label. */
function choice(text: string): [HTMLLabelElement, HTMLInputElement] {
  const box = element("input", "");
  box.type = "checkbox";
  takeKeys(box);
  const label = element("label", "kl-choice");
  label.append(box, ` ${text} `);
  return [label, box];
}

function field(label: string): HTMLInputElement {
  const made = element("input", "");
  made.type = "text";
  made.placeholder = label;
  made.setAttribute("aria-label", label);
  return made;
}

/** A condition in words. */
function conditionText(column: Column, condition: Condition): string {
  switch (condition.kind) {
    case "contains":
      return `${column.name} contains “${condition.text}”`;
    case "one of":
      return `${column.name} is ${condition.values.map((value) => cellText(value, column)).join(" or ")}`;
    case "begins":
      return `${column.name} begins with ${condition.text}`;
    case "range": {
      const { least, most } = condition;
      if (least && most) return `${column.name} from ${least} to ${most}`;
      return least ? `${column.name} from ${least}` : `${column.name} to ${most}`;
    }
    case "size": {
      const { least, most } = condition;
      if (least && most) return `${column.name} has ${least} to ${most} bytes`;
      return least ? `${column.name} has ${least} bytes or more` : `${column.name} has ${most} bytes or fewer`;
    }
    case "null":
      return `${column.name} is NULL`;
    case "not null":
      return `${column.name} is not NULL`;
  }
}

/** Buttons for each format. */
export function copyButtons(copy: (format: Format, toFile: boolean) => Promise<void>, ask: Asks): (Node | string)[] {
  prepareToSave(ask);
  const fault = element("span", "kl-fault");
  fault.setAttribute("role", "alert");
  const made = (text: string, title: string, format: Format, toFile: boolean): HTMLElement =>
    button(text, title, () => {
      setText(fault, "");
      copy(format, toFile).catch((error: Error) => setText(fault, `Not saved: ${error.message}`));
    });
  const copies = FORMATS.map((format) => made(format, `Copy as ${format}`, format, false));
  const files = FILES.map((format) => made(`Save as ${format} file`, "Have the browser save it as a file", format, true));
  return [...copies, "or", ...files, fault];
}
