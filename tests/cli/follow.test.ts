// A warm copy beside a live watch, while another process writes.
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "vitest";
import { CommandLine, main } from "../support/cli.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const at = (name: string) => join(folder, name);
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
});

function start(...args: string[]) {
  const child = spawn(process.execPath, [main, ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  const over = new Promise<number | null>((resolve) => child.once("close", resolve));
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return over;
  };
  return { end, over, stdout: () => stdout, stderr: () => stderr };
}

function rows(name: string): number {
  const db = new DatabaseSync(at(name), { readOnly: true });
  try {
    expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    return Number(db.prepare("SELECT count(*) AS n FROM t").get()?.n);
  } finally {
    db.close();
  }
}

const WRITER = `
const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
const db = new DatabaseSync(process.argv[1]);
db.exec("PRAGMA busy_timeout = 5000");
const wait = new Int32Array(new SharedArrayBuffer(4));
for (let i = 0; i < 100; i++) {
  db.exec("INSERT INTO t (v) VALUES (randomblob(500))");
  Atomics.wait(wait, 0, 0, 10);
}`;

function write(): Promise<number | null> {
  const writer = spawn(process.execPath, ["--no-warnings", "-e", WRITER, at("app.db")], { stdio: "ignore" });
  children.push(writer);
  return new Promise((resolve) => writer.once("exit", resolve));
}

const LONG = { timeout: 20_000, interval: 50 };

test("a copy follows what a watch stores, goes on after kill -9 and through a store that is away", async () => {
  const db = new DatabaseSync(at("app.db"));
  db.exec(
    "PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t (v) VALUES (1)",
  );
  const watch = () => start("watch", "app.db", "--to", "store", "--every", "100ms");
  const watching = watch();
  await expect.poll(() => existsSync(at("store/app/pagemark")), LONG).toBe(true);
  const args = ["restore", "app", "--from", "store", "-o", "warm.db", "--follow", "--every", "100ms"];
  const one = start(...args);
  await expect.poll(() => existsSync(at("warm.db")), LONG).toBe(true);
  expect(await write()).toBe(0);
  await expect.poll(() => rows("warm.db"), LONG).toBe(101);
  await one.end("SIGKILL");
  expect(one.stdout()).toMatch(/^warm\.db: the state of .* UTC \(\d/);

  // The copy is known as one; --force is for files of somebody else.
  const two = start("--json", ...args);
  expect(await write()).toBe(0);
  await expect.poll(() => rows("warm.db"), LONG).toBe(201);
  expect(JSON.parse(two.stdout().trim().split("\n").at(-1) ?? "")).toMatchObject({
    event: "restored",
    name: "app",
  });
  expect(await watching.end("SIGTERM")).toBe(0);
  renameSync(at("store"), at("away"));
  await expect.poll(() => two.stderr(), LONG).toMatch(/tried again in 1 s/);
  renameSync(at("away"), at("store"));
  watch();
  expect(await write()).toBe(0);
  await expect.poll(() => rows("warm.db"), LONG).toBe(301);
  expect(await two.end("SIGTERM")).toBe(0);
  // Nothing was backed up by it.
  expect(cli.json<{ safety: boolean }[]>("list", "app", "--from", "store").some(({ safety }) => safety)).toBe(
    false,
  );

  copyFileSync(at("app.db"), at("other.db"));
  const other = cli.failure("restore", "app", "--from", "store", "-o", "other.db", "--follow");
  expect(other).toEqual([1, "TARGET_EXISTS"]);
  renameSync(at("other.db"), at("warm.db"));
  expect(cli.failure(...args)).toEqual([1, "TARGET_EXISTS"]);
  db.close();
}, 60_000);

test("a copy is known after kill -9 at the moment it gets its name, and what others wrote there is not", async () => {
  const db = new DatabaseSync(at("killed.db"));
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v)");
  const args = ["restore", "app", "--from", "kills", "-o", "known.db", "--follow", "--every", "50ms"];
  const inode = () => statSync(at("known.db"), { throwIfNoEntry: false })?.ino;
  for (let n = 1; n <= 4; n++) {
    db.exec("INSERT INTO t (v) VALUES (randomblob(5000))");
    expect(cli.run("backup", "killed.db", "--to", "kills", "--name", "app").status).toBe(0);
    const before = inode();
    const one = start(...args);
    while (inode() === before) {
      expect(one.stderr()).toBe("");
      await new Promise(setImmediate);
    }
    await one.end("SIGKILL");
    expect(rows("known.db")).toBe(n);
  }
  db.close();
  const copy = new DatabaseSync(at("known.db"));
  copy.exec("INSERT INTO t (v) VALUES ('somebody else')");
  copy.close();
  expect(cli.failure(...args)).toEqual([1, "TARGET_EXISTS"]);
}, 60_000);
