// Large databases are dumped on two threads: the same bytes, warnings and errors as on one, and no thread is left.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, copyFileSync, openSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Dialect, type DumpOptions, dumpSource, file, type PageSource } from "pagemark";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { main } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const DIALECTS: Dialect[] = ["sqlite", "d1", "sqlite3-cli-3.40", "sqlite3-cli-3.54"];
const folder = tempFolder();
const app = join(folder, "app.db");

/** Threads that were started, and those that have ended. */
let [started, ended] = [0, 0];
function onWorker(worker: { once(event: "exit", listener: () => void): unknown }) {
  started++;
  worker.once("exit", () => ended++);
}

beforeAll(() => {
  process.on("worker", onWorker);
  fill(app, 4096, 40_000);
});

afterAll(() => {
  process.off("worker", onWorker);
});

beforeEach(() => {
  [started, ended] = [0, 0];
});

/** About a kilobyte for each row, in tables of many kinds. */
function fill(path: string, pageSize: number, rows: number): void {
  runSql(
    path,
    `PRAGMA page_size = ${pageSize}; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
     CREATE TABLE even (id INTEGER PRIMARY KEY, a TEXT, n INT);
     CREATE TABLE odd (a TEXT, b REAL, n INT, data BLOB);
     CREATE TABLE keys (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
     CREATE TABLE long (a);
     CREATE INDEX by_n ON odd (n);
     WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
       INSERT INTO even SELECT i * 3, printf('%0400d', i), i FROM n;
     INSERT INTO odd SELECT substr(a, 1 + n * 7919 % 400), n / 7.0, iif(n % 9973, n, 'text'), randomblob(n % 300) FROM even;
     INSERT INTO keys SELECT n || 'key', a FROM even WHERE n % 5 = 0;
     INSERT INTO long SELECT printf('%0*d', 3000 + n % 20000, n) FROM even WHERE n % 40 = 0;
     INSERT INTO long SELECT zeroblob(9000000);
     INSERT INTO long SELECT n FROM even WHERE n < 100`,
  );
}

/** As on one thread: nobody else is told where the pages are. */
function alone(source: PageSource): PageSource {
  return {
    name: source.name,
    async pin(options) {
      const moment = await source.pin(options);
      const { pageSize, pageCount, taken } = moment;
      return { pageSize, pageCount, taken, read: moment.read.bind(moment), release: () => moment.release() };
    },
  };
}

/** Length and hash of a dump, and its warnings. */
async function dumped(source: PageSource, options: DumpOptions) {
  const warnings: string[] = [];
  const hash = createHash("sha256");
  let size = 0;
  const sql = await dumpSource(source, { ...options, onWarning: (warning) => warnings.push(warning) });
  for await (const chunk of sql) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { size, sha256: hash.digest("hex"), warnings };
}

async function compare(path: string, options: DumpOptions): Promise<void> {
  const expected = await dumped(alone(file(path)), options);
  expect(started).toBe(0);
  expect(await dumped(file(path), options)).toEqual(expected);
  expect([started, ended]).toEqual([1, 1]);
}

describe("a dump on two threads is the dump on one", () => {
  for (const dialect of DIALECTS) {
    test(`as ${dialect}, of a database with a WAL that is in use`, async () => {
      const db = new DatabaseSync(app);
      try {
        db.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF");
        db.exec("UPDATE even SET a = a || 'changed' WHERE n % 1000 = 1; DELETE FROM odd WHERE n % 1000 < 3");
        expect(statSync(`${app}-wal`).size).toBeGreaterThan(4096);
        await compare(app, { dialect });
      } finally {
        db.close();
      }
    });
  }

  test("with some of the tables only, or only rows", async () => {
    await compare(app, { tables: ["odd", "long"] });
    started = ended = 0;
    await compare(app, { noSchema: true, dialect: "d1" });
  });

  for (const pageSize of [1024, 8192, 65_536]) {
    test(`with pages of ${pageSize} bytes`, async () => {
      const path = join(folder, `pages-${pageSize}.db`);
      fill(path, pageSize, 36_000);
      await compare(path, {});
      started = ended = 0;
      await compare(path, { dialect: "d1" });
    });
  }

  test("no thread is started for what has no need of one", async () => {
    const small = join(folder, "small.db");
    runSql(small, "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000))");
    await dumped(file(small), {});
    await dumped(file(app), { noData: true });
    await dumped(file(app), { salvage: true });
    expect(started).toBe(0);
  });
});

describe("what goes wrong ends both threads", () => {
  test("a damaged page is named, wherever it is", async () => {
    const path = join(folder, "damaged.db");
    copyFileSync(app, path);
    // Somewhere in the rows, page after page, whatever they are.
    const fd = openSync(path, "r+");
    const pages = Math.floor(statSync(path).size / 4096);
    for (let page = Math.floor(pages / 3); page < pages / 3 + 3; page++) {
      writeSync(fd, new Uint8Array(4096).fill(255), 0, 4096, page * 4096);
    }
    closeSync(fd);
    const failure = (source: PageSource) => dumped(source, {}).catch((error) => error);
    const expected = await failure(alone(file(path)));
    expect(expected).toMatchObject({ name: "DamageError", code: "BTREE_PAGE" });
    const error = await failure(file(path));
    expect([error.name, error.code, error.page, error.message]).toEqual([
      expected.name,
      expected.code,
      expected.page,
      expected.message,
    ]);
    expect([started, ended]).toEqual([1, 1]);
  });

  test("an abort in the middle", async () => {
    const controller = new AbortController();
    const sql = await dumpSource(file(app), { signal: controller.signal });
    const reader = sql.getReader();
    for (let taken = 0; taken < 10_000_000; ) taken += (await reader.read()).value?.length ?? 0;
    controller.abort(new Error("enough"));
    const rest = async () => {
      while (!(await reader.read()).done);
    };
    await expect(rest()).rejects.toThrow("enough");
    expect([started, ended]).toEqual([1, 1]);
  });

  test("a reader that leaves", async () => {
    const sql = await dumpSource(file(app));
    const reader = sql.getReader();
    for (let taken = 0; taken < 10_000_000; ) taken += (await reader.read()).value?.length ?? 0;
    await reader.cancel();
    expect([started, ended]).toEqual([1, 1]);
    const { status, stderr } = spawnSync(
      "sh",
      ["-c", '"$0" "$1" dump "$2" | head -c 1000 > /dev/null', process.execPath, main, app],
      { encoding: "utf8" },
    );
    expect([status, stderr]).toEqual([0, ""]);
  });
});
