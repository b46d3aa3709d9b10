// SQL that is meant to take for ever, to take all memory, or to reach where SQL should not.
import { beforeAll, describe, expect, test } from "vitest";
import { call, create, rows } from "./worker-api.ts";

let uuid: string;
beforeAll(async () => {
  uuid = await create("bombs");
  await rows(uuid, "CREATE TABLE kept (a); INSERT INTO kept VALUES ('there')");
});

const query = (sql: string, params?: unknown[]) => call(`/${uuid}/query`, { sql, params });
const many = (count: number, text: string) => text.repeat(count);
const NUMBERS = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000)";

/** In milliseconds, on a machine that does much else; the tests' setting lets a request take 20 million steps. */
const SOON = 20_000;

const BOMBS: Record<string, string> = {
  "a recursion without an end": "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
  "a cross join": `${NUMBERS} SELECT count(*) FROM n a, n b, n c`,
  "a join of 64 tables": `SELECT count(*) FROM ${Array.from({ length: 64 }, (_, i) => `pragma_function_list f${i}`)}`,
  "printf of a gigabyte": "SELECT length(printf('%1000000000d', 1))",
  "printf of many characters": "SELECT length(printf('%.*c', 1000000000, 'x'))",
  "zeroblob of a gigabyte": "SELECT zeroblob(1000000000)",
  "randomblob of a gigabyte": "SELECT length(randomblob(1000000000))",
  "randomblob a million times": `${NUMBERS} SELECT sum(length(randomblob(1000000))) FROM n`,
  "small randomblobs": `${NUMBERS} SELECT sum(length(randomblob(200))) FROM n, n`,
  "large values in statements of their own": many(5000, "SELECT length(randomblob(16000000));"),
  "hex of hex": "SELECT length(hex(hex(hex(hex(zeroblob(9000000))))))",
  "group_concat that grows": `${NUMBERS} SELECT length(group_concat(printf('%1000d', i))) FROM n`,
  "replace that grows": `SELECT length(replace(printf('%100000d', 1), ' ', printf('%10000d', 1)))`,
  "JSON that grows": `${NUMBERS} SELECT length(json_group_array(printf('%1000d', i))) FROM n`,
  "a thousand large columns": `SELECT ${Array.from({ length: 1000 }, () => "zeroblob(16000000)")}`,
  "a large sort": `${NUMBERS} SELECT * FROM (SELECT randomblob(1000) AS r FROM n ORDER BY r) LIMIT 1`,
  "a large insert": `INSERT INTO kept ${NUMBERS} SELECT randomblob(10000) FROM n`,
  "a large table": `CREATE TABLE huge AS ${NUMBERS} SELECT i, zeroblob(5000) FROM n`,
  "a row of 100 MB": "INSERT INTO kept VALUES (zeroblob(100000000))",
  "a result that is too large": `${NUMBERS} SELECT i FROM n`,
  "parentheses 5,000 deep": `SELECT ${many(5000, "(")}1${many(5000, ")")}`,
  "a sum of 50,000 terms": `SELECT 1${many(50_000, "+1")}`,
  "subqueries 500 deep": `${many(500, "SELECT * FROM (")}SELECT 1${many(500, ")")}`,
  "5,000 SELECTs in one": Array.from({ length: 5000 }, () => "SELECT 1").join(" UNION ALL "),
  "20,000 columns": `SELECT ${Array.from({ length: 20_000 }, (_, i) => `1 AS c${i}`)}`,
  "200,000 statements": many(200_000, "SELECT 1;"),
  "a long pattern of LIKE": `SELECT printf('%50000d', 1) LIKE '${many(20_000, "%_")}b'`,
  "a long pattern of GLOB": `SELECT printf('%50000d', 1) GLOB '${many(20_000, "*a")}b'`,
  "a window over everything": `${NUMBERS} SELECT sum(i) OVER (ORDER BY i ROWS BETWEEN 100000 PRECEDING AND CURRENT ROW) FROM n`,
  "JSON tables crossed": `SELECT count(*) FROM json_each('[${many(99_999, "1,")}1]'), json_each('[${many(999, "1,")}1]')`,
  "a full-text index of everything": `CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f ${NUMBERS} SELECT printf('%1000d word', i) FROM n`,
};

describe("SQL bombs", () => {
  test.each(Object.entries(BOMBS))(
    "%s: refused in time, and nothing of it stays",
    async (_, sql) => {
      const start = performance.now();
      const { status, body } = await query(sql);
      expect([status, body.success]).toEqual([expect.toSatisfy((it) => it === 400 || it === 413), false]);
      expect(performance.now() - start).toBeLessThan(SOON);
      expect(await rows(uuid, "SELECT * FROM kept")).toEqual([{ a: "there" }]);
      expect(await rows(uuid, "SELECT name FROM sqlite_schema")).toEqual([{ name: "kept" }]);
    },
    60_000,
  );

  test("triggers that set each other off end", async () => {
    const made = await create("triggers");
    await rows(
      made,
      `CREATE TABLE a (x); CREATE TABLE b (x);
      CREATE TRIGGER ab AFTER INSERT ON a BEGIN INSERT INTO b VALUES (NEW.x), (NEW.x); END;
      CREATE TRIGGER ba AFTER INSERT ON b BEGIN INSERT INTO a VALUES (NEW.x), (NEW.x); END`,
    );
    await call(`/${made}/query`, { sql: "INSERT INTO a VALUES (1)" });
    expect((await rows(made, "SELECT count(*) AS n FROM a"))[0]?.n).toBeLessThan(10);
  });

  test("another database of the isolate goes on meanwhile", async () => {
    const other = await create("beside the bombs");
    await rows(other, "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        if (i % 2) return query(BOMBS["a large sort"] ?? "");
        return call(`/${other}/query`, { sql: "INSERT INTO t SELECT max(a) + 1 FROM t RETURNING a" });
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map((_, i) => (i % 2 ? 400 : 200)));
    expect(await rows(other, "SELECT count(*) AS n FROM t")).toEqual([{ n: 7 }]);
  });

  test("long scripts run, whatever their statements are", async () => {
    const made = await create("long script");
    const text = `${many(300, "; ' -- \n/* ")}`;
    const script = [
      "CREATE TABLE t (a); CREATE TABLE log (a)",
      `/* ${many(500, "; ")} */ -- ${many(500, "; ")}`,
      "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.a); INSERT INTO log VALUES (';'); END",
      ...Array.from({ length: 400 }, (_, i) => `INSERT INTO t VALUES (${i}), ('é😀;')`),
      `INSERT INTO t VALUES ('${text.replaceAll("'", "''")}')`,
      `SELECT count(*) AS n, (SELECT count(*) FROM log) AS logged, max(length(a)) AS most FROM t /* ${many(3000, ";")}`,
    ].join(";\n");
    expect(await rows(made, script)).toEqual([{ n: 801, logged: 1602, most: text.length }]);
  });
});

describe("what is not for requests", () => {
  test.each([
    "\ufeffPRAGMA writable_schema = 1",
    ";\ufeff;PRAGMA/**/writable_schema(1)",
    "\fPRAGMA\fwritable_schema=1",
    '/* */ PRAGMA "main".[writable_schema] = 1',
    "PRAGMA 'writable_schema' = 1",
    "EXPLAIN QUERY PLAN PRAGMA writable_schema=1",
    "PRAGMA hard_heap_limit = 1",
    "PRAGMA encoding = 'UTF-16'",
    "PRAGMA main.page_size(512)",
    "SELECT 1;\0SELECT 2",
    "\ufeffATTACH ':memory:' AS x",
    "EXPLAIN ATTACH ':memory:' AS x",
    "\ufeffBEGIN",
    "\ufeff/**/VACUUM INTO 'x'",
    "DETACH main",
    "CREATE TEMP TABLE x (a)",
    "CREATE TABLE temp.x (a)",
    "CREATE TEMPORARY VIEW x AS SELECT 1",
    "DELETE FROM sqlite_schema",
    "UPDATE sqlite_schema SET sql = 'x'",
    "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 2, 'x')",
    "SELECT * FROM sqlite_dbpage",
    "SELECT load_extension('x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT * FROM pragma_query_only(1)",
    "SELECT fts3_tokenizer('simple')",
  ])("%s", async (sql) => {
    expect((await query(sql)).status).toBe(400);
    expect(await rows(uuid, "SELECT * FROM kept")).toEqual([{ a: "there" }]);
  });

  test("what changes nothing is taken: the schema's version, and tables of a full-text index", async () => {
    await query("PRAGMA schema_version = 77");
    const made = await create("defended");
    await rows(made, "CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f VALUES ('word')");
    expect((await call(`/${made}/query`, { sql: "DELETE FROM f_data" })).status).toBe(400);
    expect(await rows(made, "SELECT a FROM f WHERE f MATCH 'word'")).toEqual([{ a: "word" }]);
  });

  test("a token that only reads changes nothing by any spelling", async () => {
    for (const sql of [
      "INSERT INTO kept VALUES (1)",
      "WITH x AS (SELECT 1) DELETE FROM kept",
      "PRAGMA user_version = 5",
      "CREATE TEMP TABLE x (a)",
      "SELECT 1; DROP TABLE kept",
      "ANALYZE",
      "DELETE FROM kept RETURNING a",
    ]) {
      const { status } = await call(`/${uuid}/query`, { sql }, { token: "look" });
      expect([400, 403], sql).toContain(status);
    }
    expect(
      await rows(uuid, "SELECT (SELECT count(*) FROM kept) AS n, user_version FROM pragma_user_version"),
    ).toEqual([{ n: 1, user_version: 0 }]);
  });

  test("names of prototypes are names like others", async () => {
    const made = await create("__proto__");
    await rows(made, 'CREATE TABLE "constructor" ("__proto__", "toString", "hasOwnProperty")');
    await call(`/${made}/query`, {
      sql: 'INSERT INTO "constructor" VALUES (?, ?, ?)',
      params: ["a", 1, null],
    });
    const [row] = await rows(made, 'SELECT * FROM "constructor"');
    expect(Object.entries(row ?? {})).toEqual([
      ["__proto__", "a"],
      ["toString", 1],
      ["hasOwnProperty", null],
    ]);
  });
});
