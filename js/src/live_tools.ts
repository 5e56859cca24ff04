// Tools of the page that most readers of a table do not touch: loaded when one is first used (`parts.ts`).

export { Details } from "./details";
export { columnChooser, copyButtons, filterEditor, saveFile } from "./editors";
export { more, type Place } from "./more";
export { textIn, whereText } from "./texts";
