// `pagemark mcp`, by the client of the protocol's own SDK, over standard input and output.
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BackupJson, CommandLine, main } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const client = new Client({ name: "test", version: "1" });
const ids: string[] = [];

beforeAll(async () => {
  runSql(join(folder, "app.db"), tableSql("orders", 5));
  ids.push(cli.json<BackupJson>("backup", "app.db", "--to", "store").id);
  runSql(join(folder, "app.db"), "DELETE FROM orders WHERE id = 5");
  ids.push(cli.json<BackupJson>("backup", "app.db", "--to", "store").id);
  const args = [main, "mcp", "--from", "store", "--root", "files"];
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args, cwd: folder, stderr: "pipe" }),
  );
});
afterAll(() => client.close());

interface Answer {
  content: { text: string }[];
  isError?: boolean;
}
async function call(name: string, args: Record<string, unknown> = {}) {
  const { content, isError } = (await client.callTool({ name, arguments: args })) as unknown as Answer;
  const text = content[0]?.text ?? "";
  return isError ? { error: text } : JSON.parse(text);
}
const rows = (path: string) => {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return db.prepare("SELECT count(*) AS n FROM orders").get()?.n;
  } finally {
    db.close();
  }
};

test("tools say whether they change anything", async () => {
  const { tools } = await client.listTools();
  const readOnly = tools.filter(({ annotations }) => annotations?.readOnlyHint).map(({ name }) => name);
  expect(readOnly).toEqual(["list", "info", "verify", "diff", "dump", "preview"]);
  expect(tools.map(({ name }) => name)).toEqual([...readOnly, "restore"]);
});

test("what is stored is listed, shown, verified, compared and read as SQL", async () => {
  expect(await call("list")).toMatchObject([{ name: "app", backups: 2 }]);
  expect(await call("list", { name: "app" })).toMatchObject([{ id: ids[1] }, { id: ids[0] }]);
  expect(await call("info", { name: "app", at: ids[0] })).toMatchObject({ id: ids[0], tables: ["orders"] });
  expect(await call("verify", { name: "app" })).toMatchObject({ ok: true, problems: [] });
  const { tables } = await call("diff", { name: "app", since: ids[0] });
  expect(tables).toMatchObject([{ name: "orders", rows: { removed: 1, added: 0, updated: 0 } }]);
  const { sql, complete } = await call("dump", { name: "app", tables: ["orders"], no_schema: true });
  expect([sql.match(/INSERT INTO/g).length > 0, complete]).toEqual([true, true]);
});

test("an error has its code, and what is missing or too much is refused", async () => {
  expect((await call("info", { name: "other" })).error).toMatch(/\[BACKUP_NONE\]$/);
  expect((await call("info")).error).toMatch(/name/);
  expect((await call("info", { name: "../x" })).error).toMatch(/\[NAME_INVALID\]$/);
  expect((await call("dump", { name: "app", tables: "orders" })).error).toMatch(/tables/);
  expect((await call("list", { database: "app" })).error).toMatch(/database/);
});

test("a restore writes a new file, and another only by the token of a preview of the same", async () => {
  const path = join(folder, "files/app.db");
  const { error } = await call("restore", { name: "app", file: "../outside.db" });
  expect([error, existsSync(join(folder, "outside.db"))]).toEqual([
    expect.stringContaining("[USAGE]"),
    false,
  ]);
  expect(await call("restore", { name: "app", at: ids[0], file: "app.db" })).toMatchObject({ file: path });
  expect(rows(path)).toBe(5);
  expect((await call("restore", { name: "app", file: "app.db" })).error).toMatch(/\[TARGET_EXISTS\]$/);

  const preview = () => call("preview", { name: "app", file: "app.db" });
  const { token, tables } = await preview();
  expect(tables).toMatchObject([{ name: "orders", rows_now: 5, rows_then: 4 }]);
  const before = readFileSync(path);
  for (const wrong of [
    { file: "other.db", token },
    { file: "app.db", token: "guess" },
  ]) {
    writeFileSync(join(folder, "files/other.db"), "");
    expect((await call("restore", { name: "app", ...wrong })).error).toMatch(/TARGET_EXISTS/);
  }
  expect((await call("restore", { name: "app", file: "app.db", token })).error).toMatch(/was used/);
  const { token: stale } = await preview();
  runSql(path, "DELETE FROM orders WHERE id = 1");
  expect((await call("restore", { name: "app", file: "app.db", token: stale })).error).toMatch(
    /changed since/,
  );
  expect(before.length).toBe(readFileSync(path).length);

  const { token: newest } = await preview();
  const oldest = { name: "app", at: ids[0], file: "app.db", token: newest };
  expect((await call("restore", oldest)).error).toMatch(/of another backup/);
  const { token: right } = await preview();
  const { undo } = await call("restore", { name: "app", file: "app.db", token: right });
  expect([rows(path), undo]).toEqual([4, expect.stringMatching(/^[0-9a-f-]+$/)]);
});

test("of several restores to one new file at once, one is done", async () => {
  const answers = await Promise.all([0, 1, 2].map(() => call("restore", { name: "app", file: "same.db" })));
  expect(answers.filter(({ error }) => error === undefined)).toHaveLength(1);
  expect(answers.filter(({ error }) => error?.endsWith("[TARGET_EXISTS]"))).toHaveLength(2);
  expect((await call("restore", { name: "app", file: "same.db/below.db" })).error).toMatch(
    /a file is where a folder must be.*\[SOURCE_MISSING\]$/,
  );
});

test("links do not lead out of the folder, and no name hides what it is", async () => {
  for (const file of ["x\u202edb.app", "two\nlines.db", "new\0.db", "half\ud800.db"])
    expect((await call("restore", { name: "app", file })).error).toMatch(/\[USAGE\]$/);
  symlinkSync("/tmp", join(folder, "files/out"));
  expect((await call("restore", { name: "app", file: "out/x.db" })).error).toMatch(/\[USAGE\]$/);
});
