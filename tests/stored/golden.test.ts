// A store that was written before the core made the backups: it is read, proved and gone on with, for ever.
import { cpSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Backups, file, folder, pagemark } from "pagemark";
import { expect, test } from "vitest";
import { runSql, tempFolder } from "../support/temp.ts";

const GOLDEN = join(import.meta.dirname, "../fixtures/golden-store");

/** Rows of both tables, and the sum of the prices, at each of the five backups. */
const STATES = [
  { kind: "full", goods: 120, tags: 120, prices: 9075 },
  { kind: "incremental", goods: 121, tags: 120, prices: 9078.1 },
  { kind: "incremental", goods: 112, tags: 120, prices: 9021.85 },
  { kind: "full", goods: 112, tags: 120, prices: 9021.85 },
  { kind: "incremental", goods: 112, tags: 121, prices: 9021.85 },
];

test("every backup of it restores to what it was", async () => {
  const at = tempFolder();
  const backups = await Backups.open("shop", folder(GOLDEN));
  const list = (await backups.list()).reverse();
  expect(list.map(({ kind }) => kind)).toEqual(STATES.map(({ kind }) => kind));
  for (const [n, { bookmark }] of list.entries()) {
    const path = join(at, `${n}.db`);
    await pagemark(file(path), { name: "shop", store: folder(GOLDEN) }).restore({
      at: bookmark,
      safety: false,
    });
    const { kind: _, ...expected } = STATES[n] as (typeof STATES)[0];
    expect(contents(path), `backup ${n + 1}`).toEqual(expected);
  }
  const { sound, problems } = await backups.verify();
  expect([sound.length, problems]).toEqual([5, []]);
});

test("the next backup goes on with its chain", async () => {
  const at = tempFolder();
  cpSync(GOLDEN, join(at, "store"), { recursive: true });
  const store = folder(join(at, "store"));
  const path = join(at, "shop.db");
  const db = pagemark(file(path), { name: "shop", store });
  await db.restore({ safety: false });
  runSql(path, "INSERT INTO tags VALUES ('newer', 1)");
  const { kind, txid, warnings } = await db.backup({ sameDatabase: true });
  expect([kind, txid, warnings]).toEqual(["incremental", "0000000000000006", []]);
  const { sound, problems } = await db.verify();
  expect([sound.length, problems]).toEqual([6, []]);
});

function contents(path: string) {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const sql = `SELECT (SELECT count(*) FROM goods) AS goods, (SELECT count(*) FROM tags) AS tags,
      (SELECT round(sum(price), 2) FROM goods) AS prices`;
    expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    const { goods, tags, prices } = db.prepare(sql).get() as Record<string, number>;

    return { goods, tags, prices };
  } finally {
    db.close();
  }
}
