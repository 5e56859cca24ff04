// The page module of the live table, loaded by anywidget.

import { Panel } from "./panel";
import { widget } from "./widget";

export default widget((_, about, session) => {
  return new Panel(about, session.store, { wish: (wish) => session.ask(wish), question: session.question });
});
