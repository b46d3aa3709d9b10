import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { jobs } from "./index.mjs";

test("a database is backed up, restored byte for byte, dumped, verified, and canceled", () => {
  const folder = mkdtempSync(join(tmpdir(), "pagemark-jco-"));
  try {
    const database = join(folder, "app.db");
    const db = new DatabaseSync(database);
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, text); INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    const output = [];
    const run = (more) =>
      jobs({
        folder: join(folder, "backups"),
        database,
        write: (bytes) => output.push(bytes.slice()),
        ...more,
      });
    assert.equal(run().create("app", {}).backup.kind, "full");
    db.exec("INSERT INTO t VALUES (3, 'three')");
    db.close();
    assert.equal(run().create("app", {}).backup.kind, "incremental");
    run().restore("app", "");
    assert.deepEqual(Buffer.concat(output.splice(0)), readFileSync(database));
    const options = { dialect: "sqlite", tables: [], noData: false, noSchema: false, salvage: false };
    run().dump("app", "", options);
    assert.match(Buffer.concat(output.splice(0)).toString(), /three/);
    assert.deepEqual(run().verify("app", undefined).problems, []);
    assert.throws(
      () => run({ onProgress: () => false }).create("app", {}),
      ({ payload }) => payload.tag === "canceled",
    );
    assert.equal(run().listAll("app").length, 2);
    writeFileSync(database, "no database at all, but text of some length ".repeat(50));
    assert.throws(
      () => run().create("other", {}),
      ({ payload }) => payload.tag === "input" && payload.val.code === "DATABASE_NOT_SQLITE",
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
