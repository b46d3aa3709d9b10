// The unmodified litestream 0.5.17 restores every state that Pagemark backed up, byte for byte.
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { type Database, file, folder as folderStore, type NewBackup, pagemark } from "pagemark";
import { describe, expect, test } from "vitest";
import { SHAPES } from "../support/databases.ts";
import { litestreamRestore } from "../support/litestream.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const store = join(folder, "store");

/** A backup, and the database file as it was then. */
interface State {
  backup: NewBackup;
  bytes: Buffer;
}

describe("B4 litestream restores every TXID, byte for byte, of a database with", () => {
  test.each(SHAPES)("$name", async ({ name, make, changes }) => {
    const path = join(folder, `${name.replaceAll(" ", "-")}.db`);
    make(path);
    const db = pagemark(file(path), { store: folderStore(store) });
    const states = [{ backup: await db.backup(), bytes: readFileSync(path) }];
    for (const change of changes) {
      runSql(path, change);
      states.push({ backup: await db.backup(), bytes: readFileSync(path) });
    }
    // All but the first are incremental, unless the page size is another one.
    const sizes = states.map(({ backup }) => backup.pageSize);
    const kinds = sizes.map((size, at) => (size === sizes[at - 1] ? "incremental" : "full"));
    expect(states.map(({ backup }) => backup.kind)).toEqual(kinds);
    await proveAll(db, states);
  });
});

test("the shapes are what their names say", () => {
  const header = (name: string) => {
    const path = join(folder, `${name}.header.db`.replaceAll(" ", "-"));
    SHAPES.find((shape) => shape.name === name)?.make(path);
    const bytes = readFileSync(path);
    return {
      pageSize: bytes.readUInt16BE(16) === 1 ? 65536 : bytes.readUInt16BE(16),
      wal: bytes[18] === 2,
      reserved: bytes[20],
      largestRoot: bytes.readUInt32BE(52), // above 0 with auto_vacuum
      encoding: bytes.readUInt32BE(56),
    };
  };
  expect(header("pages of 65536").pageSize).toBe(65536);
  expect(header("pages of 512 that reserve 32 bytes")).toMatchObject({ pageSize: 512, reserved: 32 });
  expect(header("pages of 4096 that reserve 255 bytes")).toMatchObject({ pageSize: 4096, reserved: 255 });
  expect(header("auto_vacuum").largestRoot).toBeGreaterThan(0);
  expect([header("UTF-16le").encoding, header("UTF-16be").encoding]).toEqual([2, 3]);
  expect(header("WAL mode").wal).toBe(true);
});

test("B4 litestream restores every TXID of proj.db, which nobody here wrote", async () => {
  const path = join(folder, "proj.db");
  copyFileSync(join(import.meta.dirname, "../../.cache/proj.db"), path);
  const db = pagemark(file(path), { store: folderStore(store) });
  const states = [{ backup: await db.backup(), bytes: readFileSync(path) }];
  for (const change of [
    "UPDATE usage SET object_auth_name = 'CHANGED' WHERE rowid % 100 = 0",
    tableSql("growth", 500, 2000),
    "DROP TABLE growth; DELETE FROM usage WHERE rowid % 2 = 0; VACUUM",
    tableSql("again", 300, 2000),
  ]) {
    runSql(path, change);
    states.push({ backup: await db.backup(), bytes: readFileSync(path) });
  }
  await proveAll(db, states);
}, 60_000);

test("B4 litestream restores commits that were in the WAL alone, as a checkpoint would write them", async () => {
  const path = join(folder, "hot.db");
  const writer = new DatabaseSync(path);
  writer.exec(`PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; ${tableSql("a", 300)}`);
  const db = pagemark(file(path), { store: folderStore(store) });
  const states: State[] = [];
  for (const change of [
    "SELECT 1",
    "UPDATE a SET note = 'changed' WHERE id % 9 = 0",
    tableSql("b", 200, 900),
  ]) {
    writer.exec(change);
    states.push({ backup: await db.backup(), bytes: checkpointedCopy(path) });
  }
  writer.close();
  expect(states.map(({ backup }) => backup.kind)).toEqual(["full", "incremental", "incremental"]);
  await proveAll(db, states);
});

test("B11 litestream restores the newest backup before a -timestamp, as Pagemark restores the newest before a time", async () => {
  const path = join(folder, "times.db");
  runSql(path, tableSql("a", 100));
  const db = pagemark(file(path), { store: folderStore(store) });
  const states: State[] = [];
  for (let n = 0; n < 4; n++) {
    runSql(path, `UPDATE a SET note = 'state ${n}' WHERE id % 3 = 0`);
    states.push({ backup: await db.backup(), bytes: readFileSync(path) });
    await sleep(40);
  }
  for (const [n, { bytes, backup }] of states.slice(0, -1).entries()) {
    const next = Date.parse(states[n + 1]?.backup.createdAt ?? "");
    const between = new Date((Date.parse(backup.createdAt) + next) / 2);
    expect(litestreamRestore(join(store, "times"), "-timestamp", between.toISOString()).equals(bytes)).toBe(
      true,
    );
    expect((await bytesOf(await db.download(between))).equals(bytes)).toBe(true);
  }
});

/** The database's own bytes, Pagemark's restore and litestream's are the same, at each TXID and at the latest. */
async function proveAll(db: Database, states: State[]): Promise<void> {
  const replica = join(store, db.name);
  for (const { backup, bytes } of states) {
    const ours = await bytesOf(await db.download(backup.txid));
    const stock = litestreamRestore(replica, "-txid", backup.txid);
    expect([backup.txid, ours.equals(bytes), stock.equals(bytes)]).toEqual([backup.txid, true, true]);
  }
  const latest = states.at(-1)?.bytes ?? Buffer.alloc(0);
  expect(litestreamRestore(replica).equals(latest)).toBe(true);
  expect((await bytesOf(await db.download())).equals(latest)).toBe(true);
}

/** The file as it is once a copy of it and of its WAL is checkpointed. */
function checkpointedCopy(path: string): Buffer {
  const copy = `${path}.copy`;
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  runSql(copy, "PRAGMA wal_checkpoint(TRUNCATE)");
  return readFileSync(copy);
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  return Buffer.from(await new Response(stream).arrayBuffer());
}
