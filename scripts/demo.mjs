// Builds examples/demo into target/demo, a folder for any static server, and serves it: `npm run demo`. With `--build` only builds.
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { build } from "esbuild";
import { root } from "./lib/run.mjs";

const [source, out] = [join(root, "examples/demo"), join(root, "target/demo")];
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
};

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  entryPoints: ["main.js", "worker.js", "backup-worker.js"].map((name) => join(source, name)),
  ...{ bundle: true, minify: true, format: "esm", platform: "browser", target: "es2022" },
  // The worker is beside the page: the text that one could be started from is loaded by nobody.
  ...{ outdir: out, logLevel: "error", splitting: true },
});
for (const name of ["index.html", "style.css"]) cpSync(join(source, name), join(out, name));
// SQLite's own, which its script looks for beside itself.
copyFileSync(join(root, "node_modules/@sqlite.org/sqlite-wasm/dist/sqlite3.wasm"), join(out, "sqlite3.wasm"));
console.log(`The demo is in ${out}.`);
if (!process.argv.includes("--build")) serve(Number(process.env.PORT ?? 8789));

function serve(port) {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    let file = join(out, path);
    if (existsSync(file) && statSync(file).isDirectory()) file = join(file, "index.html");
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
    response.end(readFileSync(file));
  });
  server.listen(port, "127.0.0.1", () => console.log(`http://localhost:${port}`));
}
