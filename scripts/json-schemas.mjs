// Writes docs/json.md from the schemas of what `--json` prints (js/src/cli/schemas.ts); `--check` only says whether it is up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lib/run.mjs";

const { JSON_VERSION, OUTPUTS, jsonSchema } = await import(join(root, "js/dist/cli/schemas.js"));
const page = join(root, "docs/json.md");
const all = Object.keys(OUTPUTS).map((name) => ({ name, schema: jsonSchema(name) }));
const shared = all.map(({ schema }) => schema.$defs?.backup).find((found) => found !== undefined);

const text = `# What \`--json\` prints

With \`--json\` a command prints one JSON value on stdout, or one a line where it says so, and nothing for people. When it fails it prints an [error](#error) on stderr.
Exit codes are the same without: 0 done, 1 failed, 2 wrong usage, 3 done with warnings, 12 wrong key or none.

This is version ${JSON_VERSION}. Keys and values may be added to it: ignore those that you do not know. What goes away or means something else makes a new version, in a new major version of
the package. Times are in RFC 3339 in UTC, sizes in bytes. A key marked *optional* may be missing.

Each has a JSON schema (draft 2020-12) in the package: \`pagemark/schemas/list.json\`. Tests hold what the commands print against them.
This page is made by \`node scripts/json-schemas.mjs\`.

## backup, wherever one is shown

${tableOf(shared)}
${all.map(section).join("\n")}`;

if (!process.argv.includes("--check")) writeFileSync(page, text);
else if (readFileSync(page, "utf8") !== text) {
  console.error("docs/json.md is out of date: run node scripts/json-schemas.mjs");
  process.exit(1);
}

function section({ name, schema }) {
  const { description } = schema;
  return `## ${name}\n\n${description[0].toUpperCase()}${description.slice(1)}.\n\n${tableOf(schema)}`;
}

function tableOf(schema) {
  const rows = keysOf(schema, "").map(
    ([path, type, words]) => `| \`${path}\` | ${type.replaceAll("|", "\\|")} | ${words} |`,
  );
  return rows.length === 0
    ? `${typeOf(schema)}${schema.propertyNames ? "" : "."}\n`
    : `| key | type | what it is |\n| --- | --- | --- |\n${rows.join("\n")}\n`;
}

/** Keys of a value and of those in it, with their types. */
function keysOf(schema, path) {
  if (schema.anyOf) return once(schema.anyOf.flatMap((each) => keysOf(each, path)));
  if (schema.type === "array") return keysOf(schema.items, `${path}[]`);
  const { properties = {}, required = [] } = schema;
  // What every backup says is said once.
  const isBackup = schema !== shared && "changed_pages" in properties;
  const keys = Object.entries(properties).filter(([key]) => !isBackup || !(key in shared.properties));
  const prefix = path === "" ? "" : `${path}.`;
  const rows = keys.flatMap(([key, value]) => [
    [`${prefix}${key}`, `${typeOf(value)}${required.includes(key) ? "" : ", optional"}`, wordsOf(value)],
    ...keysOf(value, `${prefix}${key}`),
  ]);
  return isBackup ? [[`${prefix}…`, "", "all keys of a backup"], ...rows] : rows;
}

function wordsOf({ description, anyOf = [] }) {
  return description ?? anyOf.find((each) => each.description)?.description ?? "";
}

function once(rows) {
  return rows.filter(([path], at) => rows.findIndex((row) => row[0] === path) === at);
}

function typeOf({ type, anyOf, enum: values, const: only, $ref, items, additionalProperties }) {
  if ($ref) return "a [backup](#backup-wherever-one-is-shown)";
  if (values) return values.map((each) => JSON.stringify(each)).join(" or ");
  if (only !== undefined) return JSON.stringify(only);
  if (anyOf) return anyOf.map(typeOf).join(" or ");
  if (type === "array") return `list of ${typeOf(items)}`;
  if (type === "object" && additionalProperties) return "an object with keys of any name";
  if (type === "object") return "an object";
  return Array.isArray(type) ? type.join(" or ") : String(type ?? "anything");
}
