// Writes docs/errors.md from the places where codes are made; `--check` only says whether it is up to date.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lib/run.mjs";

const page = join(root, "docs/errors.md");
const [core, engine] = ["src/error.rs", "engine/src/error.rs"].map((file) =>
  [...readFileSync(join(root, file), "utf8").matchAll(/= (\w+) "([A-Z_]+)": "(.*)",$/gm)].map(
    ([, kind, code, text]) => [code, kind.toLowerCase(), text.replace(/\\(.)/g, "$1")],
  ),
);
const sources = readdirSync(join(root, "js/src"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .sort()
  .map((path) => readFileSync(join(root, "js/src", path), "utf8"))
  .join("\n");
const known = new Set([...core, ...engine].map(([code]) => code));
/** What looks like a code and is somebody else's: Node's, and D1's, which its clients know; or a variable of the environment. */
const FOREIGN = /^(ERR_|D1_|PAGEMARK_|CLOUDFLARE_|MODULE_NOT_FOUND$)/;
// Codes stand in tables, too; those of one word only where an error is made.
const quoted = [...sources.matchAll(/"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"/g)];
const made = [...sources.matchAll(/\b\w*Error\(\s*"([A-Z][A-Z0-9_]*)"/g)];
const own = [
  ...new Set(
    [...quoted, ...made, ...sources.matchAll(/"(CONFLICT|CANCELED|INTERNAL)"/g)].map(([, code]) => code),
  ),
]
  .filter((code) => !known.has(code) && !FOREIGN.test(code))
  .sort((a, b) => (a < b ? -1 : 1));

const text = `# Error codes

Match on \`code\`; messages may change. \`at\` says where: \`name\` (path or key), \`page\`, \`offset\` (bytes), \`txid\`, \`row\` (rowid).
The class says whose matter it is: the caller's; that of whoever handed in a database (input); of what is stored (damage);
of the SQL; of somebody else at the moment (busy); of the store or the host; or ours (defect). Errors of input and damage
are a \`DamageError\`, those of the SQL a \`SqlError\`, all others a \`PagemarkError\`.
This page is made by \`node scripts/error-codes.mjs\`.

## Of the core

| code | class | what it says |
| --- | --- | --- |
${rows(core)}

## Of the engine

\`SQL_ERROR\` and \`IMPORT_STATEMENT\` say what SQLite says, and have its extended code in \`sqlite\`; \`at\` has \`line\` in an import.

| code | class | what it says |
| --- | --- | --- |
${rows(engine)}

## Of sources, stores and jobs

Their messages name the file or object and what to do.

${own.map((code) => `- \`${code}\``).join("\n")}
`;
function rows(codes) {
  return codes.map(([code, kind, message]) => `| \`${code}\` | ${kind} | ${message} |`).join("\n");
}

if (process.argv.includes("--check")) {
  if (readFileSync(page, "utf8") !== text) {
    console.error("docs/errors.md is out of date: run node scripts/error-codes.mjs");
    process.exit(1);
  }
} else writeFileSync(page, text);
