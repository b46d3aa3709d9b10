// Backups, backups in steps and imports while calls go wrong, one after the other: each ends in what is there, or says why
// not, and then the same again goes on to the end. Of restores see proved.slow.test.ts, of tracking tracked-faults.slow.test.ts.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { type Contents, contents, differences, fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { type BackedUpPlace, Cloudflare, type Fault } from "./cloudflare.ts";

/** Every way at every call; otherwise some calls go wrong, each in one way. */
const IS_THOROUGH = process.env.PAGEMARK_THOROUGH === "1";
const APART = IS_THOROUGH ? 1 : 15;

const folder = tempFolder();
const cloudflare = new Cloudflare();

const WAYS: Record<string, Fault["how"][]> = {
  D1: ["refuses", "fails", "answer is lost", "silent", "late", "later"],
  "a Durable Object": ["before", "after"],
};
const SHOP = [
  "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v UNIQUE)",
  "CREATE TABLE s (a PRIMARY KEY, b REFERENCES t) WITHOUT ROWID",
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT i, 'value ' || i FROM n",
  "INSERT INTO s SELECT v, id FROM t",
];
const STEPS = { sliceBytes: 3000, maxBytes: 8000 };

type Outcome = { calls: number } | (Error & { code?: string });

/** Lets each call of what `attempt` does go wrong; `goOn` does it again after an error. */
async function everyCall(
  place: BackedUpPlace,
  attempt: (fault: Fault, count: number) => Promise<{ calls: number }>,
  goOn: () => Promise<unknown>,
  check: (what: string) => Promise<void>,
): Promise<void> {
  const ways = WAYS[place.name] ?? [];
  let [errors, tried, calls] = [0, 0, 1];
  for (let at = 1; at <= calls; at += at < 4 ? 1 : APART) {
    for (const how of IS_THOROUGH ? ways : [ways[tried % ways.length] as Fault["how"]]) {
      const came: Outcome = await attempt({ at, how }, tried++).catch((error) => error);
      if (came instanceof Error) {
        errors++;
        calls = Math.max(calls, at + 1);
        // An eviction is no error of ours.
        if (place.name === "D1")
          expect(came, `call ${at} ${how}`).toMatchObject({ code: expect.stringMatching(/^SOURCE_/) });
        await goOn();
      } else calls = Math.max(calls, came.calls);
      await check(`call ${at} ${how}`);
    }
  }
  expect(errors).toBeGreaterThan(0);
  if (IS_THOROUGH) console.info(`${calls} calls, ${tried} times one went wrong, ${errors} errors`);
}

async function expectBackedUp(place: BackedUpPlace, what: string): Promise<void> {
  const path = join(folder, "made.sqlite3");
  writeFileSync(path, await place.download());
  const db = new DatabaseSync(path, { readOnly: true });
  expect(db.prepare("PRAGMA integrity_check").all(), what).toEqual([{ integrity_check: "ok" }]);
  db.close();
  expect(differences(await contents(fileAt(path)), await contents(place)), what).toEqual([]);
}

const change = (place: BackedUpPlace, count: number) =>
  place.run([`UPDATE t SET v = 'other ${count}' WHERE id = ${1 + (count % 300)}`]);

describe.each(["D1", "a Durable Object"])("%s", (name) => {
  const place = () => (name === "D1" ? cloudflare.d1() : cloudflare.durableObject());

  test.each([
    ["in one transaction", {}],
    ["in slices", { sliceBytes: 3000 }],
  ])("a backup %s, in which a call goes wrong", { timeout: 900_000 }, async (_, options) => {
    const from = place();
    await from.run(SHOP);
    await everyCall(
      from,
      async (fault, count) => {
        await change(from, count);
        return from.backupFaulty({ ...options, ...fault });
      },
      () => from.backup(),
      (what) => expectBackedUp(from, what),
    );
  });

  test.each([
    ["without tracking", STEPS],
    ["with tracking", { ...STEPS, tracking: true }],
  ])("a backup in steps %s, in which a call goes wrong", { timeout: 900_000 }, async (_, options) => {
    const from = place();
    await from.run(SHOP);
    await everyCall(
      from,
      async (fault, count) => {
        await change(from, count);
        return from.stepsFaulty({ ...options, ...fault });
      },
      () => from.stepsFaulty({ ...options, at: 0, how: "fails" }),
      (what) => expectBackedUp(from, what),
    );
    // Nothing is left of any of them.
    expect((await from.stored()).filter((key) => key.includes("/scratch/"))).toEqual([]);
  });

  test.each([
    ["into an empty database", false],
    ["over another", true],
  ])("an import %s, in which a call goes wrong", { timeout: 900_000 }, async (_, isThere) => {
    const path = join(folder, `${name} ${isThere}.db`);
    const db = new DatabaseSync(path);
    for (const sql of SHOP) db.exec(sql);
    // Of more than 2 MiB as SQL, so that it takes several transactions.
    db.exec("INSERT INTO t (v) SELECT hex(zeroblob(4500)) || id FROM t");
    db.close();
    const file = readFileSync(path);
    const expected: Contents = await contents(fileAt(path));
    let to = place();
    await everyCall(
      to,
      async (fault) => {
        to = place();
        if (isThere) await to.run(["CREATE TABLE old (a)", "INSERT INTO old VALUES (1)"]);
        const made = await to.importFaulty(file, { replace: isThere, fault });
        expect(made.verified).toHaveLength(2);
        return made;
      },
      async () => {
        const left = Object.keys(await contents(to));
        const isHalf = left.some((object) => object.includes("pagemark_half_loaded"));
        if (isHalf)
          await expect(to.backup({ store: "memory" })).rejects.toMatchObject({ code: "SOURCE_HALF_LOADED" });
        // All that was there before, a part that says so, or all of it.
        else if (left.includes("rows of t")) expect(differences(await contents(to), expected)).toEqual([]);
        else expect(left).toEqual(isThere ? ["table old on old", "rows of old"] : []);
        await to.import(file, { replace: isThere || !isHalf });
      },
      async (what) => expect(differences(await contents(to), expected), what).toEqual([]),
    );
  });
});
