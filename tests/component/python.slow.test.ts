// The component under Python's wasmtime, and what it shares with the command and with litestream: one folder.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test, vi } from "vitest";
import { componentImports, components } from "../../scripts/lib/component.mjs";
import { type BackupJson, CommandLine, main } from "../support/cli.ts";
import { litestreamRestore } from "../support/litestream.ts";
import { environment, moto } from "../support/s3-server.ts";
import { runSql, tempFolder } from "../support/temp.ts";
import { pagemarkPy, pagemarkPyWith, python, pythonWith } from "./component.ts";

// Each run of Python loads the component, which another process of this machine may slow down.
vi.setConfig({ testTimeout: 180_000 });

const proj = join(import.meta.dirname, "../../.cache/proj.db");

test.each(components)("$file imports what its host lends, and nothing of WASI", ({ file, path }) => {
  const imports = componentImports(readFileSync(path)).sort();
  const core = ["clock", "database", "output", "progress", "random", "store", "types"];
  const expected =
    file === "engine.wasm"
      ? ["clock", "random", "store", "types"].map((name) => `pagemark:engine/${name}@0.1.0`)
      : core.map((name) => `pagemark:core/${name}@0.1.1`);
  expect(imports).toEqual(expected);
});

test("the engine's component runs SQL, goes back in time, and gives and takes files, over stores in Python", () => {
  const ran = python(tempFolder(), join(import.meta.dirname, "engine.py"), proj);
  expect(ran).toEqual({ status: 0, stdout: "all of it\n", stderr: "" });
});

test("the build without the dump backs up, and says what it leaves out", () => {
  const { path } = components.find(({ file }) => file === "backups.wasm") ?? {};
  const ran = python(tempFolder(), join(import.meta.dirname, "without_dump.py"), String(path));
  expect(ran).toEqual({ status: 0, stdout: "DUMP_LEFT_OUT\nDUMP_LEFT_OUT\n", stderr: "" });
});

test("Python and the command go on with each other's backups, byte for byte, and litestream restores them", () => {
  const folder = tempFolder();
  const command = new CommandLine(folder);
  const database = join(folder, "proj.db");
  copyFileSync(proj, database);
  pagemarkPy(folder, "backup", "proj.db", "--to", "backups");
  expect(litestreamRestore(join(folder, "backups/proj")).equals(readFileSync(proj))).toBe(true);

  runSql(database, "CREATE TABLE by_command (id INTEGER PRIMARY KEY); INSERT INTO by_command VALUES (1)");
  const made = command.json<BackupJson>("backup", "proj.db", "--to", "backups");
  expect(made.kind).toBe("incremental");
  runSql(database, "INSERT INTO by_command VALUES (2)");
  const again = JSON.parse(pagemarkPy(folder, "backup", "proj.db", "--to", "backups", "--json"));
  expect(again.backup).toMatchObject({ kind: "incremental", page_size: 4096 });
  expect(again.backup.changed_pages).toBeLessThan(6);

  const now = readFileSync(database);
  expect(litestreamRestore(join(folder, "backups/proj")).equals(now)).toBe(true);
  command.json("restore", "proj", "--from", "backups", "-o", "by-command.db");
  expect(readFileSync(join(folder, "by-command.db")).equals(now)).toBe(true);
  pagemarkPy(folder, "restore", "proj", "--from", "backups", "-o", "by-python.db");
  expect(readFileSync(join(folder, "by-python.db")).equals(now)).toBe(true);
  expect(pagemarkPy(folder, "verify", "proj", "--from", "backups")).toContain("3 backups can be restored");
  expect(command.run("verify", "proj", "--from", "backups").status).toBe(0);

  const sql = pagemarkPy(folder, "dump", "proj", "--from", "backups");
  const options = { cwd: folder, encoding: "utf8", maxBuffer: 1 << 30 } as const;
  const expected = execFileSync(process.execPath, [main, "dump", "proj.db"], options);
  expect(expected.length).toBeGreaterThan(1 << 20);
  expect(sql === expected).toBe(true);
});

test("Python and the command share a bucket, too: objects in parts, and keys that are taken", async () => {
  const server = await moto();
  try {
    await server.bucket("backups");
    const env = environment(server.endpoint);
    const folder = tempFolder();
    const bucket = ["--from", "s3://backups/of/python"] as const;
    const database = join(folder, "large.db");
    // More than a part of 8 MiB.
    runSql(database, "CREATE TABLE t (a); INSERT INTO t VALUES (randomblob(9000000))");
    pagemarkPyWith(env, folder, "backup", "large.db", "--to", bucket[1]);
    runSql(database, "INSERT INTO t VALUES (1)");
    const command = new CommandLine(folder);
    const made = command.runWith(env, "backup", "large.db", "--to", bucket[1], "--json");
    expect(JSON.parse(made.stdout)).toMatchObject({ kind: "incremental" });
    runSql(database, "INSERT INTO t VALUES (2)");
    pagemarkPyWith(env, folder, "backup", "large.db", "--to", bucket[1]);
    const now = readFileSync(database);
    pagemarkPyWith(env, folder, "restore", "large", ...bucket, "-o", "by-python.db");
    expect(readFileSync(join(folder, "by-python.db")).equals(now)).toBe(true);
    const restored = command.runWith(env, "restore", "large", ...bucket, "-o", "by-command.db");
    expect(restored).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder, "by-command.db")).equals(now)).toBe(true);
    const ran = pythonWith(env, folder, join(import.meta.dirname, "bucket.py"));
    expect(ran).toEqual({ status: 0, stdout: "exists exists STORE_NO_BUCKET\n", stderr: "" });
  } finally {
    server.stop();
  }
});

test("a database in WAL mode is backed up under writers, and another one under its name is refused", () => {
  const folder = tempFolder();
  const ran = python(folder, join(import.meta.dirname, "live.py"));
  expect(ran).toEqual({ status: 0, stdout: "10 states, all whole\nOTHER_DATABASE\n", stderr: "" });
});

test("errors have a code, the place and what to do; a canceled job leaves nothing", () => {
  const folder = tempFolder();
  copyFileSync(proj, join(folder, "proj.db"));
  const ran = python(folder, join(import.meta.dirname, "errors.py"));
  expect(ran.stderr).toBe("");
  expect(JSON.parse(ran.stdout)).toEqual({
    canceled: ["Canceled", "CANCELED", 0],
    raised: ["ZeroDivisionError", 0],
    none: ["CallerError", "BACKUP_NONE"],
    text: ["InputError", "DATABASE_NOT_SQLITE", "text"],
    missing: ["StoreError", "SOURCE_MISSING"],
    full: ["StoreError", "STORE_FULL", 0],
    damaged: ["DamageError", "LTX_CHECKSUM"],
    problems: ["OBJECT_DAMAGED"],
    name: ["CallerError", "NAME_INVALID", "offset", 1],
  });
});

test("the command says which word was wrong: a folder for a file, an age, a damaged record, an address", () => {
  const folder = tempFolder();
  copyFileSync(proj, join(folder, "proj.db"));
  const ran = (...args: string[]) => {
    const { status, stdout, stderr } = python(folder, "-m", "pagemark.cli", ...args);
    return [status, `${stdout}${stderr}`.trim()];
  };
  for (const [path, command] of [
    [".", "backup"],
    ["..", "backup"],
    [folder, "backup"],
    [".", "dump"],
  ] as const) {
    const message = `pagemark-py: SOURCE_NOT_A_FILE: ${path} is a folder; give the database file itself`;
    expect(ran(command, path, ...(command === "backup" ? ["--to", "backups"] : []))).toEqual([1, message]);
  }
  pagemarkPy(folder, "backup", "proj.db", "--to", "backups");
  const early = ran("restore", "proj", "--at", "-1h", "--from", "backups", "-o", "early.db");
  expect(early).toEqual([1, expect.stringMatching(/ TIME_BEFORE_FIRST: /)]);
  const record = join(folder, "backups/proj/pagemark/0000000000000001.json");
  chmodSync(record, 0o600);
  writeFileSync(record, readFileSync(record, "utf8").replace('"full"', '"fool"'));
  const [status, text] = ran("verify", "proj", "--from", "backups");
  expect([status, text]).toEqual([1, expect.stringMatching(/^RECORD_DIGEST: 0000000000000001: /)]);
  const address = ran("list", "--from", "s3://bucket?endpoint=http://localhost:99x");
  expect(address).toEqual([2, expect.stringContaining("http://localhost:99x is no address of a service")]);
});

// What else was done by hand: `MUTATIONS=100000`, some 15 minutes.
test("whatever is damaged or answered wrongly, a job ends with an error that is typed, and the component never traps", () => {
  const count = process.env.MUTATIONS ?? "60";
  const ran = python(tempFolder(), join(import.meta.dirname, "mutations.py"), count);
  expect(ran.stderr).toBe("");
  const came = Object.values<number>(JSON.parse(ran.stdout));
  expect(came.reduce((sum, each) => sum + each, 0)).toBe(Number(count));
});

test("a component for version 0.1.0 of the interface runs in the host of today", () => {
  const folder = tempFolder();
  const golden = readFileSync(join(import.meta.dirname, "../fixtures/component-0.1.0.wasm.gz"));
  writeFileSync(join(folder, "golden.wasm"), gunzipSync(golden));
  const ran = python(folder, join(import.meta.dirname, "golden.py"), "golden.wasm", proj);
  expect(ran).toEqual({ status: 0, stdout: "0\n", stderr: "" });
});
