// A user's Worker whose schema an ORM migrates, and which backs itself up: kysely and Prisma's adapter on D1, drizzle in a
// Durable Object.
import { DurableObject } from "cloudflare:workers";
import { PrismaD1 } from "@prisma/adapter-d1";
import { drizzle } from "drizzle-orm/durable-sqlite";
import { migrate } from "drizzle-orm/durable-sqlite/migrator";
import { blob, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { Kysely, sql } from "kysely";
import { D1Dialect } from "kysely-d1";
import { d1, durableObject, pagemark, r2 } from "pagemark";

const notes = sqliteTable("notes", {
  id: integer("id").primaryKey({ autoIncrement: true }),
  text: text("text").notNull(),
  at: integer("at", { mode: "timestamp_ms" }),
  picture: blob("picture", { mode: "buffer" }),
});

/** As drizzle-kit writes it for Durable Objects. */
const MIGRATIONS = {
  journal: {
    version: "7",
    dialect: "sqlite",
    entries: [
      { idx: 0, version: "6", when: 1700000000000, tag: "0000_first", breakpoints: true },
      { idx: 1, version: "6", when: 1700000001000, tag: "0001_later", breakpoints: true },
    ],
  },
  migrations: {
    m0000:
      "CREATE TABLE `notes` (\n\t`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,\n\t`text` text NOT NULL,\n\t`at` integer\n);\n",
    m0001:
      "ALTER TABLE `notes` ADD `picture` blob;--> statement-breakpoint\nCREATE INDEX `by_text` ON `notes` (`text`);",
  },
};

const steps = {
  "001_people": {
    up: (db) =>
      db.schema
        .createTable("person")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("name", "text", (column) => column.notNull().unique())
        .execute(),
  },
  "002_pets": {
    up: (db) =>
      db.schema
        .createTable("pet")
        .addColumn("owner", "integer", (column) => column.references("person.id").onDelete("cascade"))
        .addColumn("weight", "real")
        .addColumn("born", "text", (column) => column.defaultTo(sql`CURRENT_TIMESTAMP`))
        .execute(),
  },
};

/** What an ORM does with an empty database, what it finds there, and what takes all of that away. */
const ON_D1 = {
  async kysely(binding) {
    const db = new Kysely({ dialect: new D1Dialect({ database: binding }) });
    return {
      async fill() {
        // Its Migrator asks for the columns of Cloudflare's own tables, which D1 refuses: its steps are run one by one.
        await db.schema.createTable("kysely_migration").addColumn("name", "text").execute();
        for (const [name, { up }] of Object.entries(steps)) {
          await up(db);
          await db.insertInto("kysely_migration").values({ name }).execute();
        }
        await db
          .insertInto("person")
          .values([{ name: "Ada" }, { name: "Grace" }])
          .execute();
        await db.insertInto("pet").values({ owner: 1, weight: 2.5 }).execute();
      },
      find: () => db.selectFrom("person").leftJoin("pet", "pet.owner", "person.id").selectAll().execute(),
      spoil: () => db.deleteFrom("person").execute(),
      migrations: () => db.selectFrom("kysely_migration").select("name").execute(),
    };
  },
  async prisma(binding) {
    const db = await new PrismaD1(binding).connect();
    const query = (text, args = []) =>
      db.queryRaw({ sql: text, args, argTypes: args.map(() => ({ scalarType: "string", arity: "scalar" })) });
    return {
      async fill() {
        await db.executeScript(
          `CREATE TABLE "_prisma_migrations" ("id" TEXT PRIMARY KEY NOT NULL, "migration_name" TEXT NOT NULL, "started_at" DATETIME NOT NULL DEFAULT current_timestamp);
           CREATE TABLE "User" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "email" TEXT NOT NULL, "at" DATETIME);
           CREATE UNIQUE INDEX "User_email_key" ON "User"("email");
           INSERT INTO "_prisma_migrations" ("id", "migration_name") VALUES ('1', '20260101_init');`,
        );
        await query('INSERT INTO "User" (email) VALUES (?), (?) RETURNING id', [
          "ada@example.com",
          "grace@example.com",
        ]);
      },
      find: async () => (await query('SELECT id, email FROM "User" ORDER BY id')).rows,
      spoil: () => db.executeScript('DROP TABLE "User";'),
      migrations: async () => (await query('SELECT migration_name FROM "_prisma_migrations"')).rows,
    };
  },
};

/** Migrates, fills, backs up, spoils and restores; what was found before, meanwhile and afterwards. */
async function flow(orm, db) {
  await orm.fill();
  const before = [await orm.find(), await orm.migrations()];
  const { kind } = await db.backup();
  await orm.spoil();
  const spoiled = await Promise.resolve(orm.find()).catch(() => []);
  const { verified } = await db.restore();
  const after = [await orm.find(), await orm.migrations()];
  return { before, kind, spoiled, verified: verified.map(({ name, rows }) => [name, rows]), after };
}

export class Notes extends DurableObject {
  async flow() {
    const orm = drizzle(this.ctx.storage, { schema: { notes } });
    const db = pagemark(durableObject(this.ctx.storage), { name: "drizzle", store: r2(this.env.BACKUPS) });
    const picture = Buffer.from([0, 1, 255]);
    const steps = {
      async fill() {
        await migrate(orm, MIGRATIONS);
        await orm.insert(notes).values([{ text: "one", at: new Date(1.7e12), picture }, { text: "two" }]);
      },
      find: () => orm.select().from(notes),
      spoil: () => orm.delete(notes),
      migrations: () => [...this.ctx.storage.sql.exec("SELECT count(*) FROM __drizzle_migrations").raw()],
    };
    return JSON.stringify(await flow(steps, db));
  }
}

export default {
  async fetch(request, env) {
    const name = new URL(request.url).pathname.slice(1);
    try {
      if (name === "drizzle") return new Response(await env.NOTES.getByName("notes").flow());
      const db = pagemark(d1(env[name]), { name, store: r2(env.BACKUPS) });
      return Response.json(await flow(await ON_D1[name](env[name]), db));
    } catch (error) {
      return new Response(error.stack, { status: 500 });
    }
  },
};
