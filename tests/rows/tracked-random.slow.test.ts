// Random lives of databases whose changes are tracked: whatever SQL does between two backups, the second is what is there.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { expect, test } from "vitest";
import { contents, differences, fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { Cloudflare } from "./cloudflare.ts";

const RUNS = Number(process.env.PAGEMARK_RANDOM_RUNS ?? 3);
const SEED = Number(process.env.PAGEMARK_RANDOM_SEED ?? 1);

const folder = tempFolder();
const cloudflare = new Cloudflare(40 * RUNS);
let files = 0;

const SCHEMA = [
  "CREATE TABLE a (id INTEGER PRIMARY KEY, u UNIQUE, n TEXT COLLATE NOCASE UNIQUE, p, v)",
  "CREATE UNIQUE INDEX a_pair ON a (p, v) WHERE p IS NOT NULL",
  "CREATE INDEX a_expr ON a (length(v) DESC, n COLLATE RTRIM)",
  "CREATE TABLE b (k TEXT COLLATE NOCASE, m, v, PRIMARY KEY (m DESC, k)) WITHOUT ROWID",
  "CREATE UNIQUE INDEX b_v ON b (v COLLATE RTRIM)",
  "CREATE TABLE c (v, of REFERENCES a ON DELETE CASCADE ON UPDATE SET NULL)",
  "CREATE TABLE d (v, w AS (v || '.') STORED UNIQUE)",
  "CREATE TRIGGER after_a AFTER INSERT ON a BEGIN INSERT INTO c VALUES (new.v, new.id); UPDATE b SET v = v || 'y' WHERE m = new.id; END",
  "CREATE VIEW view_a AS SELECT * FROM a",
  "CREATE TRIGGER into_view INSTEAD OF INSERT ON view_a BEGIN INSERT OR REPLACE INTO a (id, v) VALUES (new.id, new.v); END",
];

const value = fc.oneof(
  fc.constantFrom("NULL", "0", "1", "-0.0", "1.0", "1.5", "9223372036854775807", "9e999", "x''", "x'00ff'"),
  fc.constantFrom(
    "'a'",
    "'A'",
    "'a '",
    "'b'",
    "'b' || char(0) || 'c'",
    "CAST(x'61ff' AS TEXT)",
    "hex(zeroblob(3000))",
  ),
  fc.integer({ min: -3, max: 12 }).map(String),
);
const id = fc.integer({ min: 1, max: 12 });
const orWhat = fc.constantFrom("", "OR REPLACE", "OR IGNORE", "OR REPLACE");
const statement = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(orWhat, id, value, value, value, value)
      .map(([or, key, u, n, p, v]) => `INSERT ${or} INTO a VALUES (${key}, ${u}, ${n}, ${p}, ${v})`),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(orWhat, fc.constantFrom("id", "u", "n", "p", "v"), value, id)
      .map(([or, column, to, key]) => `UPDATE ${or} a SET ${column} = ${to} WHERE id >= ${key}`),
  },
  { weight: 2, arbitrary: id.map((key) => `DELETE FROM a WHERE id IN (${key}, ${key + 3})`) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(orWhat, value, value, value)
      .map(
        ([or, k, m, v]) =>
          `INSERT ${or} INTO b SELECT ${k}, ${m}, ${v} WHERE ${k} IS NOT NULL AND ${m} IS NOT NULL`,
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        orWhat,
        fc.constantFrom("k = upper(k)", "k = k || ' '", "m = m + 1", "v = NULL", "v = rtrim(v)"),
        value,
      )
      .map(([or, set, m]) => `UPDATE ${or} b SET ${set} WHERE m IS NOT ${m}`),
  },
  { weight: 2, arbitrary: value.map((v) => `DELETE FROM b WHERE v IS ${v}`) },
  { weight: 2, arbitrary: fc.tuple(orWhat, value).map(([or, v]) => `INSERT ${or} INTO d (v) VALUES (${v})`) },
  {
    weight: 1,
    arbitrary: fc.tuple(id, value).map(([key, v]) => `INSERT INTO view_a (id, v) VALUES (${key}, ${v})`),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(id, value)
      .map(([key, v]) => `INSERT INTO a (id, u) VALUES (${key}, ${v}) ON CONFLICT DO UPDATE SET v = 'up'`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "DELETE FROM b",
      "ALTER TABLE b RENAME TO other",
      "CREATE TABLE b (k TEXT COLLATE NOCASE, m, v, PRIMARY KEY (m DESC, k)) WITHOUT ROWID",
      "DROP TABLE IF EXISTS d",
      "CREATE TABLE IF NOT EXISTS d (v, w AS (v || '.') STORED UNIQUE)",
      "DROP INDEX IF EXISTS a_pair",
      "CREATE UNIQUE INDEX IF NOT EXISTS a_pair ON a (p, v) WHERE p IS NOT NULL",
      "ALTER TABLE c RENAME COLUMN v TO value",
      "ALTER TABLE a ADD COLUMN more DEFAULT 7",
      "CREATE INDEX IF NOT EXISTS c_of ON c (of)",
      "PRAGMA optimize",
      "ANALYZE",
    ),
  },
);

test("A10 each backup by tracking is what is there, whatever was done since the last one", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(statement, { minLength: 2, maxLength: 8, size: "max" }), {
        minLength: 3,
        maxLength: 5,
        size: "max",
      }),
      async (lives) => {
        await Promise.all(
          cloudflare.both().map(async (place) => {
            await place.run(SCHEMA);
            for (const [at, statements] of lives.entries()) {
              // What is refused changes nothing.
              for (const sql of statements) await place.run([sql]).catch(() => {});
              const { taken } = await place.backupTracked();
              expect(taken).toBe("tracked");
              const path = join(folder, `${files++}.sqlite3`);
              writeFileSync(path, await place.download());
              const db = new DatabaseSync(path, { readOnly: true });
              const found = db.prepare("PRAGMA integrity_check").all();
              db.close();
              expect(found, `${place.name} after ${at + 1}`).toEqual([{ integrity_check: "ok" }]);
              expect(
                differences(await contents(fileAt(path)), await contents(place)),
                `${place.name} after ${at + 1}`,
              ).toEqual([]);
            }
          }),
        );
      },
    ),
    { numRuns: RUNS, seed: SEED, endOnFailure: process.env.PAGEMARK_THOROUGH !== "1" },
  );
}, 3_000_000);
