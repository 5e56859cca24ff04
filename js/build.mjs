// Builds the page module, or the tests. The output depends on the sources and the locked tools alone: no time, no path.
import { build, transform } from "esbuild";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const PAGE = join(here, "../kalam_notebook/notebook/page/static/live_table.js");
const LIMIT = 70_000; // Bytes. The module travels with every live table's widget.

/** The licence of the one bundled library, which must go with its code. */
function banner() {
  const licence = readFileSync(join(here, "node_modules/@uwdata/flechette/LICENSE"), "utf8");
  const { version } = JSON.parse(readFileSync(join(here, "node_modules/@uwdata/flechette/package.json"), "utf8"));
  const own = "kalam_notebook live table. Apache-2.0. Built from js/src by `make js`; do not edit.";
  return `/*! ${own}\n\nHolds @uwdata/flechette ${version}:\n\n${licence.trim()}\n*/`;
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

const common = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  plugins: [styles],
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
  await build({
    ...common,
    entryPoints: ["src/live_table.ts"],
    outfile: PAGE,
    minify: true,
    platform: "browser",
    banner: { js: banner() },
  });
  const { size } = statSync(PAGE);
  if (size > LIMIT) throw new Error(`live_table.js has ${size} bytes, more than ${LIMIT}.`);
  console.log(`live_table.js: ${size} bytes`);
}
