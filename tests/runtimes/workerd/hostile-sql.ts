// Statements that take as much as they can of the Worker: each function, table and PRAGMA that there is, with arguments
// that are long, deep, extreme or of the wrong type, again and again without an end.

/** What `pragma_function_list` says of one. */
export interface SqlFunction {
  name: string;
  /** `s`, `w` or `a`: of one row, over a window, or of many rows. */
  type: string;
  /** How many arguments; -1 for any number. */
  narg: number;
}

/** Columns of `l`: what arguments are made of. */
const LARGE = {
  text: "printf('%.*c', 1000000, 'a')",
  needle: "printf('%.*c', 500000, 'a') || 'b'",
  blob: "zeroblob(1000000)",
  json: "'[' || printf('%.*c', 1000000, ' ') || '[1,{\"a\":[2,\"x\"]}]]'",
  deep: "replace(printf('%.*c', 900, 'x'), 'x', '[') || replace(printf('%.*c', 900, 'x'), 'x', ']')",
  date: "'2026-11-29 23:59:59.999'",
  path: "'$[1].a[#-1]'",
} as const;
const ROWS = `n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n),
  l (${Object.keys(LARGE).join(", ")}) AS MATERIALIZED (SELECT ${Object.values(LARGE).join(", ")})`;

/** Arguments, as many of them as a function takes, the last one again for those beyond. */
const ARGUMENTS: readonly (readonly string[])[] = [
  ["l.text", "l.needle", "l.text"],
  ["l.text", "9223372036854775807", "-9223372036854775807"],
  ["1000000 + i", "l.text", "l.blob"],
  ["i", "i", "i"],
  ["i * 1.5e300", "30", "l.text"],
  ["l.blob", "l.blob", "'x'"],
  ["l.json", "l.path", "l.json"],
  ["l.deep", "'$' || l.deep", "l.deep"],
  ["l.date", "'+1 month'", "'weekday 0'"],
  ["'%.*c%!.20f%j'", "1000000", "l.text"],
  ["'%' || i || 'd%s%Q%w'", "i", "l.text"],
  ["NULL", "l.text", "NULL"],
];
const MOST_ARGUMENTS = 3;

/** Calls of a function that would go on for ever. */
export function endlessCalls({ name, type, narg }: SqlFunction): string[] {
  const count = narg < 0 ? MOST_ARGUMENTS : narg;
  const calls = ARGUMENTS.map((list) => {
    const given = Array.from({ length: count }, (_, at) => list[at] ?? list.at(-1) ?? "i");
    return `"${name}"(${given.join(", ")})`;
  });
  return [...new Set(calls)].map((call) => {
    if (type === "s") return `WITH ${ROWS} SELECT count(${call}) FROM n CROSS JOIN l`;
    if (type === "a") return `WITH ${ROWS} SELECT ${call} FROM n CROSS JOIN l`;
    return `WITH ${ROWS}, some AS (SELECT i FROM n LIMIT 100000000)
      SELECT count(v) FROM (SELECT ${call} OVER (ORDER BY i ROWS BETWEEN 1000 PRECEDING AND 500 PRECEDING) AS v FROM some AS n CROSS JOIN l)`;
  });
}

/** Reads of a table that is a function, such as `json_tree`. */
export function endlessReads(module: string): string[] {
  return ["", "(l.json)", "(l.deep)", "(l.text, l.path)", "(1, 9223372036854775807)"].map(
    (given) => `WITH ${ROWS} SELECT count(*) FROM n CROSS JOIN l CROSS JOIN "${module}"${given} AS m`,
  );
}

/** All that a PRAGMA takes, and the table that it is. */
export function pragmas(name: string): string[] {
  const values = ["1", "0", "-1", "0x10002", "'main'", "memory", "1e999", "9223372036854775807"];
  return [
    `PRAGMA ${name}`,
    ...values.flatMap((value) => [`PRAGMA ${name} = ${value}`, `PRAGMA main.${name}(${value})`]),
    `SELECT * FROM pragma_${name}`,
    ...values.map((value) => `SELECT count(*) FROM pragma_${name}(${value})`),
  ];
}

const long = (length: number, letter = "x") => `printf('%.*c', ${length}, '${letter}')`;
const many = (count: number, text: string) => `replace(${long(count)}, 'x', '${text}')`;
const terms = (depth: number, at: number): string =>
  depth === 0 ? `a > b + ${at}` : `(${terms(depth - 1, 2 * at)} AND ${terms(depth - 1, 2 * at + 1)})`;

/** What takes seconds within one call, one instruction, or before there is one. `t` has some MB. */
export const SINGLE: Readonly<Record<string, string>> = {
  unhex: `SELECT unhex(${long(200_000, "z")}, ${long(200_000, "y")} || 'z')`,
  LIKE: `SELECT ${long(4_000_000, "a")} LIKE '%a${"_".repeat(240)}b'`,
  GLOB: `SELECT ${long(4_000_000, "a")} GLOB '*[${"b".repeat(240)}]'`,
  json_patch: `SELECT json_patch('{' || ${many(30_000, '"a":1,')} || '"a":1}', '{' || ${many(30_000, '"b":1,')} || '"b":1}')`,
  json_extract: `WITH l (x) AS MATERIALIZED (SELECT '{' || ${many(300_000, '"a":1,')} || '"b":1}')
    SELECT json_extract(x${", '$.c'".repeat(999)}) FROM l`,
  json_remove: `WITH l (x) AS MATERIALIZED (SELECT '{' || ${many(300_000, '"a":1,')} || '"b":1}')
    SELECT json_remove(x${", '$.c'".repeat(999)}) FROM l`,
  json_replace: `WITH l (x) AS MATERIALIZED (SELECT '{' || ${many(300_000, '"a":1,')} || '"b":1}')
    SELECT json_replace(x${", '$.c', 1".repeat(499)}) FROM l`,
  printf: `WITH l (x) AS MATERIALIZED (SELECT ${long(3_000_000, "a")})
    SELECT printf('${"%!.16000000s".repeat(998)}'${", x".repeat(998)}) FROM l`,
  "a full-text query": `SELECT count(*) FROM f WHERE f MATCH 'word' || ${many(40_000, " OR word")}`,
  "comparing long texts": `WITH l (x) AS MATERIALIZED (SELECT ${long(2_000_000, "a")}) ${Array.from(
    { length: 20 },
    () => `SELECT max(x${", x".repeat(998)}) FROM l`,
  ).join(" UNION ALL ")}`,
  integrity_check: "PRAGMA integrity_check;".repeat(60),
  dbstat: "SELECT count(*) FROM dbstat;".repeat(200),
  "compiling many terms": `SELECT * FROM t WHERE ${terms(11, 1)};`.repeat(40),
  "a statement of over 100 kB": `SELECT * FROM t WHERE ${terms(15, 1)}`,
  "compiling window functions": `SELECT ${Array.from({ length: 1900 }, (_, at) => `sum(${at}) OVER (ORDER BY b + ${at})`)} FROM t`,
  "replacing each letter": `WITH l (x) AS MATERIALIZED (SELECT ${long(4_000_000, "a")})
    SELECT ${Array.from({ length: 50 }, () => "replace(x, 'a', '')").join(" || ")} FROM l`,
  "sorting many small rows": `WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000)
    SELECT i FROM n ORDER BY random()`,
  "opening cursors": `SELECT count(*) FROM t WHERE ${Array.from({ length: 500 }, (_, at) => `NOT EXISTS (SELECT 1 FROM t AS u WHERE u.a = t.a AND u.b = ${at})`).join(" AND ")}`,
};

/** What else takes long, or writes. */
export const OTHERS: readonly string[] = [
  `WITH ${ROWS} SELECT i FROM n ORDER BY i`,
  `WITH ${ROWS} SELECT DISTINCT i % 100000 FROM n`,
  `WITH ${ROWS} SELECT count(*) FROM (SELECT i % 1000 FROM n UNION SELECT i FROM n)`,
  `WITH ${ROWS} SELECT count(*) FROM (SELECT i FROM n EXCEPT SELECT i + 1 FROM n)`,
  `WITH ${ROWS} SELECT group_concat(i) FROM n GROUP BY i % 7`,
  `WITH ${ROWS} SELECT count(*) FROM n CROSS JOIN l WHERE l.text LIKE '%a%a%a%a%b'`,
  `WITH ${ROWS} SELECT count(*) FROM n CROSS JOIN l WHERE l.text GLOB '*a*a*a*b'`,
  `WITH ${ROWS} SELECT count(*) FROM n CROSS JOIN l WHERE l.text = l.needle || i`,
  `WITH ${ROWS} SELECT count(l.text || i) FROM n CROSS JOIN l`,
  `WITH ${ROWS} SELECT count(*) FROM n CROSS JOIN l WHERE l.text COLLATE NOCASE > l.needle COLLATE NOCASE`,
  `WITH ${ROWS} SELECT count(l.text COLLATE RTRIM = l.needle) FROM n CROSS JOIN l`,
  `WITH ${ROWS} SELECT count(CAST(l.text AS REAL) + CAST(l.blob AS TEXT)) FROM n CROSS JOIN l`,
  `WITH ${ROWS} SELECT count(l.json -> '$[1]') FROM n CROSS JOIN l`,
  `WITH ${ROWS} SELECT count(l.json ->> '$[1].a[0]') FROM n CROSS JOIN l`,
  `WITH ${ROWS} SELECT count(*) FROM n AS a, n AS b, n AS c WHERE a.i + b.i = c.i`,
  `WITH ${ROWS} SELECT count(*) FROM n WHERE i IN (SELECT i FROM n LIMIT 1000000)`,
  `WITH RECURSIVE t (x) AS (SELECT printf('%.*c', 1000, 'a') UNION SELECT substr(x || random(), -1000) FROM t) SELECT count(*) FROM t`,
  `WITH RECURSIVE t (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t ORDER BY 1 DESC) SELECT count(*) FROM t`,
  `SELECT ${Array.from({ length: 500 }, () => "(SELECT count(*) FROM sqlite_schema, sqlite_schema, sqlite_schema)").join(" + ")}`,
  `SELECT 1 ${"UNION SELECT random() ".repeat(400)}`,
  `SELECT ${"(".repeat(90)}1${")".repeat(90)}`,
  "SELECT count(*) FROM f WHERE f MATCH 'word*'",
  "SELECT highlight(f, 0, printf('%.*c', 100000, 'x'), 'y'), snippet(f, 0, 'a', 'b', 'c', 60) FROM f WHERE f MATCH 'word'",
  "SELECT * FROM f WHERE f MATCH printf('%.*c', 100000, '(')",
  `SELECT * FROM f WHERE f MATCH 'word ${"OR word ".repeat(5000)}'`,
  "SELECT zeroblob(2000000000)",
  "SELECT randomblob(16000000) || randomblob(16000000)",
  "INSERT INTO t VALUES (1, 2)",
  "INSERT INTO f (f) VALUES ('optimize')",
  "INSERT INTO f (f, rank) VALUES ('merge', 500)",
  "WITH x AS (SELECT 1) DELETE FROM t",
  "UPDATE t SET a = 2 RETURNING a",
  "EXPLAIN INSERT INTO t VALUES (1, 2)",
  "CREATE TEMP TABLE u (a)",
  "CREATE TABLE u AS SELECT 1",
  "CREATE VIRTUAL TABLE u USING fts5 (a)",
  "ALTER TABLE t RENAME TO u",
  "DROP TABLE t",
  "ANALYZE",
  "REINDEX",
  "VACUUM",
  "VACUUM INTO '/x'",
  "ATTACH ':memory:' AS other",
  "DETACH main",
  "BEGIN IMMEDIATE",
  "SAVEPOINT a",
  "COMMIT",
  "SELECT load_extension('x')",
  "SELECT fts5(?)",
  "SELECT rtreecheck('t')",
];
