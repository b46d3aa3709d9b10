import { statSync } from "node:fs";
import { join } from "node:path";
import { file, folder as folderStore, pagemark } from "pagemark";
import { expect, test } from "vitest";
import { runSql, tempFolder } from "../support/temp.ts";

const MB = 1_000_000;

test("B3 a hundred changed rows of a database of 500 MB take at most 0.5 MB", async () => {
  const folder = tempFolder();
  const path = join(folder, "large.db");
  runSql(
    path,
    `PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;
     CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, data BLOB);
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 133000)
       INSERT INTO t SELECT i, i, randomblob(3800) FROM n`,
  );
  expect(statSync(path).size).toBeGreaterThan(500 * MB);
  const db = pagemark(file(path), { name: "large", store: folderStore(join(folder, "store")) });
  await db.backup();
  runSql(path, "UPDATE t SET n = n + 1 WHERE id % 1330 = 0");
  const { kind, storedSize, changedPages } = await db.backup();
  expect(kind).toBe("incremental");
  expect(changedPages).toBeGreaterThanOrEqual(100);
  expect(storedSize).toBeLessThanOrEqual(0.5 * MB);
}, 120_000);
