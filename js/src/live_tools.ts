// Tools of the page that most readers of a table do not touch: loaded when one is first used (`parts.ts`).

export { chartFields } from "./charting";
export { Details } from "./details";
export { completed } from "./completed";
export { columnChooser, copyButtons, filterEditor, looks, sqlField } from "./editors";
export { Far } from "./far";
export { more, type Place } from "./more";
export { textOf } from "./save";
