// examples/d1: a Worker that backs its D1 database up whenever its cron trigger fires.
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { memory, pagemark, type R2Binding, r2 } from "pagemark";
import { expect, onTestFinished, test } from "vitest";
import { modulesOf } from "./cloudflare.ts";

test("A1 B1 a cron trigger backs env.DB up to R2, fully and then what changed", async () => {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: await modulesOf(join(import.meta.dirname, "../../examples/d1/src/index.ts")),
      compatibilityDate: "2026-10-01",
      d1Databases: ["DB"],
      r2Buckets: ["BACKUPS"],
    }),
  );
  onTestFinished(() => miniflare.dispose());
  const db = await miniflare.getD1Database("DB");
  await db.batch([db.prepare("CREATE TABLE orders (id INTEGER PRIMARY KEY, total)")]);
  const worker = await miniflare.getWorker();
  for (const total of [5, 7]) {
    await db.prepare("INSERT INTO orders (total) VALUES (?)").bind(total).run();
    expect((await worker.scheduled({ cron: "0 * * * *" })).outcome).toBe("ok");
  }
  const bucket = (await miniflare.getR2Bucket("BACKUPS")) as unknown as R2Binding;
  const backups = await Array.fromAsync(
    pagemark(memory(new Uint8Array()), { name: "shop", store: r2(bucket) }).backups(),
  );
  expect(backups.map(({ kind, tables }) => [kind, tables])).toEqual([
    ["incremental", 1],
    ["full", 1],
  ]);
});
