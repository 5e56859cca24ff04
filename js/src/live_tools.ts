// Tools of the page that most readers of a table do not touch: loaded when one is first used (`parts.ts`).

export { Details } from "./details";
export { textIn, whereText } from "./texts";
export { columnChooser, filterEditor } from "./editors";
