// Bundlers whose output runs in a page. None has a configuration that is about Pagemark.
import { cpSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { shownAt, shownFrom } from "./page.mjs";
import { call, project, serving, tool } from "./project.mjs";

const node = process.execPath;
let port = 18_200;

/** Pages of `examples/browser`: in the page itself, in a worker of its own, or in one that `pagemark/browser` starts. */
const pages = [
  ["page", "index.html"],
  ["worker", "worker.html"],
  ["background", "background.html"],
];
/** Scripts of these pages, for what takes no page. */
const SCRIPTS = { page: "main.js", worker: "in-worker.js", background: "in-background.js" };

function vite(name) {
  const cli = tool(`${name}/bin/vite.js`);
  const title = name === "vite" ? "Vite 7" : name.replace("vite-", "Vite ");
  return pages.flatMap(([where, html]) => [
    {
      ...{ name: `${title}, dev, ${where}`, tool: name, how: "`vite`" },
      run() {
        const cwd = project("browser");
        port += 1;
        const url = `http://127.0.0.1:${port}/`;
        const args = [cli, "--port", String(port), "--strictPort", "--host", "127.0.0.1"];
        return serving(node, args, { cwd, url }, () => shownAt(`${url}${html}`));
      },
    },
    {
      ...{ name: `${title}, build, ${where}`, tool: name, how: "`vite build`" },
      run() {
        const cwd = project("browser");
        if (html !== "index.html") renameSync(join(cwd, html), join(cwd, "index.html"));
        call(node, [cli, "build", "--logLevel", "error"], { cwd });
        return shownFrom(join(cwd, "dist"));
      },
    },
  ]);
}

/** A script made of `main.js`, in the page of the example. */
function bundled(name, toolName, how, make, type = "module") {
  return {
    ...{ name, tool: toolName, how },
    async run() {
      const cwd = project("browser");
      await make(cwd);
      const html = readFileSync(join(cwd, "index.html"), "utf8");
      writeFileSync(
        join(cwd, "out/index.html"),
        html.replace(
          '<script type="module" src="./main.js">',
          `<script type="${type}" defer src="./main.js">`,
        ),
      );
      return shownFrom(join(cwd, "out"));
    },
  };
}

/** webpack's interface, which others have, too. */
function packed(title, toolName, entry, where) {
  const make = async (cwd) => {
    const { default: pack } = await import(pathToFileURL(tool(entry)).href);
    const options = {
      ...{ context: cwd, mode: "production", entry: `./${SCRIPTS[where]}` },
      output: { path: join(cwd, "out"), filename: "main.js" },
    };
    await new Promise((resolve, reject) => {
      pack(options, (error, stats) => {
        if (error) reject(error);
        else if (stats.hasErrors()) reject(new Error(stats.toString("errors-only")));
        else resolve();
      });
    });
  };
  return bundled(`${title}, ${where}`, toolName, "no configuration", make);
}

const rollup =
  (format, browser, where = "page") =>
  async (cwd) => {
    const { rollup } = await import(pathToFileURL(tool("rollup/dist/es/rollup.js")).href);
    const { default: resolve } = await import(
      pathToFileURL(tool("@rollup/plugin-node-resolve/dist/es/index.js")).href
    );
    const bundle = await rollup({
      input: join(cwd, SCRIPTS[where]),
      plugins: [resolve({ browser })],
      onwarn() {},
    });
    await bundle.write({ dir: join(cwd, "out"), entryFileNames: "main.js", format, name: "app" });
  };

const esbuild =
  (format, where = "page") =>
  (cwd) =>
    call(
      tool(".bin/esbuild"),
      [
        ...[SCRIPTS[where], "--bundle", `--format=${format}`, "--minify"],
        ...["--outfile=out/main.js", "--log-level=error"],
      ],
      { cwd },
    );

export const browserCases = [
  ...["vite-5", "vite-6", "vite", "vite-8"].flatMap(vite),
  ...pages.map(([where]) => packed("webpack", "webpack", "webpack/lib/index.js", where)),
  ...pages.map(([where]) => packed("Rspack", "@rspack/core", "@rspack/core/dist/index.js", where)),
  bundled("esbuild, ESM", "esbuild", "`esbuild --bundle --format=esm`", esbuild("esm")),
  bundled("esbuild, IIFE", "esbuild", "`esbuild --bundle --format=iife`", esbuild("iife"), "text/javascript"),
  bundled(
    "esbuild, background",
    "esbuild",
    "`esbuild --bundle --format=iife`",
    esbuild("iife", "background"),
    "text/javascript",
  ),
  bundled(
    "Rollup, background",
    "rollup",
    "`rollup -p node-resolve -f es -d`",
    rollup("es", true, "background"),
  ),
  bundled("Rollup, ESM", "rollup", "`rollup -p node-resolve -f es`", rollup("es", false)),
  bundled(
    "Rollup, IIFE",
    "rollup",
    "`rollup -p node-resolve -f iife`",
    rollup("iife", true),
    "text/javascript",
  ),
  ...pages.map(([where, html]) => ({
    ...{ name: `Parcel, build, ${where}`, tool: "parcel", how: "`parcel build`" },
    run() {
      const cwd = project("browser");
      call(tool(".bin/parcel"), ["build", html, "--no-cache", "--dist-dir", "out"], { cwd });
      return shownFrom(join(cwd, "out"), `/${html}`);
    },
  })),
  ...["page", "background"].map((where) =>
    bundled(
      where === "page" ? "bun build" : `bun build, ${where}`,
      "@oven/bun-linux-x64",
      "`bun build --target browser`",
      (cwd) =>
        call(
          tool("@oven/bun-linux-x64/bin/bun"),
          ["build", SCRIPTS[where], "--target", "browser", "--outfile", "out/main.js"],
          { cwd },
        ),
    ),
  ),
  {
    ...{ name: "a folder, no bundler", how: '`<script type="module">`, an import map' },
    run() {
      const cwd = project("browser");
      cpSync(join(cwd, "node_modules/pagemark/dist"), join(cwd, "pagemark"), { recursive: true });
      const imports = {
        pagemark: "./pagemark/entry/browser.js",
        "pagemark/engine": "./pagemark/entry/engine.browser.js",
      };
      const html = readFileSync(join(cwd, "index.html"), "utf8");
      const map = `<script type="importmap">${JSON.stringify({ imports })}</script>`;
      writeFileSync(join(cwd, "index.html"), html.replace("<script", `${map}<script`));
      return shownFrom(cwd);
    },
  },
  {
    ...{ name: "one file, opened from disk", tool: "esbuild", how: "a bundle within the HTML" },
    run() {
      const cwd = project("browser");
      esbuild("iife")(cwd);
      const script = readFileSync(join(cwd, "out/main.js"), "utf8").replaceAll("</script", "<\\/script");
      const html = readFileSync(join(cwd, "index.html"), "utf8");
      const one = html.replace(/<script.*<\/script>/, () => `<script>${script}</script>`);
      writeFileSync(join(cwd, "one.html"), one);
      return shownAt(pathToFileURL(join(cwd, "one.html")).href);
    },
  },
  ...["/", "/server"].map((path) => ({
    ...{
      name: path === "/" ? "Next.js, in the page" : "Next.js, on the server",
      tool: "next",
      how: "`next build`",
    },
    run() {
      const cwd = project("next");
      cpSync(join(project("browser"), "app.js"), join(cwd, "app/app.js"));
      // The tools are above the project, as in a workspace.
      writeFileSync(
        join(cwd, "next.config.mjs"),
        `export default { output: "export", turbopack: { root: ${JSON.stringify(tool(".."))} } };`,
      );
      call(node, [tool("next/dist/bin/next"), "build"], { cwd });
      const file = existsSync(join(cwd, `out${path}.html`)) ? `${path}.html` : path;
      return shownFrom(join(cwd, "out"), file);
    },
  })),
  {
    ...{ name: "SvelteKit, prerendered", tool: "@sveltejs/kit", how: "`vite build`" },
    run() {
      const cwd = project("sveltekit");
      cpSync(join(project("browser"), "app.js"), join(cwd, "src/routes/app.js"));
      call(node, [tool("vite/bin/vite.js"), "build", "--logLevel", "error"], { cwd });
      return shownFrom(join(cwd, "build"));
    },
  },
];
