// The dashboard page as one module of texts, which the Worker serves: a Worker has no files.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root, run } from "./run.mjs";

const source = join(root, "js/src/api/dashboard");
const compiled = join(root, "target/dashboard");

/** Compiles the page and writes it to `to`, if it changed. */
export function buildDashboard(to) {
  rmSync(compiled, { recursive: true, force: true });
  run("tsc", ["--project", join(source, "browser")]);
  const files = {
    "style.css": small(join(source, "style.css")),
    "icon.svg": small(join(source, "icon.svg")),
  };
  for (const name of readdirSync(compiled).sort()) files[name] = small(join(compiled, name));
  const html = small(join(source, "index.html")).replace("</head>", `${preloads(Object.keys(files))}</head>`);
  const version = createHash("sha256")
    .update(JSON.stringify([html, files]))
    .digest("hex")
    .slice(0, 16);
  const exported = { version, page: html.replaceAll("/dashboard/", `/dashboard/${version}/`), files };
  const text = Object.entries(exported)
    .map(([name, value]) => `export const ${name} = ${JSON.stringify(value, null, 1)};\n`)
    .join("");
  if (existsSync(to) && readFileSync(to, "utf8") === text) return;
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, text);
}

/** Lets the browser ask for all modules at once, and not for each when it has read who imports it. */
function preloads(names) {
  const modules = names.filter((name) => name.endsWith(".js") && name !== "main.js");
  return modules.map((name) => `<link rel="modulepreload" href="/dashboard/${name}" />\n`).join("");
}

/** A file without indentation: no text in it goes over several lines. */
function small(path) {
  return readFileSync(path, "utf8").replace(/^\s+/gm, "");
}
