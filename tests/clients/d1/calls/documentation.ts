// What D1's documentation shows, in its own tables and words.
import type { D1Database } from "@cloudflare/workers-types";
import type { Calls } from "./call.ts";

/** The tutorial's table. */
async function customers(db: D1Database): Promise<D1Database> {
  await db.batch([
    db.prepare("DROP TABLE IF EXISTS made"),
    db.prepare("CREATE TABLE made (CustomerId INTEGER PRIMARY KEY, CompanyName TEXT, ContactName TEXT)"),
    db.prepare(
      `INSERT INTO made (CustomerID, CompanyName, ContactName) VALUES (1, 'Alfreds Futterkiste', 'Maria Anders'),
        (4, 'Around the Horn', 'Thomas Hardy'), (11, 'Bs Beverages', 'Victoria Ashworth'), (13, 'Bs Beverages', 'Random Name')`,
    ),
  ]);
  return db;
}

/** The table of its pages on JSON. */
async function logs(db: D1Database): Promise<D1Database> {
  await db.batch([
    db.prepare("DROP TABLE IF EXISTS made2"),
    db.prepare(
      `CREATE TABLE made2 (id INTEGER PRIMARY KEY, measurement TEXT,
        city TEXT AS (json_extract(measurement, '$.location')) STORED, temp AS (measurement ->> '$.temp_f'))`,
    ),
    db.prepare("INSERT INTO made2 (measurement) VALUES (?)").bind(
      JSON.stringify({
        temp_f: "77.4",
        aqi: [21, 42, 58],
        o3: [18, 500],
        wind_mph: "13",
        location: "US-NY",
      }),
    ),
  ]);
  return db;
}

export const documentation: Calls = {
  "documentation: a prepared statement with a bound value": async (db) => {
    const company = "Bs Beverages";
    const statement = (await customers(db)).prepare("SELECT * FROM made WHERE CompanyName = ?").bind(company);
    return statement.all();
  },
  "documentation: ordered parameters": async (db) =>
    (await customers(db))
      .prepare("SELECT * FROM made WHERE CompanyName = ?2 AND CustomerId = ?1")
      .bind(11, "Bs Beverages")
      .run(),
  "documentation: anonymous parameters": async (db) =>
    (await customers(db))
      .prepare("SELECT * FROM made WHERE CompanyName = ? AND CustomerId = ?")
      .bind("Bs Beverages", 11)
      .run(),
  "documentation: static statements": async (db) =>
    (await customers(db)).prepare("SELECT * FROM made WHERE CompanyName = 'Bs Beverages'").all(),
  "documentation: first of a count": async (db) =>
    (await customers(db)).prepare("SELECT COUNT(*) AS total FROM made").first("total"),
  "documentation: a typed result": async (db) => {
    type Row = { CompanyName: string };
    const { results } = await (await customers(db))
      .prepare("SELECT CompanyName FROM made LIMIT 2")
      .all<Row>();
    return results.map(({ CompanyName }) => CompanyName);
  },
  "documentation: raw with column names": async (db) =>
    (await customers(db))
      .prepare("SELECT * FROM made WHERE CompanyName = ?1")
      .bind("Bs Beverages")
      .raw({ columnNames: true }),
  "documentation: a batch": async (db) => {
    const statement = (await customers(db)).prepare("SELECT * FROM made WHERE CompanyName = ?1");
    return db.batch([
      statement.bind("Bs Beverages"),
      statement.bind("Around the Horn"),
      db.prepare("UPDATE made SET ContactName = ? WHERE CustomerId = ?").bind("x", 1),
    ]);
  },
  "documentation: exec of a script": async (db) => {
    await customers(db);
    return db.exec("INSERT INTO made VALUES (20, 'a', 'b');\nDELETE FROM made WHERE CustomerId = 20;");
  },
  "documentation: a session from the primary": async (db) => {
    await customers(db);
    const session = db.withSession("first-primary");
    const result = await session.prepare("SELECT * FROM made WHERE CompanyName = 'Bs Beverages'").run();
    return [result.meta.served_by_primary, result.results, typeof session.getBookmark()];
  },
  "documentation: a session that is continued": async (db) => {
    await customers(db);
    const first = db.withSession("first-unconstrained");
    await first.prepare("SELECT 1").run();
    const session = db.withSession(first.getBookmark() ?? "first-unconstrained");
    return session.batch([
      session.prepare("INSERT INTO made VALUES (21, 'c', 'd')"),
      session.prepare("SELECT count(*) AS n FROM made"),
    ]);
  },
  "documentation: json_extract, -> and ->>": async (db) =>
    (await logs(db))
      .prepare(
        "SELECT json_extract(measurement, '$.aqi[1]') AS a, measurement -> '$.aqi' AS b, measurement ->> '$.location' AS c FROM made2",
      )
      .first(),
  "documentation: generated columns": async (db) =>
    (await logs(db)).prepare("SELECT city, temp FROM made2").all(),
  "documentation: lengths, inserts and replacements in JSON": async (db) =>
    (await logs(db))
      .prepare(
        `SELECT json_array_length(measurement, '$.aqi') AS n, json_insert('[1]', '$[#]', 2) AS i,
          json_set('{"a": 1}', '$.a', 2) AS s, json_type(measurement, '$.aqi') AS t, json_valid('{') AS v FROM made2`,
      )
      .first(),
  "documentation: rows of an array with json_each": async (db) =>
    (await customers(db))
      .prepare("SELECT ContactName FROM made WHERE CustomerId IN (SELECT value FROM json_each(?1))")
      .bind("[1, 4]")
      .all(),
  "documentation: rows made of JSON": (db) =>
    db.prepare("SELECT json_group_array(name) AS names, json_object('n', count(*)) AS n FROM users").first(),
  "documentation: foreign keys that are deferred": async (db) =>
    db.batch([
      db.prepare("PRAGMA defer_foreign_keys = on"),
      db.prepare("INSERT INTO posts VALUES (50, 60, 'early')"),
      db.prepare("INSERT INTO users (id, name) VALUES (60, 'late')"),
    ]),
  "documentation: PRAGMA table_xinfo": (db) => db.prepare("PRAGMA table_xinfo(users)").raw(),
  "documentation: PRAGMA index_list": (db) => db.prepare("PRAGMA index_list(users)").all(),
  "documentation: PRAGMA index_info": (db) => db.prepare("PRAGMA index_info(users_age)").all(),
  "documentation: PRAGMA foreign_key_check": (db) => db.prepare("PRAGMA foreign_key_check").all(),
  "documentation: PRAGMA foreign_key_list": (db) => db.prepare("PRAGMA foreign_key_list(posts)").all(),
  // Of its result only: D1 has tables of its own in the database, whose rows it reads, too.
  "documentation: PRAGMA quick_check": (db) => db.prepare("PRAGMA quick_check").raw(),
  "documentation: PRAGMA optimize": async (db) => (await db.prepare("PRAGMA optimize").run()).success,
  "documentation: an index, and the plan that uses it": async (db) => {
    await (await customers(db)).prepare("CREATE INDEX made_company ON made (CompanyName)").run();
    const plan = await db
      .prepare("EXPLAIN QUERY PLAN SELECT * FROM made WHERE CompanyName = 'x'")
      .all<{ detail: string }>();
    return plan.results.map(({ detail }) => detail);
  },
  "documentation: an error and its message": (db) =>
    db.exec("INSERTZ INTO my_table (name, employees) VALUES ()").catch(({ message }: Error) => message),
};
