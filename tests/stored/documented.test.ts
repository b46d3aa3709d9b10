// What the documents of other systems promise of a backup, and no other test says: sizes, names, steps, rates, places.
import { copyFileSync, cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { backup, file, folder, memoryStore, pagemark } from "pagemark";
import { expect, test } from "vitest";
import { type BackupJson, CommandLine } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const temp = tempFolder();
const cli = new CommandLine(temp);
const app = join(temp, "app.db");
runSql(app, `PRAGMA journal_mode = wal; ${tableSql("orders", 3000, 900)}`);
const pageCount = statSync(app).size / 4096;
const everyFile = () =>
  readdirSync(temp, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

test("B5 a backup after changes of one row in a hundred stores and reads less than a tenth of a full one", async () => {
  const copy = join(temp, "changed.db");
  runSql(copy, tableSql("orders", 3000, 900));
  const database = pagemark(file(copy), { store: memoryStore(), name: "app" });
  const full = await database.backup();
  runSql(copy, "UPDATE orders SET payload = randomblob(900) WHERE id BETWEEN 1000 AND 1030");
  const next = await database.backup();
  expect([full.kind, next.kind]).toEqual(["full", "incremental"]);
  expect(next.storedSize).toBeLessThan(full.storedSize / 10);
  expect(next.changedPages).toBeLessThan(full.changedPages / 10);
});

test("B10 two backups in one minute are two, in the order in which they were made", async () => {
  const database = pagemark(file(app), { store: memoryStore(), name: "app" });
  const [first, second] = [await database.backup(), await database.backup({ full: true })];
  expect(first.id).not.toBe(second.id);
  const listed = [];
  for await (const each of database.backups()) listed.push(each.id);
  expect(listed).toEqual([second.id, first.id]);
});

test("A3 C18 a writer who never waits for a lock commits between any two steps of a backup", async () => {
  const path = join(temp, "busy.db");
  runSql(path, `PRAGMA journal_mode = wal; ${tableSql("orders", 3000, 900)}; CREATE TABLE marks (n)`);
  const writer = new DatabaseSync(path);
  writer.exec("PRAGMA busy_timeout = 0");
  let [marks, longest] = [0, 0];
  const onProgress = () => {
    const started = performance.now();
    writer.exec(`INSERT INTO marks VALUES (${++marks})`);
    longest = Math.max(longest, performance.now() - started);
  };
  const store = memoryStore();
  const made = await pagemark(file(path), { store, name: "busy" }).backup({ pages: 50, onProgress });
  writer.close();
  expect(marks).toBeGreaterThan(10);
  // No lock was waited for; what is left is a slow disk.
  expect(longest).toBeLessThan(1000);
  expect(made.taken).toBe("start");
});

test("C3 C19 backup(source, { store, pages, onProgress }): pages a step, and what is done of how many", async () => {
  const steps = async (pages: number) => {
    const seen: number[] = [];
    let total = 0;
    const onProgress = (told: { done: number; total: number }) => {
      seen.push(told.done);
      ({ total } = told);
    };
    await backup(file(app), { store: memoryStore(), name: "app", pages, onProgress });
    expect(seen.at(-1)).toBe(total);
    expect(total).toBeGreaterThanOrEqual(pageCount);
    return seen;
  };
  const hundreds = await steps(100);
  expect(Math.max(...hundreds.map((done, at) => done - (hundreds[at - 1] ?? 0)))).toBeLessThanOrEqual(100);
  expect((await steps(-1)).length).toBeLessThan((await steps(20)).length);
  for (const pages of [0, -2, Number.NaN, 1.5])
    await expect(steps(pages)).rejects.toMatchObject({ code: "USAGE" });
  const enough = new Error("enough");
  const onProgress = () => {
    throw enough;
  };
  const store = memoryStore();
  await expect(backup(file(app), { store, name: "app", onProgress })).rejects.toBe(enough);
  expect((await store.list("")).objects).toEqual([]);
});

test("C4 a rate is not gone over", async () => {
  const started = performance.now();
  const size = pageCount * 4096;
  await backup(file(app), { store: memoryStore(), name: "app", maxBytesPerSecond: size });
  expect(performance.now() - started).toBeGreaterThan(850);
});

test("C8 a copy that is made of rows has what the pages have, to the last cell", () => {
  expect(cli.run("compact", "app.db", "-o", "packed.db").status).toBe(0);
  expect(readFileSync(join(temp, "packed.db")).equals(readFileSync(app))).toBe(false);
  const [pages, rows] = ["app.db", "packed.db"].map((path) => cli.run("dump", path).stdout);
  expect(pages?.length).toBeGreaterThan(1_000_000);
  expect(rows === pages).toBe(true);
});

test("C9 a file that was copied with its WAL is backed up with it, and one that was cut off is refused", async () => {
  const path = join(temp, "written.db");
  const writer = new DatabaseSync(path);
  writer.exec("PRAGMA journal_mode = wal; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  for (const end of ["", "-wal"]) copyFileSync(path + end, join(temp, `copied.db${end}`));
  const rowsOf = async (name: string) => {
    const store = memoryStore();
    await backup(file(join(temp, name)), { store, name: "app" });
    const sql = await pagemark(file(app), { store, name: "app" }).dump({ at: "latest" });
    return (await new Response(sql).text()).match(/INSERT/g)?.length ?? 0;
  };
  expect(await rowsOf("copied.db")).toBe(1);
  writer.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  writer.close();
  const whole = readFileSync(path);
  for (const length of [whole.length - 1, whole.length - 4096, 100, 0]) {
    writeFileSync(join(temp, "cut.db"), whole.subarray(0, length));
    const { status } = cli.run("backup", "cut.db", "--to", "cuts");
    expect(status, `${length} bytes`).toBe(1);
  }
});

test("E5 a backup writes into its store, and nowhere else", () => {
  const before = new Map(everyFile().map((name) => [name, readFileSync(name)]));
  cli.json<BackupJson>("backup", "app.db", "--to", "root");
  const made = everyFile().filter((name) => !before.has(name));
  expect(made.length).toBe(3);
  for (const name of made) expect(name.startsWith(join(temp, "root/app"))).toBe(true);
  for (const [name, bytes] of before) expect(readFileSync(name).equals(bytes)).toBe(true);
});

test("E11 a folder without its pages is refused with what is missing, and one without records is read as Litestream's", async () => {
  cli.json<BackupJson>("backup", "app.db", "--to", "halves");
  rmSync(join(temp, "halves/app/ltx"), { recursive: true });
  const halves = pagemark(file(app), { store: folder(join(temp, "halves")), name: "app" });
  expect(await halves.verify()).toMatchObject({ problems: [{ code: "OBJECT_MISSING" }] });
  const { status, stderr } = cli.run("restore", "app", "--from", "halves", "-o", "never.db");
  expect([status, stderr]).toEqual([1, expect.stringMatching(/app\/ltx\/9\/.*\[OBJECT_MISSING\]/s)]);
  cli.json<BackupJson>("backup", "app.db", "--to", "others");
  rmSync(join(temp, "others/app/pagemark"), { recursive: true });
  const without = cli.json<{ backup?: unknown; notes: string[]; tables: unknown[] }>(
    "restore",
    "app",
    "--from",
    "others",
    "-o",
    "x.db",
  );
  expect(without).toMatchObject({ tables: [{ name: "orders", rows: 3000 }] });
  expect(without).not.toHaveProperty("backup");
  expect(without.notes[0]).toContain("app has no records");
  const left = join(temp, "halves/app/pagemark");
  for (const name of readdirSync(left)) if (name.endsWith(".json")) rmSync(join(left, name));
  cpSync(join(temp, "others/app/ltx"), join(temp, "halves/app/ltx"), { recursive: true });
  for (const args of [
    ["restore", "app", "-o", "y.db"],
    ["verify", "app"],
  ]) {
    const { status, stderr } = cli.run(...args, "--from", "halves");
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/records of its backups.*\[OBJECT_MISSING\]/s),
    ]);
  }
});
