// Tools that reach D1 over Cloudflare's API, unmodified but for its address: drizzle-kit, and Prisma's adapter.
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify, stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { ACCOUNT, TOKEN } from "./api.ts";
import { TestWorker } from "./worker.ts";

const worker = new TestWorker();
const run = promisify(execFile);
const clients = join(import.meta.dirname, "../../.cache/clients");
const redirect = join(import.meta.dirname, "at-cloudflare.cjs");

/** Runs a program of theirs; gives what it prints. */
async function node(args: string[], cwd: string): Promise<string> {
  const env = { ...process.env, WORKER_URL: worker.url, NODE_NO_WARNINGS: "1" };
  const { stdout, stderr } = await run(process.execPath, ["--require", redirect, ...args], { cwd, env });
  return stripVTControlCharacters(stdout + stderr);
}

/** A project of an application that has its database there. */
class Project {
  readonly folder: string;

  constructor(uuid: string, name: string) {
    this.folder = join(worker.folder, name);
    mkdirSync(this.folder);
    symlinkSync(join(clients, "node_modules"), join(this.folder, "node_modules"));
    const dbCredentials = { accountId: ACCOUNT, databaseId: uuid, token: TOKEN };
    const config = {
      dialect: "sqlite",
      driver: "d1-http",
      schema: "./schema.ts",
      out: "./out",
      dbCredentials,
    };
    writeFileSync(join(this.folder, "drizzle.config.ts"), `export default ${JSON.stringify(config)};`);
  }

  use(schema: "first" | "later"): void {
    copyFileSync(join(import.meta.dirname, `d1/drizzle/${schema}.mjs`), join(this.folder, "schema.ts"));
  }

  kit(...args: string[]): Promise<string> {
    return node([join(clients, "node_modules/drizzle-kit/bin.cjs"), ...args], this.folder);
  }
}

const SCHEMA = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 1";
const FILLED = [
  "INSERT INTO users (name, picture) VALUES ('ada', x'00ff'), ('bob', NULL);",
  "INSERT INTO posts (author) VALUES (1), (2);",
];

test("drizzle-kit pushes a schema, sees that it is there, pushes another one, and reads it back", async () => {
  const uuid = await worker.create("pushed");
  const { run, rows } = worker.database(uuid);
  const project = new Project(uuid, "push");
  project.use("first");
  expect(await project.kit("push", "--force")).toContain("Changes applied");
  expect(await project.kit("push", "--force")).toContain("No changes detected");
  await run(FILLED);
  project.use("later");
  expect(await project.kit("push", "--force")).toContain("Changes applied");
  expect(await project.kit("push", "--force")).toContain("No changes detected");
  expect((await rows(SCHEMA)).flat()).toEqual(["by_score", "posts", "tags", "users", "users_name_unique"]);
  expect(await rows("SELECT id, author, title FROM posts")).toEqual([
    [1, 1, "it's"],
    [2, 2, "it's"],
  ]);
  expect(await rows("SELECT name, hex(picture), score, email FROM users")).toEqual([
    ["ada", "00FF", 1.5, null],
    ["bob", "", 1.5, null],
  ]);
  await project.kit("pull");
  const pulled = readFileSync(join(project.folder, "out/schema.ts"), "utf8");
  expect(pulled).toContain('onDelete: "set null"');
});

test("drizzle-kit migrates, each step once", async () => {
  const uuid = await worker.create("migrated");
  const { run, rows } = worker.database(uuid);
  const project = new Project(uuid, "migrate");
  project.use("first");
  await project.kit("generate");
  expect(await project.kit("migrate")).toContain("migrations applied successfully");
  await run(FILLED);
  project.use("later");
  await project.kit("generate");
  for (const _ of [1, 2]) await project.kit("migrate");
  const files = readdirSync(join(project.folder, "out")).filter((name) => name.endsWith(".sql"));
  expect(files).toHaveLength(2);
  expect(await rows("SELECT count(*) FROM __drizzle_migrations")).toEqual([[2]]);
  expect(await rows("SELECT count(*), count(title) FROM posts")).toEqual([[2, 2]]);
  expect(await project.kit("push", "--force")).toContain("No changes detected");

  const [later, first] = await worker.migrations(uuid);
  await worker.goBack(uuid, later?.bookmark ?? "");
  expect(
    await rows("SELECT count(*) FROM __drizzle_migrations UNION ALL SELECT count(*) FROM posts"),
  ).toEqual([[1], [2]]);
  await expect(rows("SELECT email FROM users")).rejects.toThrow("no such column");
  await worker.goBack(uuid, first?.bookmark ?? "");
  await expect(rows("SELECT * FROM posts")).rejects.toThrow("no such table");
});

test("Prisma's adapter reads and writes over HTTP, and makes and deletes its shadow database", async () => {
  const uuid = await worker.create("prisma");
  writeFileSync(
    join(worker.folder, "prisma.mjs"),
    `import { createRequire } from "node:module";
     import { prismaFlow } from ${JSON.stringify(join(import.meta.dirname, "d1/prisma-flow.mjs"))};
     const { PrismaD1 } = createRequire(${JSON.stringify(join(clients, "package.json"))})("@prisma/adapter-d1");
     const factory = new PrismaD1(${JSON.stringify({
       CLOUDFLARE_D1_TOKEN: TOKEN,
       CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
       CLOUDFLARE_DATABASE_ID: uuid,
     })});
     console.error = () => {};
     const shadow = await factory.connectToShadowDb();
     await shadow.executeScript("CREATE TABLE t (a);\\nINSERT INTO t VALUES (1);");
     const { rows } = await shadow.queryRaw({ sql: "SELECT a FROM t", args: [], argTypes: [] });
     await shadow.dispose();
     process.stdout.write(JSON.stringify({ gave: await prismaFlow(factory), shadow: rows }));`,
  );
  const printed = await node([join(worker.folder, "prisma.mjs")], worker.folder);
  const { gave, shadow } = JSON.parse(printed.slice(printed.indexOf("{"), printed.lastIndexOf("}") + 1));
  expect(shadow).toEqual([[1]]);
  expect(gave.slice(0, 3)).toEqual(["sqlite", "@prisma/adapter-d1-http", 1]);
  expect(gave.slice(3, 6).map(({ rows }: { rows: unknown }) => rows)).toEqual([
    [[1, "one", [0, 1, 255], 12345678901, "2026-01-02T03:04:05.000+00:00"]],
    [[1]],
    [["two"]],
  ]);
  expect(gave[6]).toEqual({ threw: [expect.stringContaining("UniqueConstraintViolation"), "sqlite"] });
  const list = await fetch(`${worker.api}/accounts/${ACCOUNT}/d1/database?name=_prisma_shadow_`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  expect(await list.json()).toMatchObject({ success: true, result: [] });
});
