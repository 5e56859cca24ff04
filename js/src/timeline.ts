// A slider over the changes that the kernel remembers: the table as it was after each of them.

import { grouped } from "./cells";
import { moment } from "./clock";
import { button, element, setText, takeKeys } from "./dom";
import type { Message } from "./frames";
import type { Place } from "./more";

/** A button that becomes the slider once the kernel has told which moments there are. */
export function timeline(place: Place): HTMLElement {
  const root = element("span", "kl-chips");
  const told = element("span", "kl-told");
  told.setAttribute("role", "status");
  const tell = (error: unknown): void => setText(told, error instanceof Error ? error.message : String(error));
  const open = button("Time", "The table as it was after each change that is remembered", () => {
    place.ask({ about: "moments" }).then(({ reply }) => root.replaceChildren(...slider(place, reply["moments"] as number[], told), told), tell);
  });
  root.append(open, told);
  return root;
}

/** @param moments Microseconds since 1970: since when the rows are known, and when they changed. */
function slider(place: Place, moments: readonly number[], told: HTMLElement): HTMLElement[] {
  const range = element("input", "");
  range.type = "range";
  range.max = String(moments.length);
  range.value = range.max;
  range.setAttribute("aria-label", "The table as it was");
  takeKeys(range);
  let isAsking = false;

  const show = async (): Promise<void> => {
    if (isAsking) return;
    const wanted = range.value;
    const at = moments[Number(wanted)];
    const text = at === undefined ? "now" : `${moment(at / 1_000)}, ${grouped(Number(wanted))} of ${grouped(moments.length - 1)} changes`;
    range.setAttribute("aria-valuetext", text);
    if (at === undefined) place.now();
    else {
      isAsking = true;
      try {
        const { reply, buffers } = await place.ask({ about: "past", moment: at });
        place.travel(reply["messages"] as Message[], buffers, at / 1_000);
      } catch (error) {
        setText(told, error instanceof Error ? error.message : String(error));
        return;
      } finally {
        isAsking = false;
      }
    }
    setText(told, text);
    if (range.value !== wanted) await show(); // It was moved on meanwhile.
  };
  range.addEventListener("input", () => void show());
  const now = button("Now", "Back to the table as it is", () => {
    range.value = range.max;
    void show();
  });
  setText(told, "now");
  return [range, now];
}
