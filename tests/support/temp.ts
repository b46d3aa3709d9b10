// Folders that go when the test file ends, and databases that real SQLite makes in them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll } from "vitest";

/** A folder of this test file's own. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "pagemark-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs SQL in the database at `path`; the connection is closed again, so that the file is whole. */
export function runSql(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  try {
    db.exec(sql);
  } finally {
    db.close();
  }
}

/** SQL that puts `rows` rows with text and blobs into a new table `name`. */
export function tableSql(name: string, rows: number, size = 100): string {
  return `
    CREATE TABLE ${name} (id INTEGER PRIMARY KEY, note TEXT, payload BLOB);
    CREATE INDEX ${name}_note ON ${name} (note);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
      INSERT INTO ${name} SELECT i, 'note ' || (i * 7919 % 1000), randomblob(${size}) FROM n;`;
}
