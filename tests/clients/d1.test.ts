// The D1Database of `pagemark/client` beside D1's own: the same calls on both, in workerd.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { callerOf } from "./d1/bundled.ts";
import { DIFFERENCES } from "./d1/differences.ts";
import { TestWorker } from "./worker.ts";

type Outcomes = Record<string, { gave?: unknown; threw?: string; cause?: string }>;

const worker = new TestWorker({}, async () => [
  await callerOf("caller", "caller.ts", { d1Databases: { REAL: "real" } }),
]);

async function calls(path: string): Promise<Outcomes> {
  const answer = await fetch(`${worker.callerUrl("caller")}${path}`);
  expect(answer.status, answer.ok ? path : await answer.text()).toBe(200);
  return (await answer.json()) as Outcomes;
}

describe("calls on D1 and on the wrapper", () => {
  let real: Outcomes;
  let ours: Outcomes;
  beforeAll(async () => {
    real = await calls("/real");
    ours = await calls("/ours");
  });

  test("give the same, but for what docs/worker.md lists with its reason", () => {
    expect(Object.keys(ours)).toEqual(Object.keys(real));
    expect(Object.keys(real).length).toBeGreaterThan(250);
    const differing = Object.keys(real).filter(
      (name) => JSON.stringify(real[name]) !== JSON.stringify(ours[name]),
    );
    expect(new Set(differing)).toEqual(new Set(Object.values(DIFFERENCES).flat()));
  });

  test("the reasons are those of the table in docs/worker.md", () => {
    const documentation = readFileSync(join(import.meta.dirname, "../../docs/worker.md"), "utf8");
    const table = documentation.slice(documentation.indexOf("### Where it differs from D1"));
    const reasons = [...table.matchAll(/^\| ([^|]+?) \|/gm)].map(([, reason = ""]) =>
      reason.replaceAll("`", ""),
    );
    for (const reason of Object.keys(DIFFERENCES)) expect(reasons).toContain(reason);
  });

  test("where they differ, the wrapper's outcome is what it is meant to be", () => {
    const outcome = (name: string) => ours[name]?.gave ?? ours[name]?.threw;
    expect(outcome("what bind makes of a small integer")).toEqual({ type: "integer", text: "5" });
    expect(outcome("what bind makes of true")).toEqual({ type: "integer", text: "1" });
    expect(outcome("what bind makes of a BigInt beyond 2^53")).toEqual({
      type: "integer",
      text: "9007199254740993",
    });
    expect(outcome("what bind makes of infinity")).toEqual({ type: "real", text: "9.0e+999" });
    expect(outcome("what bind makes of a Uint16Array")).toEqual({ type: "blob", text: "X'01000200'" });
    expect(outcome("exec of a statement over two lines, and others")).toEqual({
      count: 2,
      duration: "number",
    });
    expect(outcome("exec of what is wrong on the second line")).toMatch(
      /^D1_EXEC_ERROR: Error in line 2: SELEC 2;: near/,
    );
    expect(outcome("refused: a PRAGMA of the file")).toMatch(
      /^D1_ERROR: not authorized: PRAGMA journal_mode .*: SQLITE_AUTH$/,
    );
    for (const what of ["a text", "a generator", "an array with a hole", "a promise", "what is no array"]) {
      expect(outcome(`a batch of ${what}`)).toMatch(/^D1_ERROR: a batch is an array of statements/);
    }
    expect(outcome("a session of what is no bookmark")).toMatch(
      /^D1_ERROR: .*a session begins with first-primary/,
    );
    expect(outcome("a session of a bookmark of zeros")).toMatch(/^D1_ERROR: .*belongs to another database/);
    expect(outcome("first of a name that every object has")).toMatch(/^D1_COLUMN_NOTFOUND: /);
    expect(outcome("bind an array with a hole")).toMatch(/^D1_TYPE_ERROR: Type 'object' not supported/);
    expect(outcome("dump")).toBe(true);
    expect(outcome("all of integers beyond 2^53")).toMatchObject({ meta: { rounded_integers: 2 } });
    expect(outcome("run of DROP TABLE of one that others refer to")).toMatchObject({
      meta: {
        messages: [expect.stringMatching(/^DROP TABLE users deleted 3 rows of posts, which refers to it/)],
      },
    });
  });
});

test("by option BLOBs are bytes and integers exact; what is rounded is counted", async () => {
  const exact = await calls("/ours?blobs=bytes&integers=bigint");
  expect(exact["select a BLOB"]?.gave).toEqual({ bytes: [0, 255, 16] });
  expect(exact["select the largest integer"]?.gave).toEqual({ bigint: "9223372036854775807" });
  expect(exact["select an integer"]?.gave).toBe(42);
});
