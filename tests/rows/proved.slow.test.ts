// Restores into D1 and Durable Objects that are interrupted: they say so, are gone on with, and end in what was backed up.
import { describe, expect, test } from "vitest";
import { type Contents, contents, differences } from "../peers/d1/place.ts";
import { type BackedUpPlace, Cloudflare, type Fault } from "./cloudflare.ts";

const cloudflare = new Cloudflare();

/** Takes three transactions; what cannot be told apart by a key could go in twice. */
const LARGE = [
  "CREATE TABLE customers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL)",
  "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer REFERENCES customers ON DELETE CASCADE, note)",
  "CREATE TABLE log (text)",
  "INSERT INTO customers (name) VALUES ('Ada'), ('Grace')",
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1050) INSERT INTO orders SELECT i, 1 + i % 2, hex(zeroblob(1000)) || i FROM n",
  "INSERT INTO log SELECT id FROM orders",
  "CREATE INDEX by_customer ON orders (customer)",
];
const SMALL = ["CREATE TABLE one (a, b)", "INSERT INTO one VALUES (1, 'one'), (1, 'one'), (2.0, x'')"];
const OLD = ["CREATE TABLE old (a)", "INSERT INTO old VALUES ('what was there before')"];

async function backedUp(place: BackedUpPlace, statements: string[]): Promise<BackedUpPlace> {
  await place.run(statements);
  await place.backup();
  return place;
}

async function expectSame(there: BackedUpPlace, wanted: BackedUpPlace): Promise<void> {
  expectEqual(await contents(there), await contents(wanted));
}

function expectEqual(found: Contents, expected: Contents): void {
  // What counts AUTOINCREMENT cannot be dropped.
  for (const each of [found, expected])
    if (each["rows of sqlite_sequence"]?.length === 0) delete each["rows of sqlite_sequence"];
  const other = differences(found, expected).filter((line) => !line.startsWith("table sqlite_sequence"));
  expect(other).toEqual([]);
}

test("a restore says what it found afterwards, table by table", async () => {
  for (const [from, to] of [cloudflare.both(), cloudflare.both().reverse()] as [
    BackedUpPlace,
    BackedUpPlace,
  ][]) {
    await backedUp(from, LARGE);
    const { verified } = await to.restore(from);
    expect(verified?.map(({ name, rows }) => [name, rows])).toEqual([
      ["customers", 2],
      ["orders", 1050],
      ["log", 1050],
    ]);
    await expectSame(to, from);
  }
});

const FAILURES: Fault["how"][] = ["refuses", "fails", "answer is lost", "silent", "late", "later"];
const EVICTIONS: Fault["how"][] = ["before", "after"];
/** Every way at every call; otherwise each call goes wrong in one way. */
const IS_THOROUGH = process.env.PAGEMARK_THOROUGH === "1";

/** Interrupts restores at each of their calls. How many of them had to be run again. */
async function interrupt(to: BackedUpPlace, from: BackedUpPlace, ways: Fault["how"][]): Promise<number> {
  let again = 0;
  const wanted = await contents(from);
  for (let at = 1, calls = 1; at <= calls; at += IS_THOROUGH || at < 8 ? 1 : 7) {
    for (const how of IS_THOROUGH ? ways : [ways[at % ways.length] as Fault["how"]]) {
      await to.restore(old, { safety: false });
      const first = await to
        .restoreFaulty(from, { safety: false, fault: { at, how } })
        .catch((error) => error);
      if (first instanceof Error) {
        again++;
        calls = at + 1;
        await expectSaid(to, first);
        await to.restore(from, { safety: false });
      } else {
        calls = Math.max(calls, first.calls);
      }
      expectEqual(await contents(to), wanted);
    }
  }
  return again;
}

/** What is there is whole, or a part only of which backups are refused. */
async function expectSaid(to: BackedUpPlace, error: Error): Promise<void> {
  const marks = await to.rows("SELECT 1 FROM sqlite_schema WHERE name = 'pagemark_half_loaded'");
  if (to.name === "D1") {
    expect(error).toMatchObject({ code: expect.stringMatching(/^SOURCE_/) });
    // Of a transaction that nobody answered, and that cannot be asked for either, that is not known.
    const isKnown = !error.message.includes("all of it or a part");
    if (isKnown) expect(error.message.includes("holds a part only"), error.message).toBe(marks.length > 0);
  }
  if (marks.length > 0)
    await expect(to.backup({ store: "memory" })).rejects.toMatchObject({ code: "SOURCE_HALF_LOADED" });
}

let old: BackedUpPlace;

describe.each([["small", SMALL] as const, ["large", LARGE] as const])("a %s restore", (_, statements) => {
  test("is done or can be gone on with when a call to D1 fails, is lost or late", {
    timeout: 900_000,
  }, async () => {
    old = await backedUp(cloudflare.d1(), OLD);
    const from = await backedUp(cloudflare.d1(), statements);
    expect(await interrupt(cloudflare.d1(), from, FAILURES)).toBeGreaterThan(0);
  });

  test("is done or can be gone on with when a Durable Object is evicted", { timeout: 900_000 }, async () => {
    old = await backedUp(cloudflare.d1(), OLD);
    const from = await backedUp(cloudflare.d1(), statements);
    expect(await interrupt(cloudflare.durableObject(), from, EVICTIONS)).toBeGreaterThan(0);
  });
});

test("what was there before can be had again, though the restore did not end at once", async () => {
  const from = await backedUp(cloudflare.d1(), LARGE);
  const to = cloudflare.d1();
  await to.run(OLD);
  const before = await contents(to);
  // The safety backup is some calls; then two transactions come.
  for (let at = 2; ; at++) {
    const fault = { at, how: "refuses" as const };
    const error = await to.restoreFaulty(from, { fault }).catch((thrown) => thrown);
    if (error.message?.includes("holds a part only")) break;
    expect(at).toBeLessThan(20);
  }
  const { undo } = await to.restore(from);
  await expectSame(to, from);
  // Into another place: there it is whole.
  const other = cloudflare.d1();
  await other.restore(from, { at: undo as string });
  expect(differences(await contents(other), before)).toEqual([]);
});

test("E2 one table is restored by itself, with its indexes and its counter", async () => {
  for (const place of cloudflare.both()) {
    await backedUp(place, LARGE);
    const wanted = await contents(place);
    await place.run([
      "DELETE FROM orders WHERE id > 5",
      "DROP INDEX by_customer",
      "DELETE FROM log",
      "CREATE TABLE newer (a)",
    ]);
    const { verified } = await place.restore(place, { tables: ["orders"] });
    expect(verified?.map(({ name, rows }) => [name, rows])).toEqual([["orders", 1050]]);
    expect(differences(await contents(place), wanted)).toEqual([
      ...differences(
        {
          ...wanted,
          "rows of log": [],
          "table newer on newer": ["CREATE TABLE newer (a)"],
          "rows of newer": [],
        },
        wanted,
      ),
    ]);
    // It would empty the orders.
    const error = await place.restore(place, { at: "-1s", tables: ["customers"] }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(Error);
    await expect(place.restore(place, { tables: ["none"] })).rejects.toMatchObject({ code: "TABLE_UNKNOWN" });
  }
});

test("what somebody wrote while it was restored is told", async () => {
  const from = await backedUp(cloudflare.d1(), SMALL);
  const to = cloudflare.d1();
  await to.run(SMALL);
  await expect(
    to.restoreFaulty(from, { safety: false, fault: { at: 4, how: "writes" } }),
  ).rejects.toMatchObject({
    code: "SOURCE_DIFFERS",
    message: expect.stringContaining('table "one" (4 rows, not 3)'),
  });
});
