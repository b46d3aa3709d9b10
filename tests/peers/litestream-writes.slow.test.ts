// Pagemark restores every state in a folder that litestream wrote, as litestream itself does.
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Backups, folder as folderStore } from "pagemark";
import { describe, expect, test } from "vitest";
import { SHAPES } from "../support/databases.ts";
import { litestreamOnce, litestreamRestore, litestreamRestoreIfItCan } from "../support/litestream.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();

// Litestream replicates databases in WAL mode, where SQLite keeps the page size.
const REPLICATED = SHAPES.filter(({ name }) => !name.includes("become"));

describe("B17 what litestream replicated is restored at every TXID, from a database with", () => {
  test.each(REPLICATED)("$name", async ({ name, make, changes }) => {
    const path = join(folder, `${name.replaceAll(" ", "-")}.db`);
    const replica = join(folder, "replicas", name.replaceAll(" ", "-"));
    make(path);
    runSql(path, "PRAGMA journal_mode = WAL");
    litestreamOnce(path, replica);
    for (const change of changes) {
      runSql(path, change);
      litestreamOnce(path, replica);
    }
    expect(txidsOf(replica).length).toBeGreaterThan(changes.length);
    await proveAll(replica);
  });
});

test("what litestream 0.5.14 replicated, each page in an LZ4 frame, is restored at every TXID", async () => {
  const fixture = join(import.meta.dirname, "../fixtures/litestream-0.5.14/app");
  const replica = join(folder, "replicas/frames");
  cpSync(fixture, replica, { recursive: true });
  const first = readFileSync(join(replica, "ltx/0", `${"1".padStart(16, "0")}-${"1".padStart(16, "0")}.ltx`));
  const FRAME_MAGIC = 0x184d2204;
  expect([first.readUInt16BE(104), first.readUInt32LE(106)]).toEqual([0, FRAME_MAGIC]);
  expect(txidsOf(replica)).toHaveLength(4);
  await proveAll(replica);
});

test("a TXID that litestream cannot restore is refused by Pagemark too", async () => {
  const path = join(folder, "few.db");
  const replica = join(folder, "replicas/few");
  runSql(path, "PRAGMA journal_mode = WAL; CREATE TABLE t (a)");
  litestreamOnce(path, replica);
  runSql(path, "INSERT INTO t VALUES (1)");
  litestreamOnce(path, replica);
  const past = "00000000000000ff";
  expect(litestreamRestoreIfItCan(replica, "-txid", past)).toBeUndefined();
  const backups = await Backups.open("few", folderStore(join(folder, "replicas")));
  await expect(backups.download(past)).rejects.toMatchObject({ code: "BACKUP_UNKNOWN" });
});

/** Pagemark's restore and litestream's are the same, at each TXID and at the latest. */
async function proveAll(replica: string): Promise<void> {
  const [, name = ""] = /([^/]+)$/.exec(replica) ?? [];
  const backups = await Backups.open(name, folderStore(join(folder, "replicas")));
  for (const txid of [undefined, ...txidsOf(replica)]) {
    const stock = litestreamRestore(replica, ...(txid === undefined ? [] : ["-txid", txid]));
    const { body } = await backups.download(txid);
    const ours = Buffer.from(await new Response(body).arrayBuffer());
    expect([txid, ours.equals(stock)]).toEqual([txid, true]);
  }
}

/** Where the files of a replica end. */
function txidsOf(replica: string): string[] {
  const files = readdirSync(join(replica, "ltx"), { recursive: true, encoding: "utf8" });
  return [...new Set(files.flatMap((name) => /-([0-9a-f]{16})\.ltx$/.exec(name)?.[1] ?? []))].sort();
}
