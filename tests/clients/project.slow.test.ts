// `pagemark backup .wrangler` and `-o d1-local:…`: the local databases of a project, by the real wrangler.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { tempFolder } from "../support/temp.ts";
import { QUIET, wranglerMain } from "./worker.ts";

const root = tempFolder();
const PORT = 18_400 + (process.pid % 80);

const WORKER = `
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  async fetch() {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS said (a)");
    this.ctx.storage.sql.exec("INSERT INTO said VALUES ('hello')");
    return new Response("said");
  }
}
export default {
  async fetch(request, env) {
    if (new URL(request.url).pathname !== "/rows") return env.ROOMS.getByName("lobby's").fetch(request);
    return Response.json(await env.DB.prepare("SELECT * FROM orders").raw());
  },
};`;

/** A project whose databases are only its own. */
function project(name: string, config: [file: string, text: string]): CommandLine {
  const folder = join(root, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "worker.js"), WORKER);
  writeFileSync(join(folder, config[0]), config[1]);
  return new CommandLine(folder);
}

const JSONC = `{
  // What wrangler makes of "npm create cloudflare".
  "name": "app", "main": "worker.js", "compatibility_date": "2026-10-01",
  "d1_databases": [{ "binding": "DB", "database_name": "shop", "database_id": "d5c6f1f0-0000-4000-8000-000000000000", },],
  "durable_objects": { "bindings": [{ "name": "ROOMS", "class_name": "Room" }] },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Room"] }],
}`;
const TOML = `
name = "other"
main = "worker.js"
compatibility_date = "2026-10-01"
[[d1_databases]]
binding = "DB" # named by nothing else
[[durable_objects.bindings]]
name = "ROOMS"
class_name = "Room"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Room"]
`;

/** Asks the project's Worker, which `wrangler dev` runs as long as that takes. */
async function ask(folder: string, ...paths: string[]): Promise<string[]> {
  const args = [wranglerMain, "dev", "--port", String(PORT), "--inspector-port", String(PORT + 90)];
  const env = {
    ...process.env,
    ...QUIET,
    CI: "1",
    XDG_CONFIG_HOME: root,
    WRANGLER_LOG_PATH: join(root, "logs"),
  };
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  try {
    const end = Date.now() + 60_000;
    while (!said.includes("Ready on")) {
      if (Date.now() > end || child.exitCode !== null) throw new Error(said);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const answers: string[] = [];
    for (const path of paths) answers.push(await (await fetch(`http://127.0.0.1:${PORT}${path}`)).text());
    return answers;
  } finally {
    child.kill("SIGINT");
    await new Promise((resolve) => child.on("close", resolve));
  }
}

function execute(folder: string, database: string, sql: string): Promise<number | null> {
  const env = {
    ...process.env,
    ...QUIET,
    CI: "1",
    XDG_CONFIG_HOME: root,
    WRANGLER_LOG_PATH: join(root, "logs"),
  };
  const args = [wranglerMain, "d1", "execute", database, "--local", "--yes", "--command", sql];
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: "ignore" });
  return new Promise((resolve) => child.on("close", resolve));
}

test("a project's local databases are backed up by name, and go back to where wrangler finds them", {
  timeout: 300_000,
}, async () => {
  const app = project("app", ["wrangler.jsonc", JSONC]);
  const store = join(root, "backups");
  expect(app.failure("backup", ".", "--to", store)).toEqual([1, "PROJECT_EMPTY"]);
  const sql =
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, total); INSERT INTO orders VALUES (1, 2.5), (2, 'é')";
  expect(await execute(app.folder, "shop", sql)).toBe(0);
  await ask(app.folder, "/");
  type Made = { databases: { name: string; num_tables: number }[]; failed: number };
  for (const path of [".", ".wrangler", app.folder]) {
    const { databases, failed } = app.json<Made>("backup", path, "--to", store);
    expect(databases.map(({ name }) => name)).toEqual(["shop", "ROOMS-lobby's"]);
    expect(failed).toBe(0);
  }
  expect(app.run("dump", "d1-local:DB").stdout).toContain("'é'");
  expect(app.failure("dump", "d1-local:none")).toEqual([1, "PROJECT_INVALID"]);

  // Another project, which nobody has run yet.
  const other = project("other", ["wrangler.toml", TOML]);
  expect(other.run("restore", "shop", "--from", store, "-o", "d1-local:DB").stderr).toBe("");
  expect(await ask(other.folder, "/rows")).toEqual([
    JSON.stringify([
      [1, 2.5],
      [2, "é"],
    ]),
  ]);
  // What wrangler has written since is kept.
  expect(await execute(other.folder, "DB", "INSERT INTO orders VALUES (3, 'new')")).toBe(0);
  expect(other.failure("restore", "shop", "--from", store, "-o", "d1-local:DB")).toEqual([
    1,
    "TARGET_EXISTS",
  ]);
  const named = other.json<Made>("backup", ".wrangler", "--to", store);
  expect(named.databases.map(({ name }) => name)).toEqual(["DB"]);
  const { undo } = other.json<{ undo: string }>(
    "restore",
    "shop",
    "--from",
    store,
    "-o",
    "d1-local:DB",
    "--force",
  );
  expect(undo).toBeTruthy();
  expect(await ask(other.folder, "/rows")).toEqual([
    JSON.stringify([
      [1, 2.5],
      [2, "é"],
    ]),
  ]);
});

test("a configuration that cannot be read is named with its place, and so is a folder without one", () => {
  const none = new CommandLine(join(root, "none"));
  mkdirSync(none.folder);
  expect(none.failure("backup", ".", "--to", "x")).toEqual([1, "SOURCE_NOT_A_FILE"]);
  const broken = project("broken", ["wrangler.jsonc", '{ "name": "app",\n  "d1_databases": [ }']);
  mkdirSync(join(broken.folder, ".wrangler"));
  expect(broken.failure("backup", ".", "--to", "x")).toEqual([1, "PROJECT_INVALID"]);
  expect(broken.run("backup", ".", "--to", "x").stderr).toContain("wrangler.jsonc: line 2");
  const toml = project("toml", ["wrangler.toml", "name = "]);
  expect(toml.failure("backup", ".wrangler", "--to", "x")[1]).toBe("SOURCE_MISSING");
  mkdirSync(join(toml.folder, ".wrangler"));
  expect(toml.failure("backup", ".wrangler", "--to", "x")).toEqual([1, "PROJECT_INVALID"]);
  expect(existsSync(join(toml.folder, "x")) ? readdirSync(join(toml.folder, "x")) : []).toEqual([]);
});
