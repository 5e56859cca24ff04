// Builds the page module, or the tests. The output depends on the sources and the locked tools alone: no time, no path.
import { build, transform } from "esbuild";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const STATIC = join(here, "../kalam_notebook/notebook/page/static");
/** The modules, the bytes that each may have, and the libraries in it. The first two travel with the widgets that show them. */
const MODULES = {
  live_table: [70_000, ["@uwdata/flechette"]],
  live_chart: [110_000, ["@uwdata/flechette", "uplot"]],
  live_tools: [36_000, []],
  live_arrow: [24_000, ["@uwdata/flechette"]],
};

/** The licences of the bundled libraries, which must go with their code. */
function banner(libraries) {
  const licences = libraries.map((library) => {
    const folder = join(here, "node_modules", library);
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return `Holds ${library} ${version}:\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}`;
  });
  const own = "kalam_notebook. Apache-2.0. Built from js/src by `make js`; do not edit.";
  if (licences.length === 0) return `/*! ${own} */`;
  return `/*! ${[own, ...licences].join("\n\n")}\n*/`;
}

/** Styles go into the module as text, without what only their readers need. */
const styles = {
  name: "styles",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
      return { contents: code, loader: "text" };
    });
  },
};

/** Types of Arrow that `page_rows.py` never sends: what reads them stays out of the modules. */
const UNSENT = [
  "Date", "Timestamp", "Interval", "LargeUtf8", "LargeBinary", "BinaryView", "Utf8View", "LargeList", "Map", "ListView",
  "LargeListView", "Struct", "RunEndEncoded", "Dictionary", "Union",
];
/** What the options with which `frames.ts` reads leave no choice of. */
const CHOSEN = [
  ["useBigInt || bitWidth < 64 ? DirectBatch : Int64Batch", "DirectBatch"],
  ["precision ? DirectBatch : Float16Batch", "DirectBatch"],
  ["(useDecimalInt ? DirectBatch : Decimal32NumberBatch)", "DirectBatch"],
  ["(useDecimalInt ? DecimalBigIntBatch : DecimalNumberBatch)", "DecimalBigIntBatch"],
];
/** Of a table its columns are read, never its rows. */
const TABLE = `export class Table {
  constructor(schema, children) { Object.assign(this, { schema, children }); }
  getChildAt(index) { return this.children[index]; }
}`;
const arrow = {
  name: "arrow",
  setup({ onLoad }) {
    onLoad({ filter: /flechette.src.table\.js$/ }, () => ({ contents: TABLE }));
    onLoad({ filter: /flechette.src.batch-type\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, "utf8");
      for (const type of UNSENT) {
        const without = contents.replace(new RegExp(`case Type\\.${type}:[^]*?;(?=\\s*(case|\\}))`), "");
        if (without === contents) throw new Error(`${path} has no ${type}.`);
        contents = without;
      }
      for (const [choice, chosen] of CHOSEN) {
        if (!contents.includes(choice)) throw new Error(`${path} has no ${choice}.`);
        contents = contents.replace(choice, chosen);
      }
      return { contents };
    });
  },
};

const common = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  plugins: [styles, arrow],
  legalComments: "none",
  logLevel: "warning",
};

if (process.argv[2] === "tests") {
  const folder = join(here, "build/tests");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const entryPoints = readdirSync(join(here, "tests")).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...common,
    entryPoints: entryPoints.map((name) => join("tests", name)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    platform: "node",
    sourcemap: "inline",
  });
} else {
  for (const [module, [limit, libraries]] of Object.entries(MODULES)) {
    const outfile = join(STATIC, `${module}.js`);
    await build({
      ...common,
      entryPoints: [`src/${module}.ts`],
      outfile,
      minify: true,
      platform: "browser",
      banner: { js: banner(libraries) },
    });
    const { size } = statSync(outfile);
    if (size > limit) throw new Error(`${module}.js has ${size} bytes, more than ${limit}.`);
    console.log(`${module}.js: ${size} bytes`);
  }
}
