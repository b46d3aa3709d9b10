// A backup in steps where it is made for: in workerd, into a real bucket.
import { env } from "cloudflare:workers";
import { type BackupRunState, backupSteps, pagemark, type R2Binding, r2 } from "pagemark";
import { Database } from "pagemark/engine";
import { expect, test } from "vitest";
import { readAll } from "../../contracts/store-cases/bytes.ts";

const bucket = (env as unknown as { BACKUPS: R2Binding }).BACKUPS;

test("C5 every step may be made twice, an incremental one follows, an abort leaves nothing, in workerd", async () => {
  for (const { key } of (await bucket.list()).objects) await bucket.delete(key);
  using db = await Database.open({ name: "steps", history: { commits: 10 } });
  db.exec("CREATE TABLE a (id INTEGER PRIMARY KEY, payload)");
  const fill = db.prepare(
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO a (payload) SELECT randomblob(3000) FROM n",
  );
  const kinds: unknown[] = [];
  for (const rows of [4000, 10]) {
    fill.run(rows);
    const image = db.serialize();
    let state: BackupRunState = await backupSteps(db, { store: r2(bucket) }).start();
    for (let made = 0; made === 0; ) {
      // Each by a store and a run of its own, as in an object that is evicted between alarms.
      await backupSteps(db, { store: r2(bucket) }).step(structuredClone(state));
      const step = await backupSteps(db, { store: r2(bucket) }).step(structuredClone(state));
      state = step.state;
      if (step.done) made = kinds.push(step.done.kind);
    }
    const backups = pagemark(db, { store: r2(bucket) });
    expect((await backups.verify()).problems).toEqual([]);
    const restored = await readAll(await backups.download());
    expect(restored.length === image.length && restored.every((byte, at) => byte === image[at])).toBe(true);
  }
  expect(kinds).toEqual(["full", "incremental"]);
  const keys = (await bucket.list()).objects.map(({ key }) => key);
  expect(keys).toHaveLength(6);

  const steps = backupSteps(db, { store: r2(bucket) });
  let state = await steps.start({ full: true });
  for (let n = 0; n < 2; n++) ({ state } = await steps.step(state));
  expect((await bucket.list({ prefix: ".pagemark/" })).objects).toHaveLength(1);
  await steps.abort(state);
  expect((await bucket.list()).objects.map(({ key }) => key)).toEqual(keys);
}, 60_000);
