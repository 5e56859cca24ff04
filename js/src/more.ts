// What the tool "More" offers: a line of further tools, each of which shows itself in the table or above it.

import { button } from "./dom";
import type { Message } from "./frames";
import type { Shape } from "./drawn";
import { grouping } from "./group";
import { Profiles } from "./profiles";
import type { Asks } from "./session";
import { shapeFields } from "./shape";
import type { Store } from "./store";
import { timeline } from "./timeline";

/** The table that the tools are for. */
export interface Place {
  /** The rows that are on screen. */
  store(): Store;
  /** The headers that are drawn, by their columns. */
  heads(): readonly (readonly [number, HTMLElement])[];
  /** Calls a function now and whenever the table was drawn. */
  follow(draw: () => void): void;
  unfollow(draw: () => void): void;
  readonly ask: Asks;
  /** Shows the rows of an answer in the place of those of now. */
  travel(messages: readonly Message[], buffers: readonly DataView[], at: number): void;
  /** Goes back to the rows of now. */
  now(): void;
  /** How rows and numbers are shown. */
  shape(): Readonly<Shape>;
  reshape(change: Partial<Shape>): void;
  readonly root: HTMLElement;
  /** The query as the reader wrote it. */
  sql(): string;
}

const profiles = new WeakMap<Place, Profiles>();

/** The tools of the line. */
export function more(place: Place): Node[] {
  const switched = button("Profiles", "What each column holds: the spread or the most frequent values, NULLs, distinct values", () => {
    const shown = profiles.get(place);
    if (shown) {
      shown.end();
      profiles.delete(place);
    } else profiles.set(place, new Profiles(place));
    switched.setAttribute("aria-pressed", String(!shown));
  });
  switched.setAttribute("aria-pressed", String(profiles.has(place)));
  const others = [grouping(place), ...shapeFields(place)];
  return place.store().status?.form ? [switched, timeline(place), ...others] : [switched, ...others];
}
