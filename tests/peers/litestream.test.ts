// The unmodified litestream 0.5.17 restores what Pagemark wrote, and Pagemark what litestream wrote.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Backups, file, fs, pagemark } from "pagemark";
import { describe, expect, test } from "vitest";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const cache = join(import.meta.dirname, "../../.cache");
const litestream = join(cache, "bin/litestream");
const folder = tempFolder();

const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
const SHAPES: [name: string, pragmas: string][] = [
  ...PAGE_SIZES.map((size): [string, string] => [`pages of ${size}`, `PRAGMA page_size = ${size};`]),
  ["auto_vacuum", "PRAGMA page_size = 1024; PRAGMA auto_vacuum = FULL;"],
  ["incremental auto_vacuum", "PRAGMA page_size = 1024; PRAGMA auto_vacuum = INCREMENTAL;"],
  ["UTF-16le", "PRAGMA encoding = 'UTF-16le';"],
  ["UTF-16be", "PRAGMA encoding = 'UTF-16be';"],
  ["WAL mode", "PRAGMA journal_mode = WAL;"],
];

/** What happens to a database between backups: it changes, grows, shrinks, and grows over what it had shrunk by. */
const CHANGES = [
  "UPDATE a SET note = 'changed' WHERE id % 50 = 0",
  tableSql("b", 300, 900),
  "DROP TABLE b; DELETE FROM a WHERE id > 100; VACUUM",
  tableSql("c", 200, 700),
];

describe("what Pagemark writes", () => {
  test.each(SHAPES)(
    "B4 litestream restores every TXID of a database with %s, byte for byte",
    async (name, pragmas) => {
      await provesEveryState(`shape ${name}`.replaceAll(" ", "-"), (path) =>
        runSql(path, pragmas + tableSql("a", 400)),
      );
    },
  );

  test("B4 litestream restores every TXID of proj.db, which nobody here wrote", async () => {
    const work = "CREATE TABLE a (id INTEGER PRIMARY KEY, note TEXT);";
    await provesEveryState("proj", (path) => {
      copyFileSync(join(cache, "proj.db"), path);
      runSql(path, work);
    });
  }, 60_000);
});

describe("what litestream writes", () => {
  test("B17 a replica with several transactions is restored at its latest state and at every TXID", async () => {
    const database = join(folder, "replicated.db");
    const replica = join(folder, "replica/app");
    runSql(database, `PRAGMA journal_mode = WAL; ${tableSql("a", 500)}`);
    for (const change of ["SELECT 1", ...CHANGES]) {
      runSql(database, change);
      execFileSync(litestream, ["replicate", "-once", database, `file://${replica}`], { stdio: "pipe" });
    }
    const { stdout } = {
      stdout: execFileSync(litestream, ["ltx", `file://${replica}`], { encoding: "utf8" }),
    };
    const txids = new Set([...stdout.matchAll(/\b[0-9a-f]{16}\b/g)].map(([txid]) => txid));
    expect(txids.size).toBeGreaterThan(2);
    const backups = await Backups.open("app", fs(join(folder, "replica")));
    let restored = 0;
    for (const txid of [undefined, ...txids]) {
      const stock = litestreamRestore(replica, txid);
      if (stock === undefined) continue;
      expect(await bytesOf((await backups.download(txid)).body)).toEqual(stock);
      restored++;
    }
    expect(restored).toBeGreaterThan(2);
  }, 60_000);
});

/** Backs a database up in several states; litestream, Pagemark and the database itself must agree on each. */
async function provesEveryState(name: string, make: (path: string) => void): Promise<void> {
  const path = join(folder, `${name}.db`);
  make(path);
  const store = join(folder, "store");
  const db = pagemark(file(path), { name, store: fs(store) });
  const states = new Map([[(await db.backup()).txid, readFileSync(path)]]);
  for (const change of CHANGES) {
    runSql(path, change);
    states.set((await db.backup()).txid, readFileSync(path));
  }
  expect(states.size).toBe(5);
  for (const [txid, state] of states) {
    expect((await bytesOf(await db.download(txid))).equals(state)).toBe(true);
    expect(litestreamRestore(join(store, name), txid)?.equals(state)).toBe(true);
  }
  const latest = [...states.values()].at(-1) as Buffer;
  expect(litestreamRestore(join(store, name))?.equals(latest)).toBe(true);
}

/** What `litestream restore` makes of a replica; nothing where it refuses. */
function litestreamRestore(replica: string, txid?: string): Buffer | undefined {
  const output = join(folder, "litestream.db");
  rmSync(output, { force: true });
  const at = txid === undefined ? [] : ["-txid", txid];
  try {
    execFileSync(litestream, ["restore", ...at, "-o", output, `file://${replica}`], { stdio: "pipe" });
  } catch (error) {
    if (!existsSync(litestream)) throw error;
    return undefined;
  }
  return readFileSync(output);
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  return Buffer.from(await new Response(stream).arrayBuffer());
}
