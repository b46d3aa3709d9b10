// SQL of D1 and of Durable Objects, straight into the bucket.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { contents, differences, fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { Cloudflare } from "./cloudflare.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();

const SHOP = [
  "CREATE TABLE customers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)",
  "CREATE TABLE odd (any, r REAL, b BLOB, g AS (any || 'x'), s AS (r + 1) STORED)",
  "CREATE TABLE keys (k TEXT COLLATE NOCASE, v, PRIMARY KEY (k, v)) WITHOUT ROWID",
  "CREATE INDEX by_any ON odd (any DESC) WHERE r > 0",
  "CREATE VIEW names AS SELECT name FROM customers",
  "CREATE TRIGGER named AFTER INSERT ON customers BEGIN INSERT INTO odd (any) VALUES (new.name); END",
  "CREATE VIRTUAL TABLE words USING fts5(text)",
  "INSERT INTO customers (name) VALUES ('Ada'), ('new\\n' || char(10) || 'line')",
  "INSERT INTO odd (any, r, b) VALUES (9007199254740993, 9e999, x'00'), (1.0, -0.0, CAST(x'ff00' AS TEXT)), ('a' || char(0) || 'b', 0.1, zeroblob(150000))",
  "INSERT INTO keys VALUES ('a', 1), ('B', x'00'), ('é', 2)",
  "INSERT INTO words VALUES ('lovely spam')",
];

function loaded(sql: string | Uint8Array, name: string) {
  const path = join(folder, name);
  const db = new DatabaseSync(path);
  db.exec(typeof sql === "string" ? sql : new TextDecoder().decode(sql));
  db.close();
  return fileAt(path);
}

test("B24 the SQL of either dialect holds every cell, plain and compressed", async () => {
  for (const place of cloudflare.both()) {
    await place.run(SHOP);
    const wanted = await contents(place);
    for (const dialect of ["d1", "sqlite"] as const) {
      for (const gzip of [false, true]) {
        const key = `sql/${place.database}.${dialect}.${gzip}`;
        const { bytes, size, warnings } = await place.dumpTo(key, { dialect, gzip });
        expect(warnings).toEqual([]);
        expect(bytes).toHaveLength(size);
        const file = loaded(gzip ? gunzipSync(bytes) : bytes, key.replaceAll("/", "-"));
        expect(differences(await contents(file), wanted), key).toEqual([]);
      }
    }
    await expect(place.dumpTo(`sql/${place.database}.d1.true`)).rejects.toMatchObject({
      code: "OBJECT_EXISTS",
    });
    await expect(place.dumpTo(`${place.database}/ltx/x.sql`)).rejects.toMatchObject({ code: "USAGE" });
  }
});

test("a dump of what is larger than a part of an upload goes through; of a backup, too", async () => {
  for (const place of cloudflare.both()) {
    await place.run(["CREATE TABLE t (a, b)"]);
    for (let at = 0; at < 4; at++)
      await place.run(["INSERT INTO t VALUES (1, hex(zeroblob(900000))), (2, hex(zeroblob(900000)))"]);
    await place.backup();
    await place.run(["DELETE FROM t"]);
    const { size } = await place.dumpTo(`sql/${place.database}`, { at: "-0s" });
    expect(size).toBeGreaterThan(14e6);
  }
});
