// Statements on files and folders, by the library: every form of docs/statements.md, and what they come to.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { file, folder, memoryStore, openStore, pagemark, watch } from "pagemark";
import { openVault, type SavedSchedule, type Vault } from "pagemark/vault";
import { expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../support/temp.ts";

const root = tempFolder();
const TABLES =
  "CREATE TABLE orders (id INTEGER PRIMARY KEY, what); CREATE INDEX i ON orders (what); CREATE TABLE people (name);";

/** Two databases, `app` in WAL mode and `shop`, and a usual store, in a folder of their own. */
function fresh() {
  const at = mkdtempSync(join(root, "vault-"));
  const path = (name: string) => join(at, `${name}.db`);
  const sql = (name: string, text: string) => {
    using database = new DatabaseSync(path(name));
    database.exec(text);
  };
  const rows = (name: string, table = "orders") => {
    using database = new DatabaseSync(path(name));
    return Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n);
  };
  sql("app", `PRAGMA journal_mode = wal; ${TABLES} INSERT INTO orders VALUES (1, 'a')`);
  sql("shop", TABLES);
  const saved: SavedSchedule[] = [];
  const names = new Set(["app", "shop"]);
  const vault = openVault({
    databases: {
      names: async () => [...names],
      find: async (name) => (names.has(name) ? file(path(name)) : undefined),
      create: async (name) => {
        names.add(name);
        return file(path(name));
      },
    },
    store: folder(join(at, "usual")),
    openStore: (urls) => folder(join(at, urls.join(" "))),
    schedules: {
      list: async () => [...saved],
      save: async (all, before) => {
        if (JSON.stringify(before) !== JSON.stringify(saved)) return false;
        saved.splice(0, saved.length, ...all);
        return true;
      },
      next: () => Date.UTC(2030, 0, 1),
    },
  });
  return { at, path, sql, rows, vault, saved };
}

/** A database that a program has open, and has written to. */
function opened(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec("INSERT INTO people VALUES ('somebody')");
  return database;
}

/** What a statement is refused with. */
async function refusal(vault: Vault, statement: string): Promise<string> {
  const error = await vault.sql(statement).then(
    () => ({ code: "none", at: {} }),
    (error) => error,
  );
  return error.at.position === undefined ? error.code : `${error.code} ${error.at.position}`;
}

test("E1 every statement of docs/statements.md does what it says, in their order", async () => {
  const { vault, sql, path } = fresh();
  let program: DatabaseSync | undefined;
  onTestFinished(() => program?.close());
  const page = readFileSync(join(import.meta.dirname, "../../docs/statements.md"), "utf8");
  const blocks = [...page.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, block = ""]) => block);
  const statements = blocks.flatMap((block) => block.trim().split(/(?<=;)\n/));
  expect(statements.length).toBeGreaterThan(35);
  for (const statement of statements) {
    if (statement.startsWith("BACKUP")) sql("app", "INSERT INTO people VALUES ('somebody')");
    if (statement.includes("'-1s'")) await sleep(1100);
    // Only then can a database be held.
    if (/^(CHECKPOINT CREATE|SNAPSHOT PREPARE)/.test(statement)) program ??= opened(path("app"));
    const { rows } = await vault.sql(statement).catch((error) => {
      throw new Error(`${statement}: ${error.message}`);
    });
    if (!/ORPHANED/.test(statement)) expect(rows.length, statement).toBeGreaterThan(0);
  }
});

test("B3 INTO a backup IN a collection is incremental on the chain of that backup, or refused", async () => {
  const { vault, sql } = fresh();
  const make = async (statement: string) => {
    sql("app", "INSERT INTO people VALUES ('somebody')");
    const { rows } = await vault.sql(statement);
    return rows[0] as { id: string; kind: string };
  };
  const first = await make("BACKUP DATABASE app INTO 'all'");
  const second = await make(`BACKUP DATABASE app INTO '${first.id}' IN 'all'`);
  expect(second.kind).toBe("incremental");
  expect((await make("BACKUP DATABASE app INTO '-0s' IN 'all'")).kind).toBe("incremental");
  expect((await make("BACKUP DATABASE app INTO 'all'")).kind).toBe("full");
  const into = (at: string) => refusal(vault, `BACKUP DATABASE app INTO '${at}' IN 'all'`);
  expect(await into(second.id)).toBe("STATEMENT_UNSUPPORTED");
  expect(await into("00000000")).toBe("BACKUP_UNKNOWN");
  expect(await into("2026/11/20-100000.00")).toBe("STATEMENT_SYNTAX 25");
});

test("B1 B2 B3 B4 a full backup and what is incremental from it in other places restore to each state, or are refused", async () => {
  const { vault, sql, rows, at } = fresh();
  expect((await vault.sql("BACKUP DATABASE app TO 'full'")).rows).toMatchObject([
    { kind: "full", state: "done" },
  ]);
  const parts = ["full"];
  for (const [place, id] of [
    ["inc1", 2],
    ["inc2", 3],
  ] as const) {
    sql("app", `INSERT INTO orders VALUES (${id}, 'more')`);
    const from = parts.map((each) => `'${each}'`).join(", ");
    const made = await vault.sql(`BACKUP DATABASE app TO '${place}' INCREMENTAL FROM ${from}`);
    expect(made).toMatchObject({ rows: [{ kind: "incremental" }], notices: [] });
    parts.push(place);
  }
  for (const count of [1, 2, 3]) {
    const from = parts
      .slice(0, count)
      .map((each) => `'${each}'`)
      .join(", ");
    const done = await vault.sql(`RESTORE DATABASE app FROM ${from} WITH new_db_name = 'at${count}'`);
    expect(done.rows).toMatchObject([
      { table: "orders", rows: count },
      { table: "people", rows: 0 },
    ]);
    expect(rows(`at${count}`)).toBe(count);
  }
  const before = readFileSync(join(at, "app.db"));
  for (const from of ["'full', 'inc2'", "'inc1', 'inc2'", "'inc2'"]) {
    expect(await refusal(vault, `RESTORE DATABASE app FROM ${from}`), from).toMatch(/CHAIN_|RECORD_|BACKUP_/);
  }
  expect(readFileSync(join(at, "app.db"))).toEqual(before);
  // Nothing of what went to one place is in another.
  expect(existsSync(join(at, "usual"))).toBe(false);
  expect(await refusal(vault, "BACKUP DATABASE app TO 'x' INCREMENTAL FROM 'nothing'")).toBe("BACKUP_NONE");
});

test("B2 B4 what a restore replaces is backed up beside the chain it comes from, which stays whole", async () => {
  for (const usual of [true, false]) {
    const { at, path, sql, rows } = fresh();
    const store = usual ? folder(join(at, "usual")) : undefined;
    const openStore = (urls: readonly string[]) => folder(join(at, urls.join(" ")));
    const vault = openVault({ databases: { app: file(path("app")) }, store, openStore });
    await vault.sql("BACKUP DATABASE app TO 'full'");
    sql("app", "INSERT INTO orders VALUES (2, 'b')");
    await vault.sql("BACKUP DATABASE app TO 'inc' INCREMENTAL FROM 'full'");
    const { rows: done, notices } = await vault.sql("RESTORE DATABASE app FROM 'full'");
    expect(rows("app")).toBe(1);
    await vault.sql("RESTORE DATABASE app FROM 'full', 'inc'");
    expect(rows("app")).toBe(2);
    if (usual) await vault.sql(`RESTORE DATABASE app AS OF SYSTEM TIME '${done[0]?.undo}'`);
    else
      expect(notices).toEqual([
        expect.stringMatching(/^app: what was there is backed up as app\.replaced in /),
      ]);
    expect(rows("app")).toBe(2);
  }
});

test("B2 of several databases, one that cannot be restored keeps no other from it", async () => {
  const { vault, sql, rows } = fresh();
  await vault.sql("BACKUP DATABASE app, shop");
  sql("shop", "INSERT INTO orders VALUES (1, 'a')");
  const error = await vault.sql("RESTORE DATABASE app, missing, shop").catch((error) => error);
  expect([error.code, error.message]).toEqual([
    "DATABASE_UNKNOWN",
    expect.stringMatching(/^missing: not restored, and 2 others are: /),
  ]);
  expect(rows("shop")).toBe(0);
});

test("B11 a backup as of a time is of the state then, or refused", async () => {
  const { vault, sql } = fresh();
  await sleep(300);
  const between = new Date(Date.now() - 100).toISOString();
  expect((await vault.sql(`BACKUP DATABASE app AS OF SYSTEM TIME '${between}'`)).rows).toHaveLength(1);
  sql("app", "INSERT INTO orders VALUES (2, 'b')");
  expect(await refusal(vault, `BACKUP DATABASE app AS OF SYSTEM TIME '${between}'`)).toBe("HISTORY_UNKNOWN");
  const year = new Date().getUTCFullYear() + 1;
  expect(await refusal(vault, `BACKUP DATABASE app AS OF SYSTEM TIME '${year}-01-01'`)).toBe(
    "TIME_AFTER_LAST",
  );
  expect(await refusal(vault, "BACKUP DATABASE app AS OF SYSTEM TIME 'soon'")).toBe("STATEMENT_SYNTAX 38");
  expect(await refusal(vault, "RESTORE DATABASE app AS OF SYSTEM TIME '2001-01-01'")).toBe(
    "TIME_BEFORE_FIRST",
  );
});

test("B12 where nobody watches a database, WITH revision_history says what is not kept", async () => {
  const { vault } = fresh();
  const { notices } = await vault.sql("BACKUP DATABASE app WITH revision_history");
  expect(notices).toEqual([expect.stringContaining("pagemark watch")]);
});

test("B12 where a watch stores the states, each of them can be restored, and nothing is to be told", async () => {
  const { vault, sql, rows, at, path } = fresh();
  using program = new DatabaseSync(path("app"));
  const stopping = new AbortController();
  const database = pagemark(file(path("app")), { store: folder(join(at, "usual")), name: "app" });
  const watching = watch([database], { everyMs: 50, signal: stopping.signal });
  const moments: [string, number][] = [];
  for (let id = 2; id < 6; id++) {
    program.exec(`INSERT INTO orders VALUES (${id}, 'x')`);
    await watching.sync("app");
    await sleep(30);
    moments.push([new Date().toISOString(), id]);
    await sleep(30);
  }
  stopping.abort();
  await watching.done;
  for (const [moment, count] of moments) {
    await vault.sql(`RESTORE DATABASE app AS OF SYSTEM TIME '${moment}' WITH new_db_name = 'then_${count}'`);
    expect(rows(`then_${count}`), moment).toBe(count);
  }
  sql("app", "INSERT INTO orders VALUES (6, 'x')");
  expect((await vault.sql("BACKUP DATABASE app WITH revision_history")).notices).toEqual([]);
});

test("E2 a table goes back into its database, or another one, and others stay", async () => {
  const { vault, sql, rows } = fresh();
  await vault.sql("BACKUP DATABASE app");
  sql("app", "DELETE FROM orders; INSERT INTO people VALUES ('new')");
  const { rows: shown } = await vault.sql("RESTORE TABLE app.orders");
  expect(shown).toMatchObject([{ database: "app", table: "orders", rows: 1 }]);
  expect([rows("app"), rows("app", "people")]).toEqual([1, 1]);
  await vault.sql("RESTORE TABLE app.orders WITH into_db = 'shop'");
  expect(rows("shop")).toBe(1);
  expect(await refusal(vault, "RESTORE TABLE orders")).toBe("USAGE");
  expect((await vault.sql("RESTORE TABLE orders", { database: "app" })).rows).toHaveLength(1);
});

test("E2 E3 one table is backed up alone, and no database is restored from that", async () => {
  const { vault, sql, rows } = fresh();
  expect((await vault.sql("BACKUP TABLE app.orders TO 'tables'")).rows).toMatchObject([
    { database: "app", state: "done" },
  ]);
  expect(await refusal(vault, "RESTORE DATABASE app FROM 'tables'")).toBe("BACKUP_NONE");
  sql("app", "DELETE FROM orders; INSERT INTO people VALUES ('new')");
  await vault.sql("RESTORE TABLE app.orders FROM 'tables'");
  expect([rows("app"), rows("app", "people")]).toEqual([1, 1]);
  expect(await refusal(vault, "RESTORE DATABASE \"app.orders\" FROM 'tables' WITH new_db_name = 'x'")).toBe(
    "BACKUP_PARTIAL",
  );
  expect(await refusal(vault, "BACKUP TABLE app.missing")).toBe("TABLE_UNKNOWN");
  await vault.sql("BACKUP DATABASE app");
  await vault.sql("BACKUP TABLE app.orders, app.people");
  for (const show of ["SHOW BACKUPS", "SHOW BACKUPS FROM app"]) {
    const listed = (await vault.sql(show)).rows.map(({ database, partial }) => [database, partial]);
    expect([listed[0], listed.at(-1)], show).toEqual([
      ["app", "orders, people"],
      ["app", undefined],
    ]);
  }
  expect((await vault.sql("SHOW BACKUPS IN 'tables'")).rows).toMatchObject([
    { database: "app", partial: "orders" },
  ]);
});

test("E8 between CREATE and RELEASE the files can be copied while writes go on", async () => {
  const { vault, sql, at, path } = fresh();
  // Nobody has it open, and its log is empty.
  await vault.sql("CHECKPOINT CREATE app");
  await vault.sql("CHECKPOINT RELEASE app");
  sql("app", "PRAGMA wal_autocheckpoint = 1");
  using writer = new DatabaseSync(path("app"));
  writer.exec("PRAGMA wal_autocheckpoint = 1; INSERT INTO orders VALUES (2, 'b')");
  await vault.sql("SNAPSHOT PREPARE app");
  expect(await refusal(vault, "CHECKPOINT CREATE app")).toBe("CHECKPOINT_EXISTS");
  mkdirSync(join(at, "copy"));
  const copy = join(at, "copy", "app.db");
  // The database first, and its log after many writes and attempts to bring them into the database.
  copyFileSync(path("app"), copy);
  for (let id = 10; id < 60; id++) writer.exec(`INSERT INTO orders VALUES (${id}, 'c')`);
  copyFileSync(`${path("app")}-wal`, `${copy}-wal`);
  const { rows } = await vault.sql("SELECT * FROM checkpoint_status()");
  expect(rows).toMatchObject([
    { database: "app", in_progress: true },
    { database: "shop", in_progress: false },
  ]);
  await vault.sql("CHECKPOINT RELEASE app");
  expect(await refusal(vault, "SNAPSHOT COMPLETE app")).toBe("CHECKPOINT_NONE");
  // All databases are held or none, and what is held is released whatever the others are.
  sql("shop", "PRAGMA journal_mode = DELETE");
  expect(await refusal(vault, "SNAPSHOT PREPARE")).toBe("USAGE");
  await vault.sql("CHECKPOINT CREATE app");
  expect(await refusal(vault, "SNAPSHOT COMPLETE")).toBe("CHECKPOINT_NONE");
  expect((await vault.sql("SHOW CHECKPOINTS")).rows).toMatchObject([
    { in_progress: false },
    { in_progress: false },
  ]);
  using copied = new DatabaseSync(copy);
  expect(copied.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  expect(copied.prepare("SELECT count(*) AS n FROM orders").get()).toEqual({ n: 52 });
});

test("B6 schedules have the inputs of the documented script, and wrong ones are refused at their word", async () => {
  const { vault, saved } = fresh();
  const create = "CREATE SCHEDULE nightly FOR BACKUP DATABASE app INTO './b' RECURRING '@daily' FULL BACKUP";
  expect(await refusal(vault, `${create} 'Sonntag'`)).toBe(`STATEMENT_SYNTAX ${create.length + 1}`);
  await vault.sql(`${create} 'Sunday'`);
  expect(saved).toMatchObject([
    { databases: ["app"], place: ["./b"], full: { kind: "recurring", times: "Sunday" } },
  ]);
  expect(await refusal(vault, `${create} ALWAYS`)).toBe("SCHEDULE_EXISTS");
  expect((await vault.sql("PAUSE SCHEDULE nightly")).rows).toMatchObject([
    { state: "paused", next_run: null },
  ]);
  expect(await refusal(vault, "DROP SCHEDULE other")).toBe("SCHEDULE_UNKNOWN");
  await vault.sql("DROP SCHEDULE nightly");
  expect(saved).toEqual([]);
  const many = Array.from({ length: 5 }, () => vault.sql("CREATE SCHEDULE FOR BACKUP RECURRING '@daily'"));
  await Promise.all(many);
  expect(saved.map(({ name }) => name)).toEqual([1, 2, 3, 4, 5].map((number) => `schedule_${number}`));
  expect(await refusal(vault, "CREATE SCHEDULE FOR BACKUP DATABASE missing RECURRING '@daily'")).toBe(
    "DATABASE_UNKNOWN",
  );
});

test("B27 random URLs are opened or refused with a code, and their secrets are in no message", async () => {
  const { path } = fresh();
  const opened = openVault({
    databases: { app: file(path("app")) },
    openStore: ([url = ""]) => {
      openStore(url, { env: {} });
      return memoryStore();
    },
  });
  const pieces = [
    "s3://",
    "https://",
    "sftp://",
    "file://",
    "x:",
    "key:SECRET@",
    "b",
    "/",
    "?",
    "&",
    "=",
    "%",
    "%2F",
    "%zz",
    "region",
    "endpoint",
    "é",
    "[",
    "@",
    ":",
    "#",
    " ",
    "..",
    "\\",
    "''",
  ];
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 1;
    // Its low bits repeat soon.
    return (seed >>> 8) % below;
  };
  for (let count = Number(process.env.PAGEMARK_STATEMENTS ?? 300); count > 0; count--) {
    const url = Array.from({ length: 1 + random(8) }, () => pieces[random(pieces.length)]).join("");
    const error = await opened.sql(`SHOW BACKUPS IN '${url}'`).then(
      () => undefined,
      (error) => error,
    );
    // Where all was well, nothing is stored there.
    expect(error?.code, `${url}: ${error?.stack}`).toMatch(/^[A-Z_]+$/);
    if (/^(s3|https|sftp):\/\/key:SECRET@/.test(url)) expect(error.message, url).not.toContain("SECRET");
  }
});

test("what only reads refuses all else, and what needs a store says so", async () => {
  const { vault, path } = fresh();
  for (const statement of [
    "BACKUP DATABASE",
    "RESTORE DATABASE app",
    "CHECKPOINT CREATE",
    "DROP SCHEDULE x",
  ]) {
    await expect(vault.sql(statement, { readOnly: true }), statement).rejects.toMatchObject({
      code: "READ_ONLY",
    });
  }
  const bare = openVault({ databases: { app: file(path("app")) } });
  expect(await refusal(bare, "BACKUP DATABASE app")).toBe("USAGE");
  expect(await refusal(bare, "BACKUP DATABASE app TO 'x'")).toBe("STATEMENT_UNSUPPORTED");
  expect(await refusal(bare, "SHOW SCHEDULES")).toBe("STATEMENT_UNSUPPORTED");
  expect(await refusal(bare, "BACKUP DATABASE other")).toBe("DATABASE_UNKNOWN");
});
