// Builds the page module, or the tests. The output depends on the sources and the locked tools alone: no time, no path.
import { build, transform } from "esbuild";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const STATIC = join(here, "../kalam_notebook/notebook/page/static");
/** The modules, each with the bytes that it may have. The first travels with every live table's widget. */
const MODULES = { live_table: 70_000, live_tools: 25_000 };

/** The licence of the one bundled library, which must go with its code. */
function banner(module) {
  const own = "kalam_notebook live table. Apache-2.0. Built from js/src by `make js`; do not edit.";
  if (module !== "live_table") return `/*! ${own} */`;
  const licence = readFileSync(join(here, "node_modules/@uwdata/flechette/LICENSE"), "utf8");
  const { version } = JSON.parse(readFileSync(join(here, "node_modules/@uwdata/flechette/package.json"), "utf8"));
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
  for (const [module, limit] of Object.entries(MODULES)) {
    const outfile = join(STATIC, `${module}.js`);
    await build({
      ...common,
      entryPoints: [`src/${module}.ts`],
      outfile,
      minify: true,
      platform: "browser",
      banner: { js: banner(module) },
    });
    const { size } = statSync(outfile);
    if (size > limit) throw new Error(`${module}.js has ${size} bytes, more than ${limit}.`);
    console.log(`${module}.js: ${size} bytes`);
  }
}
