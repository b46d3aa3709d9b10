// What ORMs and adapters made for D1 do with a database, each with its own words. Bundled for workerd.
import { D1Adapter, up } from "@auth/d1-adapter";
import { PrismaD1 } from "@prisma/adapter-d1";
import { eq, relations, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { blob, integer, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { Kysely } from "kysely";
import { D1Dialect } from "kysely-d1";
import { failing, prismaFlow } from "./prisma-flow.mjs";

const users = sqliteTable("users", {
  id: integer("id").primaryKey({ autoIncrement: true }),
  name: text("name").notNull().unique(),
  picture: blob("picture", { mode: "buffer" }),
  score: real("score"),
  isAdmin: integer("is_admin", { mode: "boolean" }).default(false),
  at: integer("at", { mode: "timestamp_ms" }),
  tags: text("tags", { mode: "json" }),
});
const posts = sqliteTable("posts", {
  id: integer("id").primaryKey(),
  author: integer("author").references(() => users.id, { onDelete: "cascade" }),
  title: text("title"),
});
const usersRelations = relations(users, ({ many }) => ({ posts: many(posts) }));
const postsRelations = relations(posts, ({ one }) => ({
  user: one(users, { fields: [posts.author], references: [users.id] }),
}));

async function drizzled(d1) {
  await d1.batch(
    [
      "DROP TABLE IF EXISTS posts",
      "DROP TABLE IF EXISTS users",
      `CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, picture BLOB, score REAL,
        is_admin INTEGER DEFAULT 0, at INTEGER, tags TEXT)`,
      "CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER REFERENCES users (id) ON DELETE CASCADE, title TEXT)",
    ].map((each) => d1.prepare(each)),
  );
  const db = drizzle(d1, { schema: { users, posts, usersRelations, postsRelations } });
  const picture = Buffer.from([0, 1, 255]);
  const gave = [];
  gave.push(
    await db
      .insert(users)
      .values([
        {
          name: "ada",
          picture,
          score: 1.5,
          isAdmin: true,
          at: new Date(1_700_000_000_000),
          tags: ["a", "b"],
        },
        { name: "bob" },
      ])
      .returning(),
  );
  gave.push(await db.insert(posts).values({ id: 1, author: 1, title: "first" }).run());
  gave.push(
    await db.batch([
      db.insert(posts).values({ id: 2, author: 1, title: "second" }).returning({ id: posts.id }),
      db.select().from(posts).where(eq(posts.author, 1)),
      db
        .update(users)
        .set({ score: sql`${users.score} + 1` })
        .where(eq(users.id, 1))
        .returning(),
    ]),
  );
  gave.push(await db.query.users.findMany({ with: { posts: true }, orderBy: users.id }));
  gave.push(await db.query.users.findFirst({ where: eq(users.name, "nobody") }));
  gave.push(await db.select({ n: sql`count(*)` }).from(posts).get());
  gave.push(
    await db.select().from(users).leftJoin(posts, eq(posts.author, users.id)).orderBy(users.id, posts.id),
  );
  gave.push(await db.select().from(users).values());
  gave.push(await db.run(sql`UPDATE posts SET title = 'x' WHERE id = 1`));
  gave.push(await failing(db.insert(users).values({ name: "ada" })));
  gave.push(await db.delete(users).where(eq(users.id, 1)).returning({ id: users.id }));
  gave.push(await db.$count(posts));
  return gave;
}

async function kyselied(d1) {
  const db = new Kysely({ dialect: new D1Dialect({ database: d1 }) });
  await db.schema.dropTable("pets").ifExists().execute();
  await db.schema
    .createTable("pets")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("photo", "blob")
    .execute();
  await db.schema.createIndex("pets_name").on("pets").column("name").execute();
  const gave = [];
  gave.push(
    await db
      .insertInto("pets")
      .values({ name: "rex", photo: new Uint8Array([7]) })
      .executeTakeFirst(),
  );
  gave.push(
    await db
      .insertInto("pets")
      .values([{ name: "tom" }, { name: "kit" }])
      .returning(["id", "name"])
      .execute(),
  );
  gave.push(await db.selectFrom("pets").selectAll().orderBy("id").execute());
  gave.push(await db.updateTable("pets").set({ name: "Rex" }).where("id", "=", 1).executeTakeFirst());
  gave.push(await db.deleteFrom("pets").where("id", ">", 2).executeTakeFirst());
  gave.push(
    await db
      .selectFrom("pets")
      .select((each) => each.fn.countAll().as("n"))
      .executeTakeFirstOrThrow(),
  );
  gave.push((await db.introspection.getTables()).map(({ name, columns }) => [name, columns.length]));
  gave.push(await failing(db.insertInto("pets").values({ name: null }).execute()));
  return gave;
}

async function authenticated(d1) {
  await d1.batch(
    ["users", "accounts", "sessions", "verification_tokens"].map((name) =>
      d1.prepare(`DROP TABLE IF EXISTS ${name}`),
    ),
  );
  await up(d1);
  const auth = D1Adapter(d1);
  const gave = [];
  const user = await auth.createUser({
    id: crypto.randomUUID(),
    name: "ada",
    email: "ada@example.com",
    emailVerified: new Date(0),
    image: "",
  });
  gave.push(
    user,
    await auth.getUser(user.id),
    await auth.getUserByEmail("ada@example.com"),
    await auth.getUser("nobody"),
  );
  gave.push(await auth.updateUser({ id: user.id, name: "Ada" }));
  const account = { userId: user.id, type: "oauth", provider: "github", providerAccountId: "42" };
  gave.push(
    await auth.linkAccount(account),
    await auth.getUserByAccount({ provider: "github", providerAccountId: "42" }),
  );
  const session = { sessionToken: "token", userId: user.id, expires: new Date(2_000_000_000_000) };
  gave.push(await auth.createSession(session), await auth.getSessionAndUser("token"));
  gave.push(await auth.updateSession({ sessionToken: "token", expires: new Date(2_000_000_100_000) }));
  gave.push(await auth.createVerificationToken({ identifier: "ada", token: "t", expires: new Date(0) }));
  gave.push(await auth.useVerificationToken({ identifier: "ada", token: "t" }));
  gave.push(await auth.useVerificationToken({ identifier: "ada", token: "t" }));
  await auth.deleteSession("token");
  await auth.unlinkAccount({ provider: "github", providerAccountId: "42" });
  await auth.deleteUser(user.id);
  gave.push(await auth.getSessionAndUser("token"), await auth.getUser(user.id));
  return gave;
}

const ORMS = {
  drizzle: drizzled,
  kysely: kyselied,
  prisma: (d1) => prismaFlow(new PrismaD1(d1)),
  auth: authenticated,
};

/** What all of an ORM's flow gave, by its name. */
export async function flow(name, d1) {
  return ORMS[name](d1);
}
