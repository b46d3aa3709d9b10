// Backups while calls of the database fail: a backup that is made is what is there, and so is the next one.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { contents, differences, fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { type BackedUpPlace, Cloudflare, type Fault } from "./cloudflare.ts";

/** All of them take two minutes. */
const APART = process.env.PAGEMARK_THOROUGH === "1" ? 1 : 4;

const folder = tempFolder();
const cloudflare = new Cloudflare();
/** Of D1, what becomes of the call; of a Durable Object, when it is evicted. */
const FAULTS: ["D1" | "a Durable Object", Fault["how"]][] = [
  ["D1", "refuses"],
  ["D1", "fails"],
  ["D1", "answer is lost"],
  ["D1", "late"],
  ["D1", "later"],
  ["a Durable Object", "before"],
  ["a Durable Object", "after"],
];

async function expectExact(place: BackedUpPlace, what: string): Promise<void> {
  const path = join(folder, "made.sqlite3");
  writeFileSync(path, await place.download());
  expect(differences(await contents(fileAt(path)), await contents(place)), what).toEqual([]);
}

test.each(FAULTS)("by tracking, %s: call after call %s", async (name, how) => {
  const place = name === "D1" ? cloudflare.d1() : cloudflare.durableObject();
  await place.run([
    "CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE)",
    "CREATE TABLE s (a PRIMARY KEY, b) WITHOUT ROWID",
  ]);
  for (let at = 1; at <= 14; at += APART) {
    await place.run([
      `INSERT OR REPLACE INTO t (id, v) VALUES (${at}, ${at % 4})`,
      `INSERT OR REPLACE INTO s VALUES (${at % 5}, ${at})`,
      // One that is read whole, and whose triggers are made.
      ...(at % 4 === 1 ? [`CREATE TABLE made${at} (a)`] : []),
      `INSERT INTO made${at - ((at - 1) % 4)} VALUES (${at})`,
    ]);
    const made = await place
      .backupFaulty({ at, how, tracking: true })
      .catch((error: Error & { code?: string }) => error);
    if (!(made instanceof Error)) await expectExact(place, `though call ${at} ${how}`);
    // An eviction is no error of ours.
    else if (name === "D1") expect(made).toMatchObject({ code: expect.stringMatching(/^SOURCE_/) });
    await place.run([`UPDATE t SET v = -${at} WHERE id = ${at}`, `DELETE FROM s WHERE a = ${at % 3}`]);
    expect((await place.backupTracked()).taken).toBe("tracked");
    await expectExact(place, `after call ${at} ${how}`);
  }
});
