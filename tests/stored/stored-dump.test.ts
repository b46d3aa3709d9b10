// A dump of a stored backup reads what it needs of it, in few requests, and nothing else.
import { join } from "node:path";
import { file, memoryStore, pagemark } from "pagemark";
import { beforeAll, expect, test } from "vitest";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";
import { counting, type Get } from "./chains.ts";

/** Requests for the indexes of five LTX files, and for the schema. */
const OPENING = 10;

const store = memoryStore();
const folder = tempFolder();
let size: number;

beforeAll(async () => {
  const path = join(folder, "app.db");
  // Rows as they grow, rows in no order, and values longer than a page: random, so that they hardly compress.
  runSql(
    path,
    `${tableSql("grown", 20_000, 300)}
     CREATE TABLE keyed (key TEXT PRIMARY KEY, payload) WITHOUT ROWID;
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
       INSERT INTO keyed SELECT printf('%08x', i * 2654435761 % 4294967296), randomblob(300) FROM n;
     CREATE TABLE large (id INTEGER PRIMARY KEY, body BLOB);
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
       INSERT INTO large SELECT i, randomblob(i * 3000) FROM n;
     CREATE TABLE small (a); INSERT INTO small VALUES (1), (2);`,
  );
  const db = pagemark(file(path), { name: "app", store });
  await db.backup();
  for (let round = 0; round < 4; round++) {
    runSql(path, `UPDATE grown SET note = 'round ${round}' WHERE id % 97 = ${round}`);
    await db.backup();
  }
  const sizes = (await store.list("app/ltx/")).objects.map((object) => object.size);
  size = sizes.reduce((sum, each) => sum + each, 0);
}, 60_000);

test("D15 a few requests a megabyte, and the SQL is that of the file itself", async () => {
  const { sql, gets } = await dumped();
  const fromFile = await text(await pagemark(file(join(folder, "app.db")), { name: "app", store }).dump());
  expect(sql === fromFile).toBe(true);
  expect(gets.length / (size / 1e6)).toBeLessThanOrEqual(10);
  // Of the table in no order some pages come too late to be kept.
  expect(bytesOf(ofLtx(gets))).toBeLessThanOrEqual(size * 1.7);
});

test("D15 at most three requests a megabyte for rows in the order of their keys, and hardly a byte twice", async () => {
  const { gets } = await dumped({ tables: ["grown", "large"] });
  const taken = bytesOf(ofLtx(gets));
  expect(ofLtx(gets).length / (taken / 1e6)).toBeLessThanOrEqual(3 + OPENING / (taken / 1e6));
  expect(taken).toBeLessThanOrEqual(size * 0.75);
});

test("D11 of a table alone hardly more is read than it takes", async () => {
  const { sql, gets } = await dumped({ tables: ["large"] });
  expect(sql.match(/^CREATE TABLE.*$/gm)).toEqual([
    "CREATE TABLE large (id INTEGER PRIMARY KEY, body BLOB);",
  ]);
  const taken = (60 * 61 * 3000) / 2;
  const indexes = 0.2e6;
  expect(bytesOf(ofLtx(gets))).toBeLessThanOrEqual(taken * 1.2 + indexes);
});

test("D10 of the schema alone hardly anything is read", async () => {
  const { gets } = await dumped({ noData: true });
  expect(ofLtx(gets).length).toBeLessThanOrEqual(OPENING + 2);
  expect(bytesOf(ofLtx(gets))).toBeLessThanOrEqual(size / 20);
});

async function dumped(options: { tables?: string[]; noData?: boolean } = {}) {
  const counted = counting(store);
  const db = pagemark(file(join(folder, "app.db")), { name: "app", store: counted.store });
  const sql = await text(await db.dump({ at: "latest", ...options }));
  return { sql, gets: counted.gets };
}

function text(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}

function ofLtx(gets: Get[]): Get[] {
  return gets.filter(({ key }) => key.endsWith(".ltx"));
}

function bytesOf(gets: Get[]): number {
  return gets.reduce((sum, { length }) => sum + (Number.isNaN(length) ? 0 : length), 0);
}
