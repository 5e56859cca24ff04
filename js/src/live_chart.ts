// The page module of a live chart, loaded by anywidget: as that of a live table, with another view.

import { ChartPanel, type ChartKind } from "./chart";
import { widget } from "./widget";

export { ChartPanel };
export default widget((model, about, session) => {
  const drawing = { ...about, kind: model.get("kind") as ChartKind, colours: model.get("colours") as string[] };
  return new ChartPanel(drawing, session.store, (wish) => session.ask(wish));
});
