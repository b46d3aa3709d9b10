// The npm packages that the library and the Worker use, in the published package itself: whoever installs it installs
// nothing else, and a page can load it from a folder, where no bare name of a package leads anywhere.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { build } from "esbuild";
import { root } from "./run.mjs";

const sources = join(root, "js/src");
/** The command and its server are bundled by themselves; the page of the dashboard and types use no packages when they run. */
const ELSEWHERE = /^(cli|serve|api\/dashboard\/browser)\//;
const IMPORT =
  /^import (?!type\b)(?:\{([^}]*)\}|\* as \w+) from "(?!node:|cloudflare:|pagemark|\.)([^"]+)";/gm;
const SPECIFIER = /(\bfrom )"(?!node:|cloudflare:|\.)([^"]+)"/g;

/**
 * Bundles what js/src imports of packages into `dist/vendor`, and has the compiled files import it from there.
 *
 * @returns the packages whose code is in it
 */
export async function bundlePackages(dist) {
  const used = usedNames();
  const names = new Map([...used.keys()].map((specifier) => [specifier, fileOf(specifier)]));
  const vendor = join(dist, "vendor");
  // Packages of one maker share files, others do not.
  const groups = Map.groupBy(names.keys(), (specifier) => (/hono/.test(specifier) ? "hono" : specifier));
  const builds = [...groups.values()].map((group) =>
    build({
      absWorkingDir: root,
      entryPoints: Object.fromEntries(group.map((specifier) => [names.get(specifier), `used:${specifier}`])),
      plugins: [onlyUsed(used)],
      outdir: vendor,
      chunkNames: "shared-[hash]",
      ...{ bundle: true, splitting: true, format: "esm", platform: "neutral", target: "es2022" },
      // Neither a browser's nor Node's variant of a package, but the one for all.
      mainFields: ["module", "main"],
      conditions: ["import", "default"],
      ...{ metafile: true, write: false, logLevel: "warning", minifySyntax: true, minifyWhitespace: true },
    }),
  );
  const built = await Promise.all(builds);
  const outputFiles = built.flatMap((each) => each.outputFiles);
  mkdirSync(vendor, { recursive: true });
  const made = new Set(outputFiles.map(({ path }) => path));
  for (const name of readdirSync(vendor)) if (!made.has(join(vendor, name))) rmSync(join(vendor, name));
  for (const { path, contents } of outputFiles) {
    if (!existsSync(path) || !readFileSync(path).equals(contents)) writeFileSync(path, contents);
  }
  for (const name of readdirSync(dist, { recursive: true })) {
    if (name.endsWith(".js") && !ELSEWHERE.test(name) && !/^(vendor|bin|pkg|inline)\//.test(name))
      redirect(join(dist, name), name, names);
  }
  return new Set(built.flatMap(({ metafile }) => [...packagesIn(metafile)]));
}

/** The licences of packages, one after the other. */
export function licencesOf(packages) {
  const texts = [...packages].sort().map((name) => {
    const folder = join(root, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : `Licensed ${license}.`;
    return `${name} ${version}\n\n${text}\n`;
  });
  return `Parts of this package are of others:\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

/** The packages whose files esbuild read. */
export function packagesIn({ inputs }) {
  const paths = Object.keys(inputs).map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  return new Set(paths.filter((name) => name !== undefined));
}

/** What is imported when the sources run: names of exports, by the package or part of one. */
function usedNames() {
  const used = new Map();
  for (const path of readdirSync(sources, { recursive: true })) {
    if (!path.endsWith(".ts") || ELSEWHERE.test(path)) continue;
    for (const [, list = "*", specifier] of readFileSync(join(sources, path), "utf8").matchAll(IMPORT)) {
      const names = list.split(",").map((name) => name.trim().replace(/ as .*/, ""));
      const values = names.filter((name) => name !== "" && !name.startsWith("type "));
      if (values.length > 0) used.set(specifier, new Set([...(used.get(specifier) ?? []), ...values]));
    }
  }
  return used;
}

/** Modules that pass on what is used of a package, so that the rest is left out. */
function onlyUsed(used) {
  return {
    name: "used",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^used:/ }, ({ path }) => ({ path: path.slice(5), namespace: "used" }));
      onLoad({ filter: /.*/, namespace: "used" }, ({ path }) => {
        const names = [...used.get(path)].sort();
        const what = names.includes("*") ? "*" : `{ ${names.join(", ")} }`;
        return { contents: `export ${what} from "${path}";`, resolveDir: join(root, "js") };
      });
    },
  };
}

function fileOf(specifier) {
  return specifier.replace(/^@/, "").replaceAll("/", "-");
}

function redirect(path, name, names) {
  const text = readFileSync(path, "utf8");
  const up = posix.relative(posix.dirname(name.replaceAll("\\", "/")), "vendor");
  const to = up.startsWith(".") ? up : `./${up}`;
  const changed = text.replace(SPECIFIER, (all, from, specifier) =>
    names.has(specifier) ? `${from}"${to}/${names.get(specifier)}.js"` : all,
  );
  if (changed !== text) writeFileSync(path, changed);
}
