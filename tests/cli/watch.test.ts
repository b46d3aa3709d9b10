// `watch` as an operator runs it: its port, the application under it, signals, new files.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { CommandLine, main } from "../support/cli.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);

/** A port that is free now. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function start(...args: string[]) {
  const child = spawn(process.execPath, [main, "watch", ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let errors = "";
  child.stderr.on("data", (data) => (errors += data));
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, ended, errors: () => errors };
}

function inWalMode(name: string): DatabaseSync {
  const db = new DatabaseSync(join(folder, name));
  onTestFinished(() => db.close());
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  return db;
}

const rowsOf = (name: string) => {
  const db = new DatabaseSync(join(folder, name));
  try {
    return db.prepare("SELECT count(*) AS n FROM t").get()?.n;
  } finally {
    db.close();
  }
};

test("E12 its port says how it goes; SIGTERM stores what was committed, and it exits with 0", async () => {
  mkdirSync(join(folder, "data"));
  const db = inWalMode("data/one.db");
  const port = await freePort();
  const { child, ended, errors } = start(
    "data/*.db",
    "--to",
    "store",
    "--every",
    "1h",
    "--listen",
    String(port),
  );
  const ask = (path: string, init?: RequestInit) =>
    fetch(`http://127.0.0.1:${port}${path}`, init).catch(() => undefined);
  await expect.poll(async () => (await ask("/healthz"))?.status, { timeout: 20_000 }).toBe(200);
  db.exec("INSERT INTO t VALUES (2)");
  expect(await (await ask("/sync", { method: "POST" }))?.json()).toMatchObject({ stored: [{ name: "one" }] });
  expect(await (await ask("/status"))?.json()).toMatchObject({
    databases: [{ name: "one", state: "following", errors: 0 }],
  });
  const metrics = (await (await ask("/metrics"))?.text()) ?? "";
  expect(metrics).toContain('pagemark_up{database="one"} 1');
  expect(metrics).toMatch(/^# TYPE pagemark_states_total counter$/m);
  // A page in a browser cannot ask.
  expect((await ask("/sync", { method: "POST", headers: { origin: "http://example.com" } }))?.status).toBe(
    403,
  );
  inWalMode("data/two.db");
  await expect
    .poll(async () => (await (await ask("/status"))?.json())?.databases.length, { timeout: 10_000 })
    .toBe(2);
  db.exec("INSERT INTO t VALUES (3)");
  child.kill("SIGTERM");
  expect([await ended, errors()]).toEqual([0, ""]);
  cli.json("restore", "one", "--from", "store", "-o", "one.db");
  expect(rowsOf("one.db")).toBe(3);
});

test("with --exec it lasts as long as the application, stores its last commit and has its exit code", async () => {
  inWalMode("app.db");
  const program =
    "const { DatabaseSync } = require('node:sqlite'); new DatabaseSync('app.db').exec('INSERT INTO t VALUES (2)'); process.exit(7)";
  const { ended } = start(
    "app.db",
    "--to",
    "store",
    "--exec",
    `${process.execPath} --no-warnings -e "${program}"`,
  );
  expect(await ended).toBe(7);
  cli.json("restore", "app", "--from", "store", "-o", "restored.db");
  expect(rowsOf("restored.db")).toBe(2);
  const again = cli.run("restore", "app", "--from", "store", "-o", "restored.db", "--if-not-exists");
  expect([again.status, again.stderr]).toEqual([0, "note: restored.db exists: nothing was restored\n"]);
  const none = cli.runWith({ PAGEMARK_TO: "store" }, "restore", "none", "--if-backup-exists");
  expect([none.status, none.stderr]).toEqual([
    0,
    "note: there is no backup of none in store: nothing was restored\n",
  ]);
});

test("names that would be one in the store, and a port for everybody, are wrong usage", () => {
  expect(cli.failure("watch", "a/x.db", "b/x.db", "--to", "store")).toEqual([2, "USAGE"]);
  expect(cli.failure("watch", "x.db", "--to", "store", "--listen", "0.0.0.0:80")).toEqual([2, "USAGE"]);
  const { status } = spawnSync(process.execPath, [main, "watch"], { cwd: folder });
  expect(status).toBe(2);
});
