// `pagemark backup d1://…`, `restore -o d1://…`, `dump d1://…`: D1 databases over HTTP, at a service that answers as
// Cloudflare's does, and at Pagemark's own Worker.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { contents, differences } from "../peers/d1/place.ts";
import { CommandLine } from "../support/cli.ts";
import { expectOutput } from "../support/json-output.ts";
import { runSql, tempFolder } from "../support/temp.ts";
import { ACCOUNT as OWN_ACCOUNT, TOKEN } from "./api.ts";
import { ACCOUNT, HostedD1, type Quirk } from "./hosted-d1.ts";
import { TestWorker } from "./worker.ts";

const hosted = new HostedD1();
const worker = new TestWorker();
const cli = new CommandLine(tempFolder());
const PASSING: Quirk[] = [
  { status: 502, body: "<html>bad gateway</html>" },
  {
    status: 429,
    headers: { "retry-after": "0" },
    body: '{"success":false,"errors":[{"code":971,"message":"rate"}]}',
  },
  { status: 500, body: '{"success":false,"errors":[{"code":7500,"message":"internal error"}]}' },
];

const SHOP = [
  "CREATE TABLE customers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE)",
  "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer REFERENCES customers, total REAL, note BLOB, any)",
  "CREATE TABLE keys (k TEXT COLLATE NOCASE, v, PRIMARY KEY (k, v)) WITHOUT ROWID",
  "CREATE INDEX by_customer ON orders (customer, total DESC)",
  "CREATE VIRTUAL TABLE words USING fts5(text)",
  "INSERT INTO customers (name) VALUES ('Ada'), ('O''Hara ?1 [x]')",
  "INSERT INTO orders VALUES (1, 1, 2.0, x'00ff', -0.0), (9007199254740993, 2, 9e999, NULL, CAST(x'ff00' AS TEXT)), (3, NULL, 0.1, x'', 9223372036854775807)",
  "INSERT INTO keys VALUES ('a?1''', 1), ('é', 2), (CAST(x'610062' AS TEXT), 3)",
  "INSERT INTO words VALUES ('lovely spam')",
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) INSERT INTO keys SELECT 'key ''' || i || hex(zeroblob(500)), i FROM n",
];

async function run(env: Record<string, string>, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await cli.runBeside(env, ...args);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout;
}

async function failure(
  env: Record<string, string>,
  ...args: string[]
): Promise<{ code: string; message: string }> {
  const { stderr } = await cli.runBeside(env, "--json", ...args);
  return JSON.parse(stderr.trim().split("\n").at(-1) ?? "").error;
}

test("a hosted database is backed up, and restored into another, though requests fail now and then", async () => {
  const [one, two] = [await hosted.place("one"), await hosted.place("two")];
  await one.run(SHOP);
  hosted.quirks = [...PASSING, undefined, undefined, PASSING[0]];
  await run(hosted.env, "backup", `d1://${ACCOUNT}/one`, "--to", "backups");
  await one.run(["INSERT INTO customers (name) VALUES ('Grace')"]);
  expect(await run(hosted.env, "backup", "d1://one", "--to", "backups")).toContain("incremental");

  const restored = await run(hosted.env, "restore", "one", "--from", "backups", "-o", "d1://two");
  expect(restored).toContain("all of it was read again");
  expect(differences(await contents(two), await contents(one))).toEqual([]);

  const restore = ["restore", "one", "--from", "backups", "-o", "d1://two"];
  expect(await failure(hosted.env, ...restore)).toMatchObject({ code: "TARGET_EXISTS" });
  await two.run(["DELETE FROM orders", "CREATE TABLE more (a)"]);
  expect(await run(hosted.env, ...restore, "--dry-run")).toMatch(/more .*\n/);
  // A write whose answer is lost is in once.
  hosted.quirks = [...Array(30)].map((_, at) =>
    at % 6 === 5 ? { ...(PASSING[0] as Quirk), isDone: true } : undefined,
  );
  expect(await run(hosted.env, ...restore, "--force")).toContain("to undo this");
  hosted.quirks = [];
  expect(differences(await contents(two), await contents(one))).toEqual([]);
  await two.run(["DELETE FROM orders", "DELETE FROM words"]);
  expectOutput("restore-d1", await run(hosted.env, "--json", ...restore, "--table", "orders"));
  expect(await two.rows("SELECT count(*) FROM orders UNION ALL SELECT count(*) FROM words")).toEqual([
    [3],
    [0],
  ]);
  expect(hosted.longest).toBeLessThanOrEqual(100_000);
});

test("a hosted database is dumped exactly by queries, or by the service's own export", async () => {
  const three = await hosted.place("three");
  await three.run(["CREATE TABLE t (a)", "INSERT INTO t VALUES (9007199254740993), ('it''s')"]);
  const sql = await run(hosted.env, "dump", "d1://three", "--dialect", "d1");
  expect(sql).toContain("9007199254740993");
  hosted.asked.length = 0;
  const exported = await run(hosted.env, "dump", "d1://three", "--via-export");
  expect(exported).toContain("9007199254740992");
  expect(hosted.asked.filter((each) => each === "POST export")).toHaveLength(3);
  expect(await run(hosted.env, "backup", "d1://three", "--via-export", "--to", "exported")).toContain("full");
  await run({}, "restore", "three", "--from", "exported", "-o", "three.db");
  // Two at once are one too many for it, and it forgets at once that it is done.
  hosted.quirks = [
    undefined,
    {
      status: 200,
      body: '{"success":true,"errors":[],"messages":[],"result":{"success":false,"error":"Not currently exporting anything."}}',
    },
  ];
  await run(hosted.env, "dump", "d1://three", "--via-export");
  hosted.quirks = [
    undefined,
    {
      status: 200,
      body: '{"success":true,"errors":[],"messages":[],"result":{"success":false,"error":"Currently processing a long-running export. Cannot start a new export until that completes or times out."}}',
    },
  ];
  expect(await failure(hosted.env, "dump", "d1://three", "--via-export", "-o", "x.sql")).toMatchObject({
    code: "SOURCE_BUSY",
  });
  // Whoever ends the command ends the polling, by which the service cancels.
  hosted.polls = 1000;
  hosted.asked.length = 0;
  const isPolling = () => hosted.asked.filter((each) => each === "POST export").length > 2;
  const ended = await cli.interruptWith(
    hosted.env,
    isPolling,
    "dump",
    "d1://three",
    "--via-export",
    "-o",
    "x.sql",
  );
  expect(ended.status).not.toBe(0);
  const { length } = hosted.asked;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(hosted.asked).toHaveLength(length);
  expect(existsSync(join(cli.folder, "x.sql"))).toBe(false);
  hosted.polls = 2;
});

test("a hosted database is tracked, read by its changes, and tracked no longer", async () => {
  const four = await hosted.place("three");
  const triggers = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'pagemark%'";
  await four.run(["CREATE TABLE IF NOT EXISTS tracked (id INTEGER PRIMARY KEY, v)"]);
  const backup = () => run(hosted.env, "--json", "backup", "d1://three", "--to", "tracked", "--tracking");
  expect(JSON.parse(await backup())).toMatchObject({ taken: "tracked" });
  expect(await four.rows(triggers)).not.toEqual([[0]]);
  await four.run(["INSERT INTO tracked (v) VALUES ('new')"]);
  expect(JSON.parse(await backup())).toMatchObject({ taken: "tracked", kind: "incremental" });
  expect(await run({}, "show", "three", "--from", "tracked")).toContain("at the end of the run");
  expect(await run(hosted.env, "d1", "untrack", "d1://three")).toContain("no longer tracked");
  expect(await four.rows(triggers)).toEqual([[0]]);
  expect(await run(hosted.env, "d1", "untrack", "d1://three")).toContain("were not tracked");
  expectOutput("d1-untrack", await run(hosted.env, "--json", "d1", "untrack", "d1://three"));
  for (const args of [["app.db"], ["d1://three", "--via-export"]])
    expect(await failure(hosted.env, "backup", ...args, "--tracking", "--to", "none")).toMatchObject({
      code: "USAGE",
    });
});

test("a migration is run after a backup, and what it did to the rows is said", async () => {
  const three = await hosted.place("three");
  await three.run([
    "DROP TABLE IF EXISTS t",
    "CREATE TABLE p (id INTEGER PRIMARY KEY)",
    "CREATE TABLE c (p REFERENCES p ON DELETE CASCADE)",
    "INSERT INTO p VALUES (1), (2)",
    "INSERT INTO c VALUES (1), (1), (2)",
  ]);
  const script = join(cli.folder, "migrate.mjs");
  const url = `${hosted.env.CLOUDFLARE_API_BASE_URL}/accounts/${ACCOUNT}/d1/database/00000000-0000-4000-8000-000000000002/raw`;
  writeFileSync(
    script,
    `const answer = await fetch(${JSON.stringify(url)}, { method: "POST", headers: { authorization: "Bearer " + process.env.CLOUDFLARE_API_TOKEN },
    body: JSON.stringify({ batch: [{ sql: "DROP TABLE p" }, { sql: "CREATE TABLE p (id INTEGER PRIMARY KEY, x)" }] }) });
    console.log("migrated", answer.status); process.exitCode = Number(process.argv[2] ?? 0);`,
  );
  const ran = await cli.runBeside(
    hosted.env,
    "d1",
    "migrate",
    "d1://three",
    "--to",
    "migrated",
    "--",
    process.execPath,
    script,
  );
  expect(ran.stdout).toMatch(/migrated 200\n.*rows before +rows after *\nc +3 +0 *\np +2 +0/s);
  expect(ran.stderr).toContain('warning: table "c" has 3 rows fewer');
  expect(ran.status).toBe(3);
  const [, bookmark = ""] = /--at ([0-9a-f-]{59})/.exec(ran.stderr) ?? [];
  await run(
    hosted.env,
    "restore",
    "three",
    "--from",
    "migrated",
    "-o",
    "d1://three",
    "--force",
    "--at",
    bookmark,
  );
  expect(await three.rows("SELECT count(*) FROM c")).toEqual([[3]]);
  const migrate = ["d1", "migrate", "d1://three", "--to", "migrated", "--", process.execPath, script, "7"];
  const failed = await cli.runBeside(hosted.env, "--json", ...migrate);
  expectOutput("d1-migrate", failed.stdout);
  expect(failed.stderr).toContain("COMMAND_FAILED");
});

test("who interrupts a migration interrupts its command, and is told how to undo what that has done", async () => {
  const migrate = ["d1", "migrate", "d1://one", "--to", "it's here", "--"];
  const ran = await cli.interruptWith(
    hosted.env,
    (stdout) => stdout.includes("begun"),
    ...migrate,
    ...["sh", "-c", "echo begun; exec sleep 20"],
  );
  expect(ran.status).toBe(130);
  expect(ran.stdout).toMatch(/rows before/);
  expect(ran.stderr).toMatch(
    /sh ended with SIGINT; if it left something half done: pagemark restore one --from 'it'\\''s here' -o d1:/,
  );
});

test("a restore that is interrupted says that a part is there, goes on, and is backed up in no way until then", async () => {
  runSql(
    join(cli.folder, "large.db"),
    "CREATE TABLE t (a); WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 8000) INSERT INTO t SELECT hex(randomblob(500)) FROM n",
  );
  await run({}, "backup", "large.db", "--to", "large", "--quiet");
  const restore = ["restore", "large", "--from", "large", "-o", "d1://three", "--force", "--no-safety"];
  hosted.longest = 0;
  const ran = await cli.interruptWith(hosted.env, () => hosted.longest > 8_000, ...restore);
  expect(ran.stderr).toMatch(
    /^error: canceled; three holds (a part only|nothing of it, a part or all) now: run/,
  );
  expect(ran.status).toBe(130);
  const three = await hosted.place("three");
  for (const how of [[], ["--via-export"]])
    expect(await failure(hosted.env, "backup", "d1://three", "--to", "none", ...how)).toMatchObject({
      code: "SOURCE_HALF_LOADED",
    });
  await run(hosted.env, ...restore, "--quiet");
  expect(await three.rows("SELECT count(*) FROM t")).toEqual([[8000]]);
});

test("what keeps it from being read or written is said", async () => {
  const code = (env: Record<string, string>, database: string) =>
    failure({ ...hosted.env, ...env }, "backup", database, "--to", "none");
  expect(await code({ CLOUDFLARE_API_TOKEN: "" }, "d1://one")).toMatchObject({ code: "USAGE" });
  expect(await code({ CLOUDFLARE_ACCOUNT_ID: "" }, "d1://one")).toMatchObject({ code: "USAGE" });
  const denied = await code({ CLOUDFLARE_API_TOKEN: "an-old-one" }, "d1://one");
  expect(denied).toMatchObject({ code: "SOURCE_DENIED", message: expect.stringContaining("D1 Read") });
  expect(JSON.stringify(denied)).not.toContain("an-old-one");
  expect(await code({}, "d1://nothing")).toMatchObject({ code: "SOURCE_MISSING" });
  expect(await code({}, `d1://${ACCOUNT}/00000000-0000-4000-8000-000000000009`)).toMatchObject({
    code: "SOURCE_MISSING",
  });
  expect(await code({ CLOUDFLARE_API_BASE_URL: "http://127.0.0.1:18400" }, "d1://one")).toMatchObject({
    code: "SOURCE_UNREADABLE",
    message: expect.stringContaining("ECONNREFUSED"),
  });
  for (const [env, database] of [
    [{}, "d1://one/%zz"],
    [{}, "d1://a.b/one"],
    [{ CLOUDFLARE_API_BASE_URL: "api.cloudflare.com" }, "d1://one"],
    [{ CLOUDFLARE_API_TOKEN: "a-secret\nof two lines" }, "d1://one"],
  ] as const) {
    const failed = await code(env, database);
    expect(failed, database).toMatchObject({ code: "USAGE" });
    expect(JSON.stringify(failed)).not.toContain("a-secret");
  }
  const elsewhere = { CLOUDFLARE_API_BASE_URL: `${worker.url}/nowhere`, CLOUDFLARE_API_TOKEN: TOKEN };
  expect(await code(elsewhere, "d1://one")).toMatchObject({
    code: "SOURCE_MISSING",
    message: expect.stringContaining("check the account's id, and CLOUDFLARE_API_BASE_URL"),
  });
  writeFileSync(join(cli.folder, "app.db"), "");
  expect(await failure({}, "backup", "app.db", "--via-export", "--to", "none")).toMatchObject({
    code: "USAGE",
  });
});

test("Pagemark's own Worker is backed up, restored and dumped in the same way", async () => {
  const env = {
    CLOUDFLARE_API_BASE_URL: worker.api,
    CLOUDFLARE_ACCOUNT_ID: OWN_ACCOUNT,
    CLOUDFLARE_API_TOKEN: TOKEN,
  };
  const shop = await worker.create("shop", `${SHOP.join(";\n")};`);
  const copy = await worker.create("copy");
  await run(env, "backup", "d1://shop", "--to", "own");
  await run(env, "restore", "shop", "--from", "own", "-o", "d1://copy");
  expect(differences(await contents(worker.database(copy)), await contents(worker.database(shop)))).toEqual(
    [],
  );
  expect(await run(env, "dump", "d1://copy", "--table", "orders")).toContain("9007199254740993");
  expect(await run(env, "dump", "d1://copy", "--via-export")).toContain("CREATE TABLE customers");
});
