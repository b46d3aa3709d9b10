// A replica that a running litestream wrote and compacted is restored by Pagemark at any TXID, as litestream does.
import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { Backups, folder as folderStore } from "pagemark";
import { beforeAll, expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";

const litestream = join(import.meta.dirname, "../../.cache/bin/litestream");
const folder = tempFolder();
const replica = join(folder, "replica/app");
const SECONDS = 9;

beforeAll(async () => {
  const path = join(folder, "app.db");
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, data BLOB)");
  const config = join(folder, "litestream.yml");
  writeFileSync(
    config,
    `snapshot: { interval: 3s, retention: 1h }
levels: [{ interval: 1s }, { interval: 2s }, { interval: 3s }]
l0-retention: 1h
dbs:
  - path: ${path}
    monitor-interval: 100ms
    replica: { type: file, path: ${replica}, sync-interval: 100ms }
`,
  );
  const process = spawn(litestream, ["replicate", "-config", config], { stdio: "ignore" });
  const ended = new Promise((resolve) => process.on("exit", resolve));
  for (let end = Date.now() + SECONDS * 1000; Date.now() < end; await sleep(150)) {
    db.exec("INSERT INTO t (n, data) VALUES (0, randomblob(3000)); UPDATE t SET n = n + 1 WHERE id % 3 = 0");
    if (Math.random() < 0.1) db.exec("DELETE FROM t WHERE id % 5 = 0");
  }
  process.kill("SIGINT");
  await ended;
  db.close();
}, 60_000);

test("levels 0 to 9, after compaction, at the latest state and at every TXID", async () => {
  const levels = readdirSync(join(replica, "ltx"));
  expect(levels.sort((a, b) => (a < b ? -1 : 1))).toEqual(["0", "1", "2", "3", "9"]);
  const files = levels.flatMap((level) => readdirSync(join(replica, "ltx", level)));
  const txids = [...new Set(files.map((name) => name.slice(17, 33)))];
  expect(txids.length).toBeGreaterThan(10);
  const backups = await Backups.open("app", folderStore(join(folder, "replica")));
  for (const txid of [undefined, ...txids]) {
    const { body } = await backups.download(txid);
    const ours = Buffer.from(await new Response(body).arrayBuffer());
    expect([txid, ours.equals(stock(txid))]).toEqual([txid, true]);
  }
  expect((await backups.verify()).problems).toEqual([]);
}, 60_000);

function stock(txid: string | undefined): Buffer {
  const output = join(folder, "stock.db");
  rmSync(output, { force: true });
  const at = txid === undefined ? [] : ["-txid", txid];
  execFileSync(litestream, ["restore", ...at, "-o", output, `file://${replica}`], { stdio: "pipe" });
  return readFileSync(output);
}
