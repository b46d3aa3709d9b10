// `pagemark serve` as programs and people meet it: curl, a browser under another name, strangers with a token that reads.
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { ACCOUNT, READ_TOKEN, TOKEN } from "./api.ts";
import { TestServer } from "./served.ts";

/** More of them: `PAGEMARK_EXPORTS=1000`. */
const EXPORTS = Number(process.env.PAGEMARK_EXPORTS ?? 200);
const server = new TestServer(() => ["--timeout", "2s"]);

interface Answer {
  success: boolean;
  result: never;
  errors: { code: number; message: string }[];
}

async function call(path: string, body?: object, token = TOKEN): Promise<Answer & { status: number }> {
  const answer = await fetch(`${server.api}/accounts/${ACCOUNT}/d1/database${path}`, {
    method: body ? "POST" : "GET",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { ...((await answer.json()) as Answer), status: answer.status };
}

function sqlite(name: string): DatabaseSync {
  return new DatabaseSync(join(server.data, `${name}.db`));
}

/** Exit code and outputs of curl with these arguments. */
async function curl(...args: string[]): Promise<{ code: number; stdout: string }> {
  try {
    const { stdout } = await promisify(execFile)("curl", ["-sS", ...args]);
    return { code: 0, stdout };
  } catch (error) {
    return error as { code: number; stdout: string };
  }
}

describe("a folder", () => {
  test("what a program writes beside the server is what it answers, and what it writes the program reads", async () => {
    const db = sqlite("beside");
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const uuid = await uuidOf("beside");
    expect(await server.database(uuid).rows("SELECT a FROM t")).toEqual([[1]]);
    db.exec("INSERT INTO t VALUES (2)");
    await server.database(uuid).run(["INSERT INTO t VALUES (3);"]);
    expect(db.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 3 });
    expect(await server.database(uuid).rows("SELECT max(a) FROM t")).toEqual([[3]]);
    const refused = await call(`/${uuid}/time_travel/restore?timestamp=${new Date().toISOString()}`, {});
    expect(refused, "a file that a program has open is not replaced under it").toMatchObject({
      success: false,
    });
    db.close();
  });

  test("files that are no database, and names that hide something, are not served; an id stays", async () => {
    writeFileSync(join(server.data, "notes.db"), "these are notes, not pages");
    writeFileSync(join(server.data, "zero\u200bwidth.db"), "");
    const uuid = await server.create("stays");
    const names = await listed();
    expect(names).toContain("stays");
    expect(names).not.toContain("notes");
    expect(names.some((name) => name.startsWith("zero"))).toBe(false);
    await server.stop();
    await server.start();
    expect(await uuidOf("stays")).toBe(uuid);
  });

  test("E1 E7 E12 curl -f fails when the backup does, and /metrics tells how old the last one is", async () => {
    await server.create("metered");
    const query = (sql: string, token = TOKEN) =>
      curl(
        "-f",
        "-G",
        "-H",
        `Authorization: Bearer ${token}`,
        "--data-urlencode",
        `query=${sql}`,
        `${server.url}/exec`,
      );
    const done = await query("BACKUP DATABASE metered;");
    expect(done.code).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ count: 1 });
    expect(readdirSync(server.store)).not.toEqual([]);
    for (const [sql, token] of [
      ["BACKUP DATABASE missing;", TOKEN],
      ["DROP TABLE t;", TOKEN],
      ["BACKUP DATABASE;", READ_TOKEN],
      ["SHOW BACKUPS;", "wrong"],
    ] as const)
      expect((await query(sql, token)).code, sql).toBe(22);
    const metrics = await curl("-f", "-H", `Authorization: Bearer ${READ_TOKEN}`, `${server.url}/metrics`);
    const [, age = ""] =
      /^pagemark_last_backup_timestamp_seconds\{database="metered"\} ([\d.]+)$/m.exec(metrics.stdout) ?? [];
    expect(Math.abs(Date.now() / 1000 - Number(age))).toBeLessThan(60);
    expect((await curl("-f", `${server.url}/metrics`)).code, "names of databases take a token").toBe(22);
  });

  test("one that is damaged is listed and restored, and keeps no other from its backup", async () => {
    const uuid = await server.create("damaged", "CREATE TABLE t (a); INSERT INTO t VALUES ('whole');");
    await server.create("other");
    expect(await call(`/${uuid}/backup`, {})).toMatchObject({ success: true });
    writeFileSync(join(server.data, "new.db"), "");
    await setTimeout(3500); // until no connection holds the file
    const path = join(server.data, "damaged.db");
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xee, 100, 4096));
    expect(await call("/damaged")).toMatchObject({ success: true, result: { uuid, num_tables: 0 } });
    expect(await call(`/${uuid}/query`, { sql: "SELECT * FROM t" })).toMatchObject({
      success: false,
      status: 400,
    });
    const all = await curl(
      ...[
        "-G",
        "-H",
        `Authorization: Bearer ${TOKEN}`,
        "--data-urlencode",
        "query=BACKUP DATABASE;",
        `${server.url}/exec`,
      ],
    );
    expect(all.stdout).toContain("damaged");
    expect(await server.backups(await uuidOf("other"))).toHaveLength(1);
    const [backup] = (await server.backups(uuid)).slice(-1);
    const restored = await call(`/${uuid}/backup/${backup}/restore`, {});
    expect(restored).toMatchObject({
      success: true,
      messages: [expect.stringContaining("is kept as damaged.db.damaged-")],
    });
    expect(await server.database(uuid).rows("SELECT a FROM t")).toEqual([["whole"]]);
  });

  test("a database that is deleted by the API has a last backup, of which a new one is made", async () => {
    const uuid = await server.create("doomed", "CREATE TABLE t (a); INSERT INTO t VALUES ('kept');");
    const removed = await fetch(`${server.api}/accounts/${ACCOUNT}/d1/database/${uuid}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(removed.status).toBe(200);
    expect(readdirSync(server.data).filter((file) => file.startsWith("doomed"))).toEqual([]);
    const [backup] = await server.backups(uuid);
    const restored = await call(`/${uuid}/backup/${backup}/restore?to=revived`, {});
    expect(restored).toMatchObject({ success: true, result: { name: "revived" } });
    expect(await server.database(await uuidOf("revived")).rows("SELECT a FROM t")).toEqual([["kept"]]);
  });

  test("D9 the database and its backups are downloaded whole, in ranges, and as SQL; a HEAD says how long they are", async () => {
    const uuid = await server.create(
      "loaded",
      "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(3000000));",
    );
    expect(await call(`/${uuid}/backup`, {})).toMatchObject({ success: true });
    const [backup] = await server.backups(uuid);
    const base = `${server.api}/accounts/${ACCOUNT}/d1/database/${uuid}`;
    const get = (path: string, headers = {}, method = "GET") =>
      fetch(`${base}${path}`, { method, headers: { authorization: `Bearer ${READ_TOKEN}`, ...headers } });
    for (const path of ["/download", `/backup/${backup}/download`]) {
      const whole = await get(path);
      const bytes = new Uint8Array(await whole.arrayBuffer());
      expect(bytes.length).toBe(Number(whole.headers.get("content-length")));
      const file = join(server.folder, "downloaded.db");
      writeFileSync(file, bytes);
      expect(new DatabaseSync(file).prepare("SELECT length(a) AS n FROM t").get()).toEqual({ n: 3_000_000 });
      const part = await get(path, { range: "bytes=100-5000" });
      expect(part.status).toBe(206);
      expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.slice(100, 5001));
      expect((await get(path, {}, "HEAD")).headers.get("content-length")).toBe(String(bytes.length));
    }
    expect(await (await get(`/backup/${backup}/download?format=sql`)).text()).toContain("CREATE TABLE t");
    // Whoever leaves in the middle leaves nothing open.
    for (let times = 0; times < 20; times++) await (await get("/download")).body?.cancel();
    expect(await server.database(uuid).rows("SELECT count(*) FROM t")).toEqual([[1]]);
  });

  test("backups made by it are what the command line lists and restores", async () => {
    const uuid = await server.create("shared", "CREATE TABLE t (a); INSERT INTO t VALUES (7);");
    expect(await call(`/${uuid}/backup`, {})).toMatchObject({ success: true });
    const cli = new CommandLine(server.folder);
    const copy = join(server.folder, "copy.db");
    await cli.run("restore", "shared", "--from", server.store, "-o", copy);
    expect(new DatabaseSync(copy).prepare("SELECT a FROM t").get()).toEqual({ a: 7 });
  });
});

describe("who is not meant to", () => {
  test("a page under another name for this machine is refused, whatever its token", async () => {
    const asked = await curl(
      "-H",
      "Host: rebound.example",
      "-H",
      `Authorization: Bearer ${TOKEN}`,
      `${server.api}/accounts`,
    );
    expect(asked.stdout).toContain("--allow-host");
    expect(asked.stdout).not.toContain('"success":true');
  });

  test("D2 D13 a reader writes nothing, reaches no other file, and brings nothing down", async () => {
    const uuid = await server.create("read", "CREATE TABLE t (a); INSERT INTO t VALUES (1);");
    const elsewhere = join(server.folder, "elsewhere.db");
    for (const sql of [
      "INSERT INTO t VALUES (2)",
      "WITH x AS (SELECT 1) DELETE FROM t",
      "CREATE TEMP TABLE t AS SELECT 'poison' AS a",
      "PRAGMA query_only = OFF; DELETE FROM t",
      "PRAGMA journal_mode = DELETE",
      "PRAGMA user_version = 7",
      `ATTACH '${elsewhere}' AS x`,
      `VACUUM INTO '${elsewhere}'`,
      "SELECT load_extension('x')",
      "SELECT 1; ; /**/ ;DROP TABLE t",
      "COMMIT; DELETE FROM t",
      "SELECT length(randomblob(900000000))",
      "SELECT 1\0; DELETE FROM t",
    ])
      expect(await call(`/${uuid}/query`, { sql }, READ_TOKEN), sql).toMatchObject({ success: false });
    expect(existsSync(elsewhere)).toBe(false);
    for (const path of [
      "/..%2f..%2fetc",
      `/${uuid}/backup/..%2f..`,
      "/%00",
      "/read%E2%80%8B",
      "/.pagemark-serve",
    ])
      expect((await call(path, undefined, READ_TOKEN)).status, path).toBeLessThan(500);
    for (const name of ["../out", "a/b", "zero\u200bwidth", ".hidden", "", "x".repeat(200), "nul\0"])
      expect(await call("", { name }), JSON.stringify(name)).toMatchObject({ success: false });
    const long = `SELECT '${"x".repeat(3_000_000)}' AS x`;
    expect(await call(`/${uuid}/query`, { sql: long }, READ_TOKEN)).toMatchObject({ success: true });
    const left = sqlite("read");
    expect(left.prepare("SELECT group_concat(a) AS a, sum(1) AS n FROM t").get()).toEqual({ a: "1", n: 1 });
    expect(left.prepare("PRAGMA user_version").get()).toEqual({ user_version: 0 });
    expect(left.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    left.close();
    expect(existsSync(join(server.folder, "out.db"))).toBe(false);
  });

  test("a statement without an end is stopped, while others are answered; a request of another kind is, too", async () => {
    const uuid = await server.create("busy", "CREATE TABLE t (a);");
    const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
    const stopped = Promise.all(
      Array.from({ length: 3 }, () => call(`/${uuid}/query`, { sql: endless }, READ_TOKEN)),
    );
    const began = Date.now();
    expect(await call(`/${uuid}/query`, { sql: "INSERT INTO t VALUES (1)" })).toMatchObject({
      success: true,
    });
    expect(Date.now() - began).toBeLessThan(5000);
    for (const answer of await stopped) expect(answer.errors[0]?.message).toMatch(/SQL_TIMEOUT|OVERLOADED/);
    expect(await call(`/${uuid}/query`, { sql: "SELECT 1" }, READ_TOKEN)).toMatchObject({ success: true });
  });

  test("D5 hundreds of exports by a reader are a few, and the others are told so", async () => {
    const uuid = await server.create("exported", "CREATE TABLE t (a); INSERT INTO t VALUES (1);");
    const begin = (at: number) =>
      call(
        `/${uuid}/export`,
        { output_format: "polling", dump_options: { tables: at % 2 ? ["t"] : [], no_data: at % 3 === 0 } },
        READ_TOKEN,
      );
    const answers = await Promise.all(Array.from({ length: EXPORTS }, (_, at) => begin(at)));
    for (const { status } of answers) expect(status).toBeLessThan(500);
    const files = readdirSync(join(server.data, ".pagemark-serve/files/exports"));
    expect(files.length).toBeLessThanOrEqual(32);
  });

  test("fifty connections at once, half of them writing, get their answers", async () => {
    const uuid = await server.create("crowd", "CREATE TABLE t (a);");
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, at) =>
        call(`/${uuid}/query`, { sql: at % 2 ? "INSERT INTO t VALUES (1)" : "SELECT count(*) FROM t" }),
      ),
    );
    expect(answers.filter(({ success }) => !success)).toEqual([]);
    expect(await server.database(uuid).rows("SELECT count(*) FROM t")).toEqual([[150]]);
  });
});

test("ends cleanly when it is asked to: exit code 0, and neither a process nor an export of it stays", async () => {
  const { pid } = server;
  expect(await server.stop()).toBe(0);
  expect(() => process.kill(pid, 0)).toThrow();
  expect(readdirSync(join(server.data, ".pagemark-serve/files/exports"))).toEqual([]);
  await server.start();
});

async function listed(): Promise<string[]> {
  const { result } = (await call("")) as unknown as { result: { name: string }[] };
  return result.map(({ name }) => name);
}

async function uuidOf(name: string): Promise<string> {
  const { result } = (await call(`/${name}`)) as unknown as { result: { uuid: string } };
  return result.uuid;
}
