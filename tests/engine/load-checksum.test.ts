// What takes a database's place reads nothing of it, and yet has the checksum that its bookmark says.
import { memoryStore, pagemark } from "pagemark";
import { Database } from "pagemark/engine";
import { expect, test } from "vitest";

/** Rows of a kilobyte: some pages more than there are rows by four. */
async function databaseOf(rows: number): Promise<Database> {
  const db = await Database.open();
  db.exec(`CREATE TABLE t (a); WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO t SELECT randomblob(1000) FROM n`);
  return db;
}

test.each([
  ["a smaller one", 100],
  ["a larger one", 900],
])("B11 in the place of a database %s is loaded: backups before and after it are proved", async (_, rows) => {
  const store = memoryStore();
  using db = await databaseOf(400);
  using other = await databaseOf(rows);
  await db.backup({ store });
  const { length } = other.serialize();
  await db.load(other.serialize());
  await db.backup({ store });
  db.exec("UPDATE t SET a = 'changed' WHERE rowid = 7");
  await db.backup({ store });
  expect(db.serialize().length).toBe(length);
  const database = pagemark(db, { store, name: db.name });
  expect(await database.verify()).toMatchObject({ problems: [] });
});
