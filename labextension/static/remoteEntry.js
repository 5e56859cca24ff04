// SQL colours in %%kalam cells, and lines that tell how far a call is, for JupyterLab 4 and Notebook 7.
//
// A prebuilt extension is a container that JupyterLab initializes with the modules that it shares, and asks for
// "./extension". Written by hand, so that nothing has to be built: it needs some of JupyterLab's own modules and holds none.

(() => {
  const NAME = "kalam-notebook";

  const KEYWORDS = new Set(
    `ack add all alter analyze and any as asc begin between by cascade case cast column columns commit consume create cross
    default delete desc describe distinct drop else end except execute exists explain false filter from full group having
    if ilike in inner insert intersect interval into is join key lateral left like limit namespace namespaces natural not
    null nulls offset on or order outer over partition primary returning right rollback select set show source storage
    table tables then to topic true truncate try_cast union unique update use user using values view when where window
    with within`.split(/\s+/),
  );
  const TOKEN =
    /(?<comment>--[^\n]*|\/\*[^]*?(?:\*\/|$))|(?<string>'(?:[^']|'')*(?:'|$)|\$\$[^]*?(?:\$\$|$))|(?<name>"(?:[^"]|"")*"?)|(?<variable>\$\w+)|(?<number>\d+(?:\.\d+)?)|(?<word>[\p{L}_][\p{L}\p{N}_]*)|(?<operator>[^\s\p{L}\p{N}_])/gu;

  /** The tokens of a %%kalam cell below its first line; none of any other cell. */
  function* tokens(text) {
    const magic = /^\s*%%kalam(?:[ \t][^\n]*)?(?:\n|$)/.exec(text);
    if (!magic) return;
    const start = magic[0].length;
    for (const match of text.slice(start).matchAll(TOKEN)) {
      let [kind] = Object.entries(match.groups).find(([, found]) => found !== undefined);
      if (kind === "word") kind = KEYWORDS.has(match[0].toLowerCase()) ? "keyword" : "name";
      yield { kind, from: start + match.index, to: start + match.index + match[0].length };
    }
  }

  function colours({ Prec }, { Decoration, EditorView, ViewPlugin }) {
    const marks = {};
    const mark = (kind) => (marks[kind] ??= Decoration.mark({ class: `kalam-sql-${kind}` }));
    const decorate = (view) =>
      Decoration.set([...tokens(view.state.doc.toString())].map(({ kind, from, to }) => mark(kind).range(from, to)));
    const plugin = ViewPlugin.define(
      (view) => ({
        decorations: decorate(view),
        update(change) {
          if (change.docChanged) this.decorations = decorate(change.view);
        },
      }),
      { decorations: (value) => value.decorations },
    );
    const plain = { fontWeight: "normal", fontStyle: "normal" };
    const theme = EditorView.baseTheme({
      ".kalam-sql-keyword": { color: "var(--jp-mirror-editor-keyword-color)", fontWeight: "bold" },
      ".kalam-sql-string": { ...plain, color: "var(--jp-mirror-editor-string-color)" },
      ".kalam-sql-number": { ...plain, color: "var(--jp-mirror-editor-number-color)" },
      ".kalam-sql-comment": { ...plain, color: "var(--jp-mirror-editor-comment-color)", fontStyle: "italic" },
      ".kalam-sql-variable": { ...plain, color: "var(--jp-mirror-editor-builtin-color)" },
      ".kalam-sql-operator": { ...plain, color: "var(--jp-mirror-editor-operator-color)" },
      ".kalam-sql-name": { ...plain, color: "var(--jp-content-font-color0)" },
    });
    // The innermost marks win over those of the Python that the cell is taken for.
    return Prec.highest([plugin, theme]);
  }

  const PROGRESS = "application/vnd.kalam.progress+json";

  /** Shows how far a call is. When it has ended, the output goes: an empty one would stay in the saved notebook. */
  function progressIn({ Widget }) {
    return class extends Widget {
      async renderModel(model) {
        const { id, line } = model.data[PROGRESS];
        this.node.textContent = line ?? "";
        this.node.style.color = "var(--jp-content-font-color2)";
        if (line === null) setTimeout(() => takeAway(this, id));
      }
    };
  }

  /** By the document's own model, which tells the one that is shown. */
  function takeAway(widget, id) {
    let cell = widget.parent;
    while (cell && !cell.model?.sharedModel?.updateOutputs) cell = cell.parent;
    const outputs = cell?.model.sharedModel;
    const at = outputs?.getOutputs().findIndex(({ data }) => data?.[PROGRESS]?.id === id) ?? -1;
    if (at >= 0) outputs.updateOutputs(at, at + 1, []);
  }

  let shared;

  /** A module that JupyterLab shares. */
  const load = async (name) => {
    const versions = Object.values(shared[name]);
    return (await versions[versions.length - 1].get())();
  };

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB[NAME] = {
    init(scope) {
      shared = scope;
    },
    async get() {
      const [codemirror, state, view, rendermime, widgets] = await Promise.all(
        [
          "@jupyterlab/codemirror",
          "@codemirror/state",
          "@codemirror/view",
          "@jupyterlab/rendermime",
          "@lumino/widgets",
        ].map(load),
      );
      const { EditorExtensionRegistry, IEditorExtensionRegistry } = codemirror;
      const sql = {
        id: `${NAME}:sql`,
        description: "Colours SQL in %%kalam cells.",
        autoStart: true,
        requires: [IEditorExtensionRegistry],
        activate(app, registry) {
          registry.addExtension({
            name: "kalamSql",
            default: true,
            factory: () => EditorExtensionRegistry.createConditionalExtension(colours(state, view)),
            schema: { type: "boolean", title: "SQL in %%kalam cells", description: "Whether SQL has its colours there." },
          });
        },
      };
      const progress = {
        id: `${NAME}:progress`,
        description: "Shows how far a call is, and leaves nothing of it in the notebook.",
        autoStart: true,
        requires: [rendermime.IRenderMimeRegistry],
        activate(app, registry) {
          const Progress = progressIn(widgets);
          registry.addFactory(
            { safe: true, mimeTypes: [PROGRESS], createRenderer: () => new Progress() },
            0, // Before html.
          );
        },
      };
      return () => [sql, progress];
    },
  };
})();
