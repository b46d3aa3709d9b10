// Runtimes without a page, and programs that are bundled for them.
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { root } from "../run.mjs";
import { call, EXPECTED, project, serving, tool } from "./project.mjs";

const bun = () => tool("@oven/bun-linux-x64/bin/bun");
const esbuild = () => tool(".bin/esbuild");

/** A case that runs a program of `examples/node` on a real file. */
function program(name, toolName, how, command) {
  return {
    ...{ name, tool: toolName, how },
    run() {
      const cwd = project("node");
      const db = new DatabaseSync(join(cwd, "app.db"));
      db.exec(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text); INSERT INTO notes (text) VALUES ('first'), ('second')",
      );
      db.close();
      return command(cwd).trim();
    },
  };
}

const nodeBundle = (format, file) => (cwd) => {
  call(
    esbuild(),
    ["app.js", "--bundle", "--platform=node", `--format=${format}`, `--outfile=${file}`, "--log-level=error"],
    { cwd },
  );
  return call(process.execPath, ["--no-warnings", file], { cwd });
};

export const runtimeCases = [
  program("Node", "node", "`node app.js`", (cwd) =>
    call(process.execPath, ["--no-warnings", "app.js"], { cwd }),
  ),
  program(
    "Node, bundled, ESM",
    "esbuild",
    "`esbuild --platform=node --format=esm`",
    nodeBundle("esm", "out/app.mjs"),
  ),
  program(
    "Node, bundled, CommonJS",
    "esbuild",
    "`esbuild --platform=node --format=cjs`",
    nodeBundle("cjs", "out/app.cjs"),
  ),
  program("Deno", "@deno/linux-x64-glibc", "`deno run -A app.js`", (cwd) =>
    call(tool("@deno/linux-x64-glibc/deno"), ["run", "-A", "--node-modules-dir=manual", "app.js"], { cwd }),
  ),
  program("Bun", "@oven/bun-linux-x64", "`bun app.js`", (cwd) => call(bun(), ["app.js"], { cwd })),
  program("Bun, bundled", "@oven/bun-linux-x64", "`bun build --target bun`", (cwd) => {
    call(bun(), ["build", "app.js", "--target", "bun", "--outdir", "out"], { cwd });
    return call(bun(), ["out/app.js"], { cwd });
  }),
  {
    ...{ name: "vitest", tool: "vitest", how: "`vitest run`" },
    run() {
      const cwd = project("browser");
      renameSync(join(cwd, "app.js"), join(cwd, "notes.js"));
      const test = `import { expect, test } from "vitest";
        import { run } from "./notes.js";
        test("a backup", async () => expect(JSON.stringify(await run())).toBe(${JSON.stringify(EXPECTED)}));`;
      writeFileSync(join(cwd, "notes.test.js"), test);
      call(join(root, "node_modules/.bin/vitest"), ["run", "--root", cwd], { cwd });
      return EXPECTED;
    },
  },
  {
    ...{ name: "workerd", tool: "wrangler", how: "`wrangler dev`" },
    run() {
      const cwd = project("cloudflare");
      const url = "http://127.0.0.1:18290/";
      const args = ["dev", "--port", "18290", "--inspector-port", "18291", "--ip", "127.0.0.1"];
      const env = { WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: join(cwd, "logs"), CI: "1" };
      return serving(join(root, "node_modules/.bin/wrangler"), args, { cwd, url, env }, async () =>
        (await fetch(url)).text(),
      );
    },
  },
];
