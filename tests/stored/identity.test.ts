// Whether databases that are no files are those whose backups go by that name.
import { memory, memoryStore, pagemark } from "pagemark";
import { Database } from "pagemark/engine";
import { expect, test } from "vitest";

async function imageOf(sql: string): Promise<Uint8Array> {
  using db = await Database.open();
  db.exec(sql);
  return db.serialize();
}

const SHOP = "CREATE TABLE orders (a); INSERT INTO orders VALUES (1), (2)";

test("an image in memory is taken for itself while it has tables or rows in common, and refused otherwise", async () => {
  const store = memoryStore();
  const at = async (sql: string) => pagemark(memory(await imageOf(sql), { name: "shop" }), { store });
  await (await at(SHOP)).backup();
  await (await at(`${SHOP}; INSERT INTO orders VALUES (3); CREATE TABLE more (a)`)).backup();
  const other = await at("CREATE TABLE users (a); INSERT INTO users VALUES ('x')");
  await expect(other.backup()).rejects.toMatchObject({ code: "OTHER_DATABASE", at: { name: "shop" } });
  expect((await Array.fromAsync(other.backups())).length).toBe(2);
  expect(await other.backup({ sameDatabase: true })).toMatchObject({ kind: "incremental" });
  expect(await other.backup()).toMatchObject({ changedPages: 0 });
});

test("an empty database that has grown is itself", async () => {
  const store = memoryStore();
  const at = async (sql: string) => pagemark(memory(await imageOf(sql), { name: "shop" }), { store });
  await (await at("PRAGMA user_version = 1")).backup();
  await (await at(SHOP)).backup();
});

test("a database of the engine is known by its lineage, whatever becomes of its tables", async () => {
  const store = memoryStore();
  const db = await Database.open({ name: "shop" });
  db.exec(SHOP);
  await db.backup({ store });
  db.exec("DROP TABLE orders; CREATE TABLE users (a); INSERT INTO users VALUES ('x')");
  await db.backup({ store });
  db.close();
  using other = await Database.open({ name: "shop" });
  other.exec("CREATE TABLE others (a); INSERT INTO others VALUES ('y')");
  await expect(other.backup({ store })).rejects.toMatchObject({ code: "OTHER_DATABASE" });
});

test("a chain from before databases were told apart is looked at, and lenient where its contents are lost", async () => {
  const store = memoryStore();
  const at = async (sql: string) => pagemark(memory(await imageOf(sql), { name: "shop" }), { store });
  await (await at(SHOP)).backup();
  await withoutIdentity(store);
  await expect((await at("CREATE TABLE users (a)")).backup()).rejects.toMatchObject({
    code: "OTHER_DATABASE",
  });
  await (await at(`${SHOP}; INSERT INTO orders VALUES (3)`)).backup();
});

/** As an older version would have written its record. */
async function withoutIdentity(store: ReturnType<typeof memoryStore>): Promise<void> {
  const key = "shop/pagemark/0000000000000001.json";
  const text = await new Response(await store.get(key)).text();
  const { identity: _, free: __, ...backup } = JSON.parse(text).backup;
  const json = JSON.stringify(backup);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(json));
  const sha256 = Buffer.from(digest).toString("hex");
  await store.delete(key);
  await store.put(key, new TextEncoder().encode(`{"backup":${json},"sha256":"${sha256}"}\n`));
}
