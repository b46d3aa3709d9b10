// What Cloudflare's own SDK for Python, 5.9.0, does with whoever serves its API: sdk-python.py asks, this looks at the answers.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { databaseOf } from "../peers/d1/golden.ts";
import { contents, fileAt } from "../peers/d1/place.ts";
import { ACCOUNT, type TestApi, TOKEN } from "./api.ts";
import { contentsOf, expectSame, LIBRARY } from "./library.ts";

const packages = join(import.meta.dirname, "../../.cache/clients/python");

export function pythonSdk(worker: TestApi): void {
  const python = <T>(name: string, ...args: string[]) => run<T>(worker, name, ...args);

  test("D14 databases: create, get with fields, list to the end, delete", async () => {
    for (const name of ["b", "c", "d"]) await worker.create(name);
    expect(await python("databases")).toEqual({
      made: { name: "made", num_tables: 0 },
      fields: ["name", "uuid"],
      names: ["b", "c", "d", "made"],
      gone: { status: 404, code: 7404 },
    });
  });

  test("query and raw: values, parameters, and what SQLite refuses", async () => {
    expect(await python("queries", await worker.create("queried"))).toEqual({
      rows: [
        { a: 1, b: "one" },
        { a: [1, 2], b: null },
      ],
      raw: { columns: ["b"], rows: [["one"]] },
      refused: { status: 400, code: 7500 },
    });
  });

  test("A12 time_travel: to a bookmark, to a time, and undone", async () => {
    const uuid = await worker.create("travelled", LIBRARY);
    const expected = await contentsOf(worker.folder, LIBRARY);
    const answers = await python<Record<string, string>>("time_travel", uuid);
    expect(answers.bookmark).toMatch(/^[0-9a-f-]{59}$/);
    expect(answers).toEqual({
      bookmark: answers.bookmark,
      restored: answers.bookmark,
      at_time: answers.bookmark,
      undone: "no such table",
    });
    await expectSame(worker.database(uuid), expected);
  });

  test("D4 D11 D15 export of some tables, polled to its end and downloaded", async () => {
    const uuid = await worker.create("exported", LIBRARY);
    const answer = await python<{ status: string; filename: string; sql: string }>("export", uuid);
    expect(answer).toMatchObject({ status: "complete", filename: expect.stringMatching(/\.sql$/) });
    const [found, expected] = await Promise.all([
      contents(fileAt(databaseOf(worker.folder, answer.sql))),
      contentsOf(worker.folder, LIBRARY),
    ]);
    for (const name of ["rows of books", "rows of authors"])
      expect(found[name], name).toEqual(expected[name]);
    expect(found["rows of loans"]).toBeUndefined();
  });

  test("D15 import, and one that fails", async () => {
    const uuid = await worker.create("imported");
    const [good, bad] = [join(worker.folder, "good.sql"), join(worker.folder, "bad.sql")];
    writeFileSync(good, LIBRARY);
    writeFileSync(bad, "DELETE FROM loans;\nINSERT INTO missing VALUES (1);\n");
    const imported = await python<{ status: string; queries: number }>("import", uuid, good);
    expect(imported).toMatchObject({ status: "complete", queries: expect.any(Number) });
    const expected = await contentsOf(worker.folder, LIBRARY);
    await expectSame(worker.database(uuid), expected);
    expect(await python("import", uuid, bad)).toMatchObject({
      status: "error",
      error: expect.stringContaining("no such table: missing"),
    });
    await expectSame(worker.database(uuid), expected);
  });
}

/** Runs the part `name` of sdk-python.py; what it prints as JSON. */
async function run<T>(worker: TestApi, name: string, ...args: string[]): Promise<T> {
  const child = spawn("python3", [join(import.meta.dirname, "sdk-python.py"), name, ...args], {
    cwd: worker.folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH ?? "",
      PYTHONPATH: packages,
      PYTHONDONTWRITEBYTECODE: "1",
      CLOUDFLARE_BASE_URL: worker.api,
      CLOUDFLARE_API_TOKEN: TOKEN,
      CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
    },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const status = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
  if (status !== 0) throw new Error(`sdk-python.py ${name}: exit code ${status}\n${stderr}`);
  return JSON.parse(stdout) as T;
}
