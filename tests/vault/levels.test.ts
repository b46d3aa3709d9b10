// Levels of a watched chain: a restore reads few files, and any of them may be missing.
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { file, folder as folderStore, pagemark, watch } from "pagemark";
import { expect, onTestFinished, test, vi } from "vitest";
import { litestreamRestore } from "../support/litestream.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();

test("incrementals are merged as they age; every backup restores as before, here and by litestream", async () => {
  const [path, stored] = [join(folder, "app.db"), join(folder, "store")];
  const app = new DatabaseSync(path);
  onTestFinished(() => app.close());
  app.exec(`PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE TABLE t (id INTEGER PRIMARY KEY, v);
    WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT i, randomblob(700) FROM n`);
  const db = pagemark(file(path), { store: folderStore(stored), name: "app" });
  // Eleven minutes pass between two looks: a backup is due, and what can be merged is.
  let ahead = 0;
  const { now } = Date;
  vi.spyOn(Date, "now").mockImplementation(() => now() + ahead);
  const stopping = new AbortController();
  const watcher = watch([db], { everyMs: 3_600_000, signal: stopping.signal });
  onTestFinished(() => {
    stopping.abort();
    vi.restoreAllMocks();
    return watcher.done;
  });
  await watcher.sync();
  for (let i = 0; i < 19; i++) {
    ahead += 660_000;
    app.exec(
      `UPDATE t SET v = randomblob(700) WHERE id IN (${i}, 5, 2000); INSERT INTO t (v) VALUES (randomblob(9000))`,
    );
    // What was cut off must stay away.
    if (i % 6 === 5) app.exec("DELETE FROM t WHERE id > 2000; PRAGMA incremental_vacuum");
    await watcher.sync();
  }
  const level = (n: number) => readdirSync(join(stored, `app/ltx/${n}`));
  const backups: string[] = [];
  for await (const { txid } of db.backups()) backups.push(txid);
  expect([backups.length, level(0).length]).toEqual([20, 19]);
  await expect.poll(() => level(2).length).toBe(2);
  const bytesOf = async (txid: string) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of await db.download(txid)) chunks.push(chunk.slice());
    return Buffer.concat(chunks);
  };
  const some = [0, 3, 4, 12].map((at) => backups[at] ?? "");
  const images = await Promise.all(some.map(bytesOf));
  for (const [at, txid] of some.entries())
    expect(litestreamRestore(join(stored, "app"), "-txid", txid).equals(images[at] ?? Buffer.alloc(0))).toBe(
      true,
    );

  // One that is damaged is found, and told apart from backups; without them, all is as it was.
  const [merged = ""] = level(2);
  writeFileSync(join(stored, "app/ltx/2", merged), Buffer.alloc(500, 7));
  expect((await db.verify()).problems).toMatchObject([{ name: expect.stringContaining(`ltx/2/${merged}`) }]);
  rmSync(join(stored, "app/ltx/2"), { recursive: true });
  for (const [at, txid] of some.entries())
    expect((await bytesOf(txid)).equals(images[at] ?? Buffer.alloc(0))).toBe(true);
  expect((await db.verify()).problems).toEqual([]);
}, 60_000);
