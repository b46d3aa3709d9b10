// Databases over 1 GiB: the page that holds byte 2^30 has no data, is in no file, and comes back as zeros.
import { execFileSync } from "node:child_process";
import { openSync, readSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Backups, file, folder as folderStore, pagemark } from "pagemark";
import { expect, test } from "vitest";
import { runSql, tempFolder } from "../support/temp.ts";

const litestream = join(import.meta.dirname, "../../.cache/bin/litestream");
const LOCK_BYTE = 2 ** 30;

test.each([4096, 65536])(
  "F9 a database of over 1 GiB with pages of %i is restored alike by both, across the lock page",
  async (pageSize) => {
    const folder = tempFolder();
    const path = join(folder, "large.db");
    runSql(
      path,
      `PRAGMA page_size = ${pageSize}; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;
       CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB);
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 540)
         INSERT INTO t SELECT i, zeroblob(2000000) FROM n;
       UPDATE t SET data = randomblob(200000) WHERE id % 90 = 0`,
    );
    expect(statSync(path).size).toBeGreaterThan(LOCK_BYTE);
    const store = join(folder, "store");
    const db = pagemark(file(path), { name: "large", store: folderStore(store) });
    const { kind } = await db.backup();
    runSql(path, "UPDATE t SET data = randomblob(1999999) WHERE id IN (1, 539)");
    const incremental = await db.backup();
    expect([kind, incremental.kind]).toEqual(["full", "incremental"]);

    const [ours, stock] = [join(folder, "ours.db"), join(folder, "stock.db")];
    const { body } = await (await Backups.open("large", folderStore(store))).download();
    await file(ours).replace?.(body);
    same(path, ours);
    rmSync(ours);
    execFileSync(litestream, ["restore", "-o", stock, `file://${join(store, "large")}`], { stdio: "pipe" });
    same(path, stock);
    expect(isZero(stock, LOCK_BYTE, pageSize)).toBe(true);
    rmSync(folder, { recursive: true, force: true });
  },
  120_000,
);

/** Compares two large files without reading them into memory. */
function same(a: string, b: string): void {
  execFileSync("cmp", [a, b]);
}

function isZero(path: string, offset: number, length: number): boolean {
  const bytes = Buffer.alloc(length, 1);
  readSync(openSync(path, "r"), bytes, 0, length, offset - (offset % length));
  return bytes.every((byte) => byte === 0);
}
