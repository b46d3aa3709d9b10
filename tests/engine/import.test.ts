// SQL and files as callers have them, handed to import() and load().
import { Database } from "pagemark/engine";
import { expect, test } from "vitest";
import { column, rejectionOf } from "./support.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const stream = (...chunks: unknown[]) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk as Uint8Array);
      controller.close();
    },
  } satisfies UnderlyingDefaultSource<Uint8Array>);
async function* generated(...chunks: string[]) {
  yield* chunks;
}

const SQL = "CREATE TABLE t (a); INSERT INTO t VALUES ('é€😀');";

test.each<[string, () => Parameters<Database["import"]>[0]]>([
  ["a string", () => SQL],
  ["a Uint8Array", () => bytes(SQL)],
  ["a Buffer", () => Buffer.from(SQL)],
  ["an ArrayBuffer", () => bytes(SQL).buffer],
  ["a DataView within more", () => new DataView(bytes(`xx${SQL}`).buffer, 2)],
  ["a Blob", () => new Blob([SQL])],
  ["a File", () => new File([SQL], "x.sql")],
  ["a Response", () => new Response(SQL)],
  ["a promise", () => Promise.resolve(SQL)],
  ["a promise of a Response", () => Promise.resolve(new Response(SQL))],
  ["a stream of bytes", () => stream(bytes(SQL.slice(0, 9)), bytes(SQL.slice(9)))],
  ["a stream of strings", () => stream(SQL.slice(0, 9), SQL.slice(9))],
  ["a stream of ArrayBuffers", () => stream(bytes(SQL).buffer)],
  ["a generator", () => generated(SQL.slice(0, 9), SQL.slice(9))],
  ["UTF-16", () => Buffer.from(`\ufeff${SQL}`, "utf16le")],
])("import() takes %s", async (_name, sql) => {
  using db = await Database.open();
  expect(await db.import(sql())).toEqual({ statements: 2, changes: 1, lastInsertRowid: 1, warnings: [] });
  expect(column(db, "SELECT a FROM t")).toEqual(["é€😀"]);
});

const given = () => {
  const buffer = bytes(SQL).buffer;
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
};
const locked = () => {
  const body = stream(bytes(SQL));
  body.getReader();
  return body;
};

test.each<[string, () => unknown]>([
  ["nothing", () => undefined],
  ["null", () => null],
  ["a number", () => 5],
  ["an object", () => ({ sql: SQL })],
  ["an array of strings", () => [SQL]],
  ["a function", () => () => SQL],
  ["bytes that were given away", given],
  ["a stream that is read", locked],
  ["an answer that failed", () => new Response("not found", { status: 404 })],
  ["a stream of objects", () => stream({})],
])("import() and load() refuse %s with USAGE, and change nothing", async (_name, input) => {
  using db = await Database.open();
  for (const call of [(value: never) => db.import(value), (value: never) => db.load(value)]) {
    expect((await rejectionOf(call(input() as never))).code).toBe("USAGE");
    expect(db.states()).toEqual([]);
    db.exec("SELECT 1");
  }
});

test("load() takes a file in every form of bytes, and no text", async () => {
  using made = await Database.open();
  made.exec(SQL);
  const file = made.serialize() as Uint8Array<ArrayBuffer>;
  for (const form of [
    file,
    file.slice().buffer,
    new Blob([file]),
    new Response(file),
    Promise.resolve(file),
  ]) {
    using db = await Database.open();
    await db.load(form);
    expect(db.serialize().length).toBe(file.length);
    expect(column(db, "SELECT a FROM t")).toEqual(["é€😀"]);
  }
  using db = await Database.open();
  expect((await rejectionOf(db.load(SQL as never))).code).toBe("USAGE");
});

test.each([
  ["a SQLite file", () => Buffer.from(`SQLite format 3\0${"\0".repeat(4080)}`), /a SQLite database file/],
  ["gzip", () => Buffer.from([0x1f, 0x8b, 8, 0, 0]), /compressed with gzip/],
  ["zip", () => Buffer.from("PK\x03\x04\x14\0"), /compressed with zip/],
  ["an image", () => Buffer.from("\x89PNG\r\n\x1a\n\0\0", "latin1"), /not text/],
  ["UTF-16 that is cut off", () => Buffer.from(SQL, "utf16le").subarray(0, 31), /UTF-16 that is damaged/],
])("%s is named, where SQL should be", async (_name, sql, words) => {
  using db = await Database.open();
  const error = await rejectionOf(db.import(sql()));
  expect(error.code).toBe("IMPORT_FORMAT");
  expect(error.message).toMatch(words);
  expect(error.message.length).toBeLessThan(200);
});

test("what is wrong is said once, in a line of bounded length", async () => {
  using db = await Database.open();
  const long = "x".repeat(1_000_000);
  for (const sql of [
    `SELECT * FROM ${long}`,
    `CREATE TABLE t (a);\nINSERT INTO t VALUES ('${long}`,
    `\n${long}\n;`,
    `SELECT '\n${"\u0001".repeat(500)}' FROM nowhere;`,
    `.read ${long}`,
    `BEGIN; ROLLBACK; -- ${long}`,
    `SAVEPOINT ${long}`,
  ]) {
    const { message } = await rejectionOf(db.import(sql));
    expect(message.length, message).toBeLessThan(700);
    expect(message).not.toMatch(/\n/);
    for (const words of ["line", "in: ", "nothing of it stays"])
      expect(message.split(words).length, message).toBeLessThan(4);
  }
});

test("a stream that fails in the middle leaves nothing, and the database goes on", async () => {
  using db = await Database.open();
  db.exec("CREATE TABLE kept (a)");
  const failing = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(bytes("CREATE TABLE t (a); PRAGMA query_only = 1;"));
      controller.error(new Error("the network is gone"));
    },
  });
  await expect(db.import(failing)).rejects.toThrow("the network is gone");
  const given = new AbortController();
  given.abort(new Error("enough"));
  await expect(db.import(SQL, { signal: given.signal })).rejects.toThrow("enough");
  db.exec("INSERT INTO kept VALUES (1)");
  expect(column(db, "SELECT name FROM sqlite_schema")).toEqual(["kept"]);
});

test("while an import waits for more, the database takes nothing else; closing it ends the import", async () => {
  const db = await Database.open();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const importing = db.import(readable);
  const writer = writable.getWriter();
  await writer.write(bytes("CREATE TABLE t (a);"));
  await expect.poll(() => thrownCode(() => db.exec("SELECT 1"))).toBe("ENGINE_BUSY");
  expect((await rejectionOf(db.import(SQL))).code).toBe("ENGINE_BUSY");
  db.close();
  const ended = rejectionOf(importing);
  await writer.write(bytes("INSERT INTO t VALUES (1);")).catch(() => {});
  expect((await ended).code).toBe("ENGINE_CLOSED");
});

function thrownCode(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "";
}
