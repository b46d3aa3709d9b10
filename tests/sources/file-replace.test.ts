// A file that takes another's place: nobody who has the old one open, no sidecar of the old one, and no crash may mix
// the two.
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { file } from "pagemark";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { bodyOf, cut } from "../contracts/store-cases/bytes.ts";
import { createBank, teller } from "./bank.ts";
import { contents, killAll, startWriter } from "./processes.ts";

vi.setConfig({ testTimeout: 60_000 });

/** Where replacements lie, made once: a bank of 300 accounts. The old one has 200, and the same page size. */
const shelf = mkdtempSync(join(tmpdir(), "pagemark-"));
const replacement = join(shelf, "new.db");
createBank(replacement, { journal: "delete", accounts: 300 });
afterAll(() => rmSync(shelf, { recursive: true }));

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pagemark-"));
  path = join(folder, "app.db");
});

afterEach(async () => {
  await killAll();
  rmSync(folder, { recursive: true });
});

const replace = (target = path) =>
  file(target).replace?.(bodyOf(cut(readFileSync(replacement), [10_000])).stream);
const isNew = () => existsSync(path) && readFileSync(path).equals(readFileSync(replacement));

/** Leaves a database of 200 accounts whose last five transactions are in a WAL that nobody has open. */
async function leaveWal(): Promise<void> {
  createBank(path, { journal: "wal" });
  const db = new DatabaseSync(path);
  db.exec("PRAGMA wal_autocheckpoint = 0");
  const { transact } = teller(db);
  for (let n = 0; n < 5; n++) transact();
  const copy = join(folder, "copy.db");
  for (const ending of ["", "-wal"]) copyFileSync(path + ending, copy + ending);
  db.close();
  for (const ending of ["", "-wal"]) copyFileSync(copy + ending, path + ending);
  for (const ending of ["", "-wal"]) rmSync(copy + ending);
}

/** What SQLite finds at the path. */
function stateOf(): string {
  const db = new DatabaseSync(path);
  try {
    const { integrity_check: verdict } = db.prepare("PRAGMA integrity_check").get() as {
      integrity_check: string;
    };
    const { accounts } = db.prepare("SELECT count(*) AS accounts FROM account").get() as { accounts: number };
    return `${accounts} accounts after transaction ${teller(db).marker()}: ${verdict}`;
  } finally {
    db.close();
  }
}

const OLD = "200 accounts after transaction 5: ok";
const NEW = "300 accounts after transaction 0: ok";

describe("C11 a database that is in use is left alone", () => {
  test.each([
    ["wal", "SELECT * FROM account"],
    ["wal", "BEGIN; SELECT * FROM account"],
    ["wal", "BEGIN IMMEDIATE; UPDATE marker SET n = 1"],
    ["delete", "SELECT * FROM account"],
    ["delete", "BEGIN; SELECT * FROM account"],
    ["delete", "BEGIN IMMEDIATE; UPDATE marker SET n = 1"],
  ] as const)("in journal mode %s after %s", async (journal, sql) => {
    createBank(path, { journal });
    const user = await startWriter(path, "hold", sql);
    const before = contents(folder);
    const at = { name: expect.stringContaining(path) };
    await expect(replace()).rejects.toMatchObject({ name: "SourceError", code: "SOURCE_IN_USE", at });
    expect(contents(folder)).toEqual(before);
    await user.kill();
    await replace();
    expect(isNew()).toBe(true);
  });

  test.runIf(process.platform === "linux")("and the process that uses it is named", async () => {
    createBank(path, { journal: "delete" });
    const db = new DatabaseSync(path);
    await expect(replace()).rejects.toThrow("is open in this process");
    db.close();
    await startWriter(path, "hold", "SELECT * FROM account");
    await expect(replace()).rejects.toThrow(/is open in process \d+/);
  });

  test("by its locks alone, where the system does not tell who has a file open", async () => {
    createBank(path, { journal: "wal" });
    vi.resetModules();
    await startWriter(path, "hold", "SELECT * FROM account");
    const script = `
      import fs from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const { readdirSync } = fs;
      fs.readdirSync = (path, ...rest) => {
        if (String(path).startsWith("/proc")) throw new Error("no such thing here");
        return readdirSync(path, ...rest);
      };
      syncBuiltinESMExports();
      const { file } = await import("pagemark");
      const body = new Blob([fs.readFileSync(process.argv[2])]).stream();
      await file(process.argv[1]).replace(body).catch((error) => console.log(error.code));`;
    const args = ["--input-type=module", "-e", script, path, replacement];
    expect(execFileSync(process.execPath, args).toString()).toBe("SOURCE_IN_USE\n");
  });
});

describe("C10 nothing of the old database stays beside the new one", () => {
  test("neither its WAL, when a process was killed", async () => {
    await leaveWal();
    await replace();
    expect(readdirSync(folder)).toEqual(["app.db"]);
    expect(stateOf()).toBe(NEW);
  });

  test("nor a hot journal", async () => {
    createBank(path, { journal: "delete", accounts: 2000 });
    await startWriter(
      path,
      "crash",
      "PRAGMA cache_size = 1; BEGIN; UPDATE account SET padding = randomblob(90)",
    );
    expect(existsSync(`${path}-journal`)).toBe(true);
    await replace();
    expect(readdirSync(folder)).toEqual(["app.db"]);
    expect(stateOf()).toBe(NEW);
  });

  test.each(["truncate", "persist"] as const)("nor an empty journal of mode %s", async (journal) => {
    createBank(path, { journal });
    expect(existsSync(`${path}-journal`)).toBe(true);
    await replace();
    expect(readdirSync(folder)).toEqual(["app.db"]);
  });

  test("nor sidecars whose database is gone: they are kept under another name", async () => {
    await leaveWal();
    rmSync(path);
    writeFileSync(`${path}-journal`, "whatever");
    await replace();
    expect(isNew()).toBe(true);
    const [, ...aside] = readdirSync(folder).sort();
    expect(aside).toEqual([
      expect.stringMatching(/^app\.db-journal\.stale-\d+$/),
      expect.stringMatching(/^app\.db-wal\.stale-\d+$/),
    ]);
    expect(stateOf()).toBe(NEW);
  });

  test("nor those of a file that is no database", async () => {
    await leaveWal();
    writeFileSync(path, "Dear diary".repeat(1000));
    await replace();
    expect(isNew()).toBe(true);
    expect(stateOf()).toBe(NEW);
  });

  test("nor, when the old connection is closed, is anything of the new one's taken away", async () => {
    await leaveWal();
    const { close } = DatabaseSync.prototype;
    const spy = vi.spyOn(DatabaseSync.prototype, "close").mockImplementation(function (this: DatabaseSync) {
      // Another process is in the middle of a commit by now.
      for (const ending of ["-journal", "-wal", "-shm"]) writeFileSync(path + ending, "theirs");
      close.call(this);
    });
    await replace();
    spy.mockRestore();
    expect(readdirSync(folder).sort()).toEqual(["app.db", "app.db-journal", "app.db-shm", "app.db-wal"]);
    expect(isNew()).toBe(true);
  });
});

describe("the new file", () => {
  test.skipIf(process.platform === "win32")("may be read by whom the old one might be read", async () => {
    createBank(path, { journal: "delete" });
    chmodSync(path, 0o640);
    await replace();
    expect((statSync(path).mode & 0o777).toString(8)).toBe("640");
    const before = process.umask(0o027);
    await replace(join(folder, "none.db"));
    process.umask(before);
    expect((statSync(join(folder, "none.db")).mode & 0o777).toString(8)).toBe("640");
  });

  test("takes the place of a database whose header says a format that SQLite does not know", async () => {
    await leaveWal();
    const bytes = readFileSync(path);
    bytes.writeUInt32BE(99, 44);
    writeFileSync(path, bytes);
    rmSync(`${path}-wal`);
    await replace();
    expect(isNew()).toBe(true);
  });

  test("is where a symbolic link leads to", async () => {
    mkdirSync(join(folder, "data"));
    createBank(join(folder, "data/real.db"), { journal: "delete" });
    symlinkSync("data/real.db", path);
    await replace();
    expect(isNew()).toBe(true);
    expect(readdirSync(join(folder, "data"))).toEqual(["real.db"]);
    expect(readdirSync(folder).sort()).toEqual(["app.db", "data"]);
  });

  test("takes what a crash has left behind away, once that is old", async () => {
    for (const name of [".app.db.pagemark-old", ".app.db.pagemark-new", ".other.db.pagemark-old"])
      writeFileSync(join(folder, name), "");
    for (const name of [".app.db.pagemark-old", ".other.db.pagemark-old"])
      utimesSync(join(folder, name), 1, 1);
    await replace();
    expect(readdirSync(folder).sort()).toEqual([".app.db.pagemark-new", ".other.db.pagemark-old", "app.db"]);
  });

  test("needs a folder to be in", async () => {
    const missing = join(folder, "none/app.db");
    await expect(replace(missing)).rejects.toMatchObject({
      code: "SOURCE_MISSING",
      at: { name: join(folder, "none") },
    });
  });
});

test("of two at once, each takes its place as a whole", async () => {
  await leaveWal();
  const results = await Promise.allSettled([replace(), replace(), replace()]);
  for (const result of results) {
    if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "SOURCE_IN_USE" });
  }
  expect(results.some(({ status }) => status === "fulfilled")).toBe(true);
  expect(readdirSync(folder)).toEqual(["app.db"]);
  expect(stateOf()).toBe(NEW);
});

describe("A11 C10 killed around any step, it leaves the old database or the new", () => {
  /** Kills a replacement at every step of it in turn. Returns what was found after each. */
  async function crashes(prepare: () => Promise<void>, find: () => string): Promise<string[]> {
    const found: string[] = [];
    for (let step = 1; ; step++) {
      rmSync(folder, { recursive: true });
      mkdirSync(folder);
      await prepare();
      // What a step does not do at once, such as a flush, shows no difference after a kill: odd before, even after.
      const when = step % 2 ? "before" : "after";
      const script = join(import.meta.dirname, "replace-crash.child.ts");
      const args = ["--disable-warning=ExperimentalWarning", script, path, replacement, String(step), when];
      const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
      found.push(find());
      // Whatever was left behind is in nobody's way.
      if (signal === "SIGKILL" && step % 4 === 0) {
        await replace();
        expect(stateOf()).toBe(NEW);
      }
      if (signal !== "SIGKILL") {
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
        return found;
      }
    }
  }

  test("of a database with a WAL", async () => {
    const found = await crashes(leaveWal, stateOf);
    expect(found.length).toBeGreaterThan(20);
    expect(found[0]).toBe(OLD);
    expect(found.at(-1)).toBe(NEW);
    expect(new Set(found)).toEqual(new Set([OLD, NEW]));
  });

  test("of a database that is gone, whose WAL is not", async () => {
    const prepare = async () => {
      await leaveWal();
      rmSync(path);
    };
    const found = await crashes(prepare, () => (existsSync(path) ? stateOf() : "nothing"));
    expect(new Set(found)).toEqual(new Set(["nothing", NEW]));
  });
});
