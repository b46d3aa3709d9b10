// The database that clients bring away and back: what D1's own export does not get right is in it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { databaseOf } from "../peers/d1/golden.ts";
import { type Contents, contents, differences, fileAt, type Place } from "../peers/d1/place.ts";

/** Tables with full-text search, a view, a trigger, and values at their limits. */
export const LIBRARY = `${readFileSync(join(import.meta.dirname, "../../scripts/lib/demo.sql"), "utf8")}
  CREATE TABLE extremes (id INTEGER PRIMARY KEY AUTOINCREMENT, value);
  INSERT INTO extremes (value) VALUES (9007199254740993), (-9223372036854775808), (1.0), (-0.0), (9e999), (0.1), (1e300),
    (x'00ff'), (x''), (''), ('it''s' || char(13, 10) || 'here'), ('a literal \\n'), (CAST(x'610062' AS TEXT)), (NULL);
  DELETE FROM extremes WHERE value = '';
  CREATE TABLE "odd ""name" ("a b" TEXT, "select" INT, PRIMARY KEY ("select", "a b")) STRICT, WITHOUT ROWID;
  INSERT INTO "odd ""name" VALUES ('ö', 1), ('', 9223372036854775807);
`;

/** What a database of this SQL has in it, when SQLite itself makes it. */
export function contentsOf(folder: string, sql: string): Promise<Contents> {
  return contents(fileAt(databaseOf(folder, sql)));
}

/** It is what `expected` says, cell by cell. */
export async function expectSame(place: Place, expected: Contents): Promise<void> {
  expect(await place.rows("PRAGMA integrity_check"), place.name).toEqual([["ok"]]);
  expect(differences(await contents(place), expected), place.name).toEqual([]);
}
