import { SELF } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test, vi } from "vitest";
import { BANK, documentedStatements, expectEffect } from "../../support/documented-statements.ts";
import { call, create, DATABASES, rows } from "./worker-api.ts";

let uuid: string;
let other: string;

beforeAll(async () => {
  other = await create("other");
  uuid = await create("main one");
  await rows(uuid, "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
});

// biome-ignore lint/suspicious/noExplicitAny: what the API answers is what is tested
async function exec(query: string, token = "all"): Promise<{ status: number; body: any }> {
  const url = `https://pagemark/exec?${new URLSearchParams({ query })}`;
  const answer = await SELF.fetch(url, { headers: { authorization: `Bearer ${token}` } });
  return { status: answer.status, body: await answer.json() };
}

test("E7 BACKUP DATABASE backs up one database, or all, and answers when it is done", async () => {
  const all = (await exec("BACKUP database;")).body;
  expect(all.dataset.map(([name]: string[]) => name)).toEqual(["other", "main one"]);
  expect(all.columns[0]).toEqual({ name: "database", type: "STRING" });
  expect((await exec('backup database "main one"')).body.count).toBe(1);
  expect((await exec("SHOW BACKUPS FROM 'main one'")).body.count).toBe(2);
  expect((await exec("SHOW DATABASES", "look")).body.count).toBe(2);
});

test("E1 E2 E3 E7 E8 each documented statement comes to what it says, or says that backups have one place here", async () => {
  const bank = await create("bank");
  await rows(bank, BANK.replace(/PRAGMA[^;]*;/, ""));
  for (const { name, statement, inOnePlace } of documentedStatements("s3://bucket")) {
    const { body } = await exec(statement);
    const dataset = body.dataset?.map((row: unknown[]) =>
      Object.fromEntries(row.map((value, at) => [body.columns[at].name, value])),
    );
    expectEffect({ name, effect: inOnePlace }, dataset ?? body.error.slice(body.error.lastIndexOf(" ") + 1));
  }
});

test("E7 takes commands only, and only from who may give them", async () => {
  for (const query of [
    "SELECT 1",
    "DROP TABLE t",
    "BACKUP TABLE t",
    "BACKUP DATABASE x; DROP TABLE t",
    "",
    "SHOW",
  ]) {
    expect((await exec(query)).status, query).toBe(400);
  }
  expect((await exec("BACKUP DATABASE", "look")).status).toBe(403);
  expect((await exec("BACKUP DATABASE", "wrong")).status).toBe(403);
  expect((await exec("BACKUP DATABASE missing")).status).toBe(404);
  expect((await SELF.fetch("https://pagemark/exec?query=SHOW%20DATABASES")).status).toBe(401);
});

test("E7 what is wrong is answered with the place of its word", async () => {
  const at = async (query: string) => {
    const { status, body } = await exec(query);
    return [status, body.position, body.error];
  };
  expect(await at("BACKUP DATABSE app")).toEqual([
    400,
    7,
    "DATABSE cannot stand here; expected DATABASE, TABLE, TO or INTO (position 7): STATEMENT_SYNTAX",
  ]);
  // In UTF-16 code units.
  expect((await at("/* \u{1f600} */ BACKUP DATABASE; DROP TABLE t"))[1]).toBe(26);
  const [status, position, error] = await at("BACKUP DATABASE other TO 's3://key:secret@bucket'");
  expect([status, position]).toEqual([400, 0]);
  expect(error).toContain("STATEMENT_UNSUPPORTED");
  expect(error).not.toContain("secret");
});

test("E2 E3 BACKUP TABLE and RESTORE TABLE are of single tables, from backups, history and other databases", async () => {
  const tables = await create("tables");
  const count = async (table: string) => (await rows(tables, `SELECT count(*) AS n FROM ${table}`))[0]?.n;
  await rows(tables, "CREATE TABLE people (id INTEGER PRIMARY KEY); INSERT INTO people VALUES (1), (2)");
  await rows(
    tables,
    "CREATE TABLE orders (who REFERENCES people); CREATE INDEX o ON orders (who); INSERT INTO orders VALUES (1), (2)",
  );
  const id = (await exec("BACKUP TABLE tables.orders")).body.dataset[0][1];
  await rows(tables, "DELETE FROM orders; INSERT INTO people VALUES (3)");
  const restored = (await exec(`RESTORE TABLE tables.orders AS OF SYSTEM TIME '${id}'`)).body;
  expect(restored.dataset.map((row: unknown[]) => row.slice(0, 3))).toEqual([["tables", "orders", 2]]);
  expect([await count("orders"), await count("people")]).toEqual([2, 3]);
  // Of the state before, which only history has.
  await exec(`RESTORE TABLE tables.orders AS OF SYSTEM TIME '${restored.dataset[0][4]}'`);
  expect([await count("orders"), await count("people")]).toEqual([0, 3]);
  // A partial backup is no database.
  const whole = await exec(`RESTORE DATABASE tables AS OF SYSTEM TIME '${id}'`);
  expect([whole.status, whole.body.error]).toEqual([400, expect.stringContaining("BACKUP_PARTIAL")]);
  await exec("BACKUP DATABASE tables");
  await rows(tables, "INSERT INTO people VALUES (4); INSERT INTO orders VALUES (4)");
  const { status, body } = await exec("RESTORE TABLE tables.people");
  expect([status, body.error]).toEqual([
    409,
    expect.stringMatching(/row 1 of orders refers to no row of people.*SOURCE_REFUSED/),
  ]);
  expect(await count("people")).toBe(4);
  const into = (await exec("RESTORE TABLE tables.people WITH into_db = 'other'")).body;
  expect(into.dataset[0].slice(0, 3)).toEqual(["other", "people", 3]);
  expect((await exec("RESTORE TABLE tables.none")).body.error).toContain("TABLE_UNKNOWN");
  // It is deleted as others are.
  const path = `/${tables}/backup/${id}`;
  expect((await call(`${path}/preview`)).body.errors[0].message).toContain("BACKUP_PARTIAL");
  expect((await call(path, undefined, { method: "DELETE" })).status).toBe(200);
  expect((await exec("SHOW BACKUPS FROM tables")).body.dataset.flat()).not.toContain(id);
  expect(
    (await env.BACKUPS.list({ prefix: "tables-" })).objects.every(({ key }) => !key.includes(".orders")),
  ).toBe(true);
});

test("E1 while single tables are backed up and restored, other databases answer", async () => {
  const large = await create("large");
  const numbers = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)";
  await rows(large, `CREATE TABLE t (a, b); ${numbers} INSERT INTO t SELECT i, hex(randomblob(100)) FROM n`);
  /** How often another one answered meanwhile. */
  const answeredDuring = async (statement: string) => {
    let isOver = false;
    const work = exec(statement).finally(() => {
      isOver = true;
    });
    let answers = 0;
    for (; !isOver; answers++) {
      await rows(other, "SELECT 1");
      await scheduler.wait(5);
    }
    expect((await work).status).toBe(200);
    return answers;
  };
  expect(await answeredDuring("BACKUP TABLE large.t")).toBeGreaterThan(2);
  expect(await answeredDuring("RESTORE TABLE large.t")).toBeGreaterThan(5);
});

test("B6 a schedule makes the first backup at once, two of one name are one, and what is dropped makes none", async () => {
  const times = "RECURRING '@daily' FULL BACKUP ALWAYS";
  const create = (name: string) => exec(`CREATE SCHEDULE ${name} FOR BACKUP DATABASE other ${times}`);
  const before = (await exec("SHOW BACKUPS FROM other")).body.count;
  const made = await Promise.all([create("nightly"), create("nightly"), create("weekly")]);
  expect(made.map(({ status }) => status).sort()).toEqual([200, 200, 400]);
  expect((await exec("PAUSE SCHEDULE weekly")).body.dataset[0]).toContain("paused");
  await vi.waitFor(
    async () => expect((await exec("SHOW BACKUPS FROM other")).body.count).toBeGreaterThan(before),
    { timeout: 20_000, interval: 300 },
  );
  const [backup] = (await call(`/${other}/backup`)).body.result;
  expect([backup.origin, backup.kind]).toEqual(["scheduled", "full"]);
  expect((await exec("SHOW SCHEDULES", "look")).body.dataset.map(([name]: string[]) => name).sort()).toEqual([
    "nightly",
    "weekly",
  ]);
  expect(
    (await exec(`CREATE SCHEDULE FOR BACKUP DATABASE other INTO 's3://x' ${times}`)).body.error,
  ).toContain("STATEMENT_UNSUPPORTED");
  expect((await exec("CREATE SCHEDULE FOR BACKUP RECURRING 'never'")).status).toBe(400);
  expect((await exec("DROP SCHEDULE nightly")).status).toBe(200);
  expect((await exec("DROP SCHEDULE nightly")).status).toBe(404);
});

test("E10 RESTORE DATABASE answers with every table and its rows, and can be undone", async () => {
  await rows(uuid, "CREATE VIRTUAL TABLE words USING fts5 (a)");
  await exec('BACKUP DATABASE "main one"');
  await rows(uuid, "CREATE TABLE later (a); INSERT INTO t VALUES (7)");
  const restored = (await exec('RESTORE DATABASE "main one"')).body;
  expect(restored.columns.map(({ name }: { name: string }) => name)).toEqual([
    "database",
    "table",
    "rows",
    "backup",
    "undo",
  ]);
  expect(restored.dataset.map((row: unknown[]) => row.slice(0, 3))).toEqual([
    ["main one", "t", 1],
    ["main one", "words", 0],
  ]);
  const made = (await exec("RESTORE DATABASE \"main one\" WITH new_db_name = 'made'")).body;
  expect(made.dataset.map((row: unknown[]) => row.slice(0, 3))).toEqual([
    ["made", "t", 1],
    ["made", "words", 0],
  ]);
  expect((await exec("RESTORE DATABASE \"main one\" WITH new_db_name = 'made'")).body.error).toMatch(
    /DATABASE_EXISTS/,
  );
  const undo = restored.dataset[0][4];
  const undone = (await exec(`RESTORE DATABASE "main one" AS OF SYSTEM TIME '${undo}'`)).body;
  expect(undone.dataset.map((row: unknown[]) => row.slice(1, 3))).toEqual([
    ["later", 0],
    ["t", 2],
    ["words", 0],
  ]);
  await rows(uuid, "DROP TABLE later; DROP TABLE words; DELETE FROM t WHERE a = 7");
  expect((await exec('RESTORE DATABASE "main one"', "look")).status).toBe(403);
  expect((await exec("BACKUP DATABASE other AS OF SYSTEM TIME '-1h'")).body.error).toMatch(
    /TIME_BEFORE_FIRST/,
  );
});

test("E8 a checkpoint holds one state to be copied while writes go on, in both spellings", async () => {
  for (const [create, release] of [
    ["CHECKPOINT CREATE", "CHECKPOINT RELEASE"],
    ["SNAPSHOT PREPARE", "SNAPSHOT COMPLETE"],
  ]) {
    const [first] = (await exec(`${create} "main one"`)).body.dataset;
    const bookmark = first[2];
    expect((await exec(`${create} "main one"`)).body.error).toContain("CHECKPOINT_EXISTS");
    await rows(uuid, "INSERT INTO t VALUES (2)");
    const copy = () =>
      SELF.fetch(`${DATABASES}/${uuid}/download?at=${bookmark}`, {
        headers: { authorization: "Bearer look" },
      });
    const before = await (await copy()).arrayBuffer();
    await rows(uuid, "INSERT INTO t VALUES (3)");
    expect(await (await copy()).arrayBuffer()).toEqual(before);
    const status = (await exec("SELECT * FROM checkpoint_status()", "look")).body.dataset;
    expect(status.find(([name]: string[]) => name === "main one")).toEqual(first.with(1, true));
    expect((await exec(`${release} "main one"`)).status).toBe(200);
    expect((await exec(`${release} "main one"`)).body.error).toContain("CHECKPOINT_NONE");
  }
});
