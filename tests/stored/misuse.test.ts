// What callers without types pass: a typed error says what it should have been.
import {
  copy,
  d1,
  databasesIn,
  file,
  folder,
  memory,
  memoryStore,
  pagemark,
  r2,
  type Store,
  s3,
} from "pagemark";
import { Database, openBackup } from "pagemark/engine";
import { openVault } from "pagemark/vault";
import { describe, expect, test } from "vitest";

const store = memoryStore();

async function source() {
  using db = await Database.open();
  db.exec("CREATE TABLE t (a)");
  return memory(db.serialize());
}

const codeOf = async (call: () => unknown) => {
  try {
    await call();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return "none";
};

/** As from JavaScript. */
const untyped = (value: unknown) => value as never;

describe("a moment that is none is refused", () => {
  test.each([5, {}, [], new Date(Number.NaN), () => "now", true, null, ""])("%s", async (at) => {
    const db = pagemark(await source(), { store, name: "app" });
    await db.backup();
    expect(await codeOf(() => db.restore({ at: untyped(at) }))).toBe("USAGE");
    expect(await codeOf(() => db.download(untyped(at)))).toBe("USAGE");
    expect(await codeOf(() => db.show(untyped(at)))).toBe("USAGE");
    expect(await codeOf(() => db.verify({ at: untyped(at) }))).toBe("USAGE");
  });
});

test("a path where options belong is refused, and restores nothing", async () => {
  const db = pagemark(await source(), { store, name: "app" });
  await db.backup();
  expect(await codeOf(() => db.restore(untyped("app.db")))).toBe("USAGE");
});

test("a path is no source and no store, and a name is text", async () => {
  const image = await source();
  expect(await codeOf(() => pagemark(untyped("app.db"), { store }))).toBe("USAGE");
  expect(await codeOf(() => pagemark(image, { store: "./backups" as unknown as Store }))).toBe("USAGE");
  expect(await codeOf(() => pagemark(image, untyped(undefined)))).toBe("USAGE");
  expect(await codeOf(() => pagemark(image, { store, name: untyped(5) }))).toBe("USAGE");
});

test("an argument of another type than it should have is refused, never taken for something else", async () => {
  const db = pagemark(await source(), { store, name: "types" });
  await db.backup();
  using live = await Database.open({ name: "types" });
  live.exec("CREATE TABLE t (a)");
  const vault = openVault({ databases: {}, store });
  const calls: Record<string, (value: never) => unknown> = {
    backup: (value) => db.backup(value),
    "backup.tables": (tables) => db.backup({ tables }),
    "backup.full": (full) => db.backup({ full }),
    "backup.onProgress": (onProgress) => db.backup({ onProgress }),
    download: (value) => db.download(undefined, value),
    "dump.tables": (tables) => db.dump({ tables }),
    "dump.noData": (noData) => db.dump({ noData }),
    "dump.onWarning": (onWarning) => db.dump({ onWarning }),
    dumpTo: (key) => db.dumpTo(key),
    "dumpTo.gzip": (gzip) => db.dumpTo("x.sql", { gzip }),
    diff: (from) => db.diff(from),
    prune: (value) => db.prune(value),
    "prune.dryRun": (dryRun) => db.prune({ keepLast: 1, dryRun }),
    preview: (value) => db.preview(value),
    "restore.safety": (safety) => db.restore({ safety }),
    "restore.tables": (tables) => db.restore({ tables }),
    copy: (to) => copy(store, to),
    databasesIn: (value) => databasesIn(value),
    memory: (image) => memory(image),
    file: (path) => file(path),
    folder: (path) => folder(path),
    d1: (binding) => d1(binding),
    r2: (bucket) => r2(bucket),
    s3: (options) => s3(options),
    open: (value) => Database.open(value),
    "open.store": (value) => Database.open({ name: "another", store: value }),
    "open.name": (name) => Database.open({ name }),
    exec: (sql) => live.exec(sql),
    prepare: (sql) => live.prepare(sql),
    bookmarkAt: (at) => live.bookmarkAt(at),
    "live.restore": (at) => live.restore({ at }),
    "hold.leaseMs": (leaseMs) => live.hold({ leaseMs }),
    "live.dump": (value) => live.dump(value),
    openBackup: (from) => openBackup(from, "types"),
    openVault: (databases) => openVault({ databases }),
    "vault.sql": (sql) => vault.sql(sql),
  };
  const wrong = [5n, Number.NaN, Symbol("x"), [5], null];
  const taken: string[] = [];
  for (const [name, call] of Object.entries(calls)) {
    for (const value of wrong) {
      const code = await codeOf(() => call(untyped(value)));
      if (code !== "USAGE") taken.push(`${name}: ${typeof value}: ${code}`);
    }
  }
  expect(taken).toEqual([]);
  // Nothing that was refused left the engine in another state.
  expect(live.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 0 });
});
