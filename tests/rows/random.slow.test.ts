// Random databases in D1 and in Durable Objects, read at once and slice by slice, to the last bit.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { d1Dump } from "../peers/d1/dump.ts";
import { contents, differences, fileAt } from "../peers/d1/place.ts";
import { makeRandom } from "../peers/d1/random-database.ts";
import { tempFolder } from "../support/temp.ts";
import { Cloudflare } from "./cloudflare.ts";

/** Each takes about a second. */
const RUNS = Number(process.env.PAGEMARK_RANDOM_RUNS ?? 20);
const IS_THOROUGH = process.env.PAGEMARK_THOROUGH === "1";
const SEED = Number(process.env.PAGEMARK_RANDOM_SEED ?? 1);

/** A full-text index has the digits of a real that D1's SQLite writes; another version, which writes others, says so. */
const DIGITS = /^(malformed inverted index for FTS5|fts5: checksum mismatch)/;

const folder = tempFolder();
const cloudflare = new Cloudflare(4 * RUNS);

/** Of thousands, some come while the machine does something else. */
const timeout = RUNS > 20 ? 600_000 : 60_000;

test.each(Array.from({ length: RUNS }, (_, run) => SEED + run))("seed %i", { timeout }, async (seed) => {
  const path = join(folder, `${seed}.db`);
  makeRandom(path, seed);
  const { statements } = await d1Dump(path);
  const places = cloudflare.both();
  for (const [at, place] of places.entries()) {
    await place.run(statements);
    const expected = await contents(place);
    await place.backup();
    // Of little, or of so much that small tables are read together.
    const sliceBytes = seed % 3 === 0 ? 60_000 : 50 + (seed % 7) * 300;
    const images = [await place.download(), await place.pages({ sliceBytes })];
    for (const [index, image] of images.entries()) {
      const made = join(folder, `${seed}.${place.database}.${index}.db`);
      writeFileSync(made, image);
      const db = new DatabaseSync(made, { readOnly: true });
      const faults = db
        .prepare("PRAGMA integrity_check")
        .all()
        .map(({ integrity_check: fault }) => String(fault))
        .filter((fault) => fault !== "ok" && !DIGITS.test(fault));
      expect(faults, place.name).toEqual([]);
      db.close();
      expect(differences(await contents(fileAt(made)), expected), place.name).toEqual([]);
    }
    // Each the other way now and then: it takes as long as all of the above.
    if (!IS_THOROUGH && seed % 2 !== at) continue;
    const other = at === 0 ? cloudflare.durableObject() : cloudflare.d1();
    expect((await other.restore(place)).verified, place.name).toBeDefined();
    expect(differences(await contents(other), expected), `${place.name} into ${other.name}`).toEqual([]);
  }
});
