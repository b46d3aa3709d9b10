// A Worker of an application, bound to D1 and to Pagemark: does one thing on one of them for each request.
import { d1Database } from "pagemark/client";

const FILL = `WITH n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
  INSERT INTO items SELECT i, 'item number ' || i, i * 7919, i * 0.25, randomblob(450) || zeroblob(450) FROM n`;
const INSERT = "INSERT INTO items (name, number) VALUES (?, ?)";

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const db = searchParams.get("on") === "d1" ? env.D1 : d1Database(env.PAGEMARK);
    const number = (name) => Number(searchParams.get(name));
    return Response.json(await does[pathname.slice(1)](db, number, env));
  },
};

const does = {
  create: (db) =>
    db.exec("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, number INTEGER, amount REAL, body BLOB)"),
  fill: async (db, number) => (await db.prepare(FILL).bind(number("from"), number("to")).run()).meta,
  get: (db, number) =>
    db.prepare("SELECT id, name, number, amount FROM items WHERE id = ?").bind(number("id")).first(),
  insert: async (db, number) => (await db.prepare(INSERT).bind("a new one", number("id")).run()).meta,
  bulk: async (db, number) => {
    const insert = db.prepare(INSERT);
    return (
      await db.batch(Array.from({ length: 100 }, (_, n) => insert.bind(`one of many ${n}`, number("id"))))
    ).length;
  },
  update: async (db, number) =>
    (
      await db
        .prepare("UPDATE items SET number = number + 1 WHERE id BETWEEN ?1 AND ?1 + 399")
        .bind(number("id"))
        .run()
    ).meta,
  async download(_, _number, env) {
    let bytes = 0;
    for await (const chunk of await env.PAGEMARK.download()) bytes += chunk.length;
    return bytes;
  },
};
