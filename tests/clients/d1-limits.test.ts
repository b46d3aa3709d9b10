// PAGEMARK_D1_LIMITS: what D1 would refuse is refused, for those who may move there.
import { expect, test } from "vitest";
import { callerOf } from "./d1/bundled.ts";
import { DIFFERENCES } from "./d1/differences.ts";
import { TestWorker } from "./worker.ts";

const worker = new TestWorker({ PAGEMARK_D1_LIMITS: "1" }, async () => [
  await callerOf("caller", "caller.ts", { d1Databases: { REAL: "real" } }),
]);

test("where more is allowed without it, D1 and the wrapper refuse the same", async () => {
  const names = DIFFERENCES["more is allowed"] ?? [];
  const query = new URLSearchParams(names.map((name) => ["only", name]));
  const outcomes = async (which: string) => {
    const answer = await fetch(`${worker.callerUrl("caller")}/${which}?${query}`);
    return (await answer.json()) as Record<string, { threw?: string }>;
  };
  const [real, ours] = [await outcomes("real"), await outcomes("ours")];
  expect(Object.keys(ours)).toEqual(expect.arrayContaining([...names]));
  for (const name of names) {
    // Who is refused something hears what it was.
    const withoutWhat = ours[name]?.threw?.replace(/^(D1_ERROR: not authorized).*(: SQLITE_AUTH)$/, "$1$2");
    expect(withoutWhat, name).toBe(real[name]?.threw);
  }
});

const columns = (count: number) => Array.from({ length: count }, (_, at) => `c${at}`).join(", ");
const selects = (count: number) => Array.from({ length: count }, () => "SELECT 1").join(" UNION ALL ");
const length = (bytes: number) => `SELECT 1 -- ${"x".repeat(bytes - 12)}`;

test.each([
  ["columns", `CREATE TABLE a (${columns(100)})`, `CREATE TABLE b (${columns(101)})`],
  ["compound SELECTs", selects(5), selects(6)],
  ["a statement's bytes", length(100_000), length(100_001)],
  ["bytes of a pattern", `SELECT 'x' LIKE '${"a".repeat(50)}'`, `SELECT 'x' LIKE '${"a".repeat(51)}'`],
  ["bytes of a value", "SELECT length(zeroblob(2000000))", "SELECT length(zeroblob(2000001))"],
  ["functions", "SELECT abs(1)", "SELECT sqlite_version()"],
  ["PRAGMAs", "PRAGMA table_list", "PRAGMA integrity_check"],
])("%s: as many as D1 takes, and no more", async (name, most, more) => {
  const uuid = await worker.create(name);
  const { run } = worker.database(uuid);
  await run([most]);
  await expect(run([more])).rejects.toThrow();
});
