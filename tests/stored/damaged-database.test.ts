// A database with a damaged page is backed up as it is, and what the backup holds is what a restore gives.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { file, folder as folderStore, pagemark, readTables } from "pagemark";
import { Database } from "pagemark/engine";
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const PAGE = 1024;

/** A database of two tables; a leaf of `bad` is noise. */
function damaged(path: string): Buffer {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA page_size=${PAGE}; CREATE TABLE good (a); INSERT INTO good VALUES (1), (2);
    CREATE TABLE bad (id INTEGER PRIMARY KEY, a); INSERT INTO bad (a)
    WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT 'value ' || i FROM n`);
  db.close();
  const bytes = readFileSync(path);
  const pages = Array.from({ length: bytes.length / PAGE }, (_, index) => index);
  const leaf = pages.filter((page) => page > 0 && bytes[page * PAGE] === 13)[5] ?? 0;
  bytes.fill(0xee, leaf * PAGE, (leaf + 1) * PAGE);
  writeFileSync(path, bytes);
  return bytes;
}

test("it is restored, in place and elsewhere, downloaded and previewed, and the restore is undone", async () => {
  const path = join(folder, "app.db");
  const bytes = damaged(path);
  const store = folderStore(join(folder, "store"));
  const db = pagemark(file(path), { name: "app", store });
  const { id } = await db.backup();

  const elsewhere = join(folder, "elsewhere.db");
  const copy = pagemark(file(elsewhere), { name: "app", store });
  const { tables } = await copy.preview({ at: id });
  const rows = tables.map(({ name, change, rowsThen }) => [name, change, rowsThen]);
  expect(rows).toEqual([
    ["bad", "come", null],
    ["good", "come", 2],
  ]);
  await copy.restore({ at: id });
  expect(readFileSync(elsewhere).equals(bytes)).toBe(true);
  const download = await new Response(await db.download(id)).arrayBuffer();
  expect(Buffer.from(download).equals(bytes)).toBe(true);

  const changed = new DatabaseSync(path);
  changed.exec("INSERT INTO good VALUES (3)");
  changed.close();
  const before = readFileSync(path);
  const { undo } = await db.restore({ at: id });
  expect(readFileSync(path).equals(bytes)).toBe(true);
  await db.restore({ at: undo ?? "" });
  expect(readFileSync(path).equals(before)).toBe(true);
  // Which table it is can be asked for.
  const page = async (pgno: number) => bytes.subarray((pgno - 1) * PAGE, pgno * PAGE);
  const found = await readTables(page, bytes.length / PAGE, true);
  expect(found.map(({ name, rows, damagedPage }) => [name, rows, damagedPage !== undefined])).toEqual([
    ["good", 2, false],
    ["bad", undefined, true],
  ]);
});

test("whoever restores or downloads it is told which table is damaged, and of a sound one nothing", async () => {
  const path = join(folder, "told.db");
  const bytes = damaged(path);
  const sound = join(folder, "sound.db");
  new DatabaseSync(sound).exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  const store = folderStore(join(folder, "telling"));
  for (const [name, source] of [
    ["told", path],
    ["sound", sound],
  ] as const) {
    const db = pagemark(file(source), { name, store });
    await db.backup();
    const warnings: string[] = [];
    const onWarning = (message: string) => warnings.push(message);
    await pagemark(file(join(folder, `${name}-copy.db`)), { name, store }).restore({ onWarning });
    const body = await new Response(await db.download(undefined, { onWarning })).arrayBuffer();
    if (name === "sound") {
      expect(warnings).toEqual([]);
      continue;
    }
    expect(Buffer.from(body).equals(bytes)).toBe(true);
    const said = /^table "bad" has a damaged page \(page \d+\), as it had when it was backed up$/;
    expect(warnings).toEqual([expect.stringMatching(said), expect.stringMatching(said)]);
  }
});

test("a live database takes it, and its backup is restored", async () => {
  const bytes = damaged(join(folder, "live.db"));
  const store = folderStore(join(folder, "live"));
  using live = await Database.open({ name: "live" });
  await live.load(new Blob([Uint8Array.from(bytes)]));
  const db = pagemark(live, { name: "live", store });
  const { id } = await db.backup();
  const backedUp = Buffer.from(live.serialize());
  live.exec("DELETE FROM good");
  await db.restore({ at: id });
  expect(live.prepare("SELECT count(*) AS n FROM good").all()).toEqual([{ n: 2 }]);
  const download = Buffer.from(await new Response(await db.download(id)).arrayBuffer());
  expect(download.equals(backedUp)).toBe(true);
});
