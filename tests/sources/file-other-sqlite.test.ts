// A file in a process that has another copy of SQLite: the locks for a moment are another process's.
import { execFileSync, spawn } from "node:child_process";
import fs, { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { file } from "pagemark";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sourceContract } from "../contracts/source.ts";
import { allPages } from "../contracts/source-cases/image.ts";
import { createBank, markerOf, teller } from "./bank.ts";
import { contents, killAll, startWriter } from "./processes.ts";

vi.setConfig({ testTimeout: 60_000 });

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pagemark-"));
  path = join(folder, "app.db");
  // As if a library with SQLite in it were loaded.
  const library = join(folder, "better.node");
  writeFileSync(library, "\u{7f}ELF… SQLite format 3\0 …");
  const { readFileSync: original } = fs;
  const pretend = (name: fs.PathOrFileDescriptor, ...rest: unknown[]) => {
    if (name === "/proc/self/maps") return `7f00-7f01 r-xp 00000000 fe:00 1    ${library}\n`;
    return Reflect.apply(original, fs, [name, ...rest]);
  };
  vi.spyOn(fs, "readFileSync").mockImplementation(pretend as typeof original);
  syncBuiltinESMExports();
});

afterEach(async () => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  await killAll();
  rmSync(folder, { recursive: true });
});

sourceContract("file() beside another SQLite", async (image) => {
  writeFileSync(path, image);
  return { source: file(path) };
});

const check = (image: Uint8Array) => markerOf(image, join(tmpdir(), `pagemark-check-${process.pid}.db`));

/** The processes that this one has started and that still run. */
function children(): number[] {
  const listed = execFileSync("ps", ["-o", "pid=", "--ppid", String(process.pid)]).toString();
  const pids = listed.trim().split(/\s+/).map(Number);
  return pids.filter((pid) => fs.existsSync(`/proc/${pid}/cmdline`) && cmdline(pid).includes(path));
}

const cmdline = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8");

/** Locks that a process holds on the database and its WAL index. */
function locksOf(pid: number): string[] {
  const inodes = ["", "-shm"].map((ending) => statSync(path + ending, { throwIfNoEntry: false })?.ino);
  const lines = readFileSync("/proc/locks", "utf8").split("\n");
  return lines
    .filter((line) => line.split(/\s+/)[4] === String(pid) && inodes.some((ino) => line.includes(`:${ino} `)))
    .map((line) => line.split(/\s+/).slice(3).join(" "));
}

describe.runIf(process.platform === "linux").each(["wal", "delete"] as const)(
  "in journal mode %s",
  (journal) => {
    test("another process holds the moment, and this one's locks stay as they are", async () => {
      createBank(path, { journal });
      const db = new DatabaseSync(path);
      teller(db).transact();
      db.exec("BEGIN; SELECT * FROM marker");
      const before = locksOf(process.pid);
      expect(before).not.toEqual([]);
      const moment = await file(path, { lockMs: 60_000 }).pin();
      expect(locksOf(process.pid)).toEqual(before);
      const [holder = 0, ...others] = children();
      expect(others).toEqual([]);
      expect(locksOf(holder)).not.toEqual([]);
      expect(check(await allPages(moment))).toBe(1);
      await moment.release();
      expect(locksOf(process.pid)).toEqual(before);
      expect(children()).toEqual([]);
      db.close();
    });

    test("moments beside a writer are commits", async () => {
      createBank(path, { journal });
      const writer = await startWriter(path, "write", "1");
      const source = file(path);
      for (let i = 0; i < 10; i++) {
        const before = (await writer.marker()).marker;
        const moment = await source.pin();
        expect(moment.taken).toBe("start");
        const marker = check(await allPages(moment));
        await moment.release();
        expect(marker).toBeGreaterThanOrEqual(before);
      }
      expect(writer.failures).toEqual([]);
    });

    test("a moment whose holder was killed has not held", async () => {
      createBank(path, { journal });
      const db = new DatabaseSync(path);
      teller(db).transact();
      const moment = await file(path, { lockMs: 60_000 }).pin();
      const [holder = Number.NaN] = children();
      // Killing process 0 would kill this one.
      expect(holder).toBeGreaterThan(1);
      process.kill(holder, "SIGKILL");
      await expect.poll(children).toEqual([]);
      await expect(moment.release()).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
      db.close();
    });

    test("the holder ends with whoever started it, however that ends", async () => {
      createBank(path, { journal });
      const db = new DatabaseSync(path);
      teller(db).transact();
      const script = `
      import fs from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const { readFileSync } = fs;
      fs.readFileSync = (name, ...rest) => {
        if (name === "/proc/self/maps") throw new Error("not told");
        return readFileSync(name, ...rest);
      };
      syncBuiltinESMExports();
      const { file } = await import("pagemark");
      await file(process.argv[1], { lockMs: 600_000 }).pin();
      console.log("pinned");
      if (process.argv[2] === "killed") process.kill(process.pid, "SIGKILL");`;
      for (const how of ["killed", "forgotten"]) {
        const child = spawn(process.execPath, ["--input-type=module", "-e", script, path, how]);
        let printed = "";
        child.stdout.on("data", (data) => {
          printed += data;
        });
        await new Promise((resolve) => child.on("close", resolve));
        expect(printed).toBe("pinned\n");
        // The lock goes with the holder.
        await vi.waitFor(() => db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; ROLLBACK"), 5000);
        db.exec("PRAGMA locking_mode = NORMAL; SELECT 1 FROM marker");
      }
      db.close();
    });
  },
);

test("a slow reader lets writers through, and keeps its moment", async () => {
  createBank(path, { journal: "delete", accounts: 1000 });
  const writer = await startWriter(path, "write", "20");
  const source = file(path, { lockMs: 5 });
  let latest = 0;
  const readSlowly = async () => {
    const moment = await source.pin();
    // One commit may be under way.
    latest = (await writer.marker()).marker + 1;
    try {
      for (let page = 1; page <= moment.pageCount; page++) {
        await moment.read(page, new Uint8Array(4096));
        if (page % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return check(await allPages(moment));
    } finally {
      await moment.release();
    }
  };
  const marker = await readSlowly();
  expect(marker).toBeLessThanOrEqual(latest);
  expect((await writer.marker()).marker).toBeGreaterThan(marker);
  expect(writer.failures).toEqual([]);
});

test("a hot journal is read without a holder, and no byte is changed", async () => {
  createBank(path, { journal: "delete", accounts: 2000 });
  await startWriter(
    path,
    "crash",
    "PRAGMA cache_size = 1; BEGIN; UPDATE account SET padding = randomblob(90)",
  );
  const before = contents(folder);
  const moment = await file(path).pin();
  expect(check(await allPages(moment))).toBe(0);
  await moment.release();
  expect(contents(folder)).toEqual(before);
});

test("a database that another process keeps locked is busy", async () => {
  createBank(path, { journal: "delete" });
  await startWriter(path, "hold", "BEGIN EXCLUSIVE");
  await expect(file(path, { busyTimeoutMs: 50 }).pin()).rejects.toMatchObject({ code: "SOURCE_BUSY" });
  if (process.platform === "linux")
    expect(children().filter((pid) => !cmdline(pid).includes("child.ts"))).toEqual([]);
});
