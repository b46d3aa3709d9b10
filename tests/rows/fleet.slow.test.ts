// examples/fleet on local workerd: many databases, each by a Workflow, with steps that fail.
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { databasesIn, memory, pagemark, type R2Binding, r2 } from "pagemark";
import { expect, onTestFinished, test } from "vitest";
import { modulesOf } from "./cloudflare.ts";

/** 198 with PAGEMARK_THOROUGH=1, which takes minutes. */
const TENANTS = process.env.PAGEMARK_THOROUGH === "1" ? 198 : 38;

interface Objects {
  getByName(name: string): { fill(name: string): Promise<void> };
}

test(`${TENANTS + 2} databases are backed up by a cron trigger, though some steps fail, and each once`, async () => {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: await modulesOf(join(import.meta.dirname, "fleet-worker.mjs")),
      compatibilityDate: "2026-10-01",
      bindings: { RETRY_DELAY: "1 second" },
      d1Databases: ["ACCOUNTS", "SHOP"],
      r2Buckets: ["BACKUPS"],
      durableObjects: { TENANTS: { className: "Tenant", useSQLite: true } },
      queueProducers: { TO_BACK_UP: "to-back-up" },
      queueConsumers: { "to-back-up": { maxBatchSize: 100, maxBatchTimeout: 1 } },
      workflows: { BACK_UP: { name: "back-up", className: "BackUp" } },
    }),
  );
  onTestFinished(() => miniflare.dispose());
  const names = Array.from({ length: TENANTS }, (_, at) => `t${at}`);
  const accounts = await miniflare.getD1Database("ACCOUNTS");
  await accounts.exec("CREATE TABLE tenants (name TEXT PRIMARY KEY)");
  await accounts.batch(names.map((name) => accounts.prepare("INSERT INTO tenants VALUES (?)").bind(name)));
  await (await miniflare.getD1Database("SHOP")).exec("CREATE TABLE orders (id INTEGER PRIMARY KEY)");
  const objects = (await miniflare.getDurableObjectNamespace("TENANTS")) as unknown as Objects;
  for (const name of names) await objects.getByName(name).fill(name);

  const worker = await miniflare.getWorker();
  const store = r2((await miniflare.getR2Bucket("BACKUPS")) as unknown as R2Binding);
  // A trigger may fire twice.
  const scheduledTime = new Date("2026-11-30T10:00:00Z");
  for (const _ of [1, 2]) await worker.scheduled({ cron: "0 * * * *", scheduledTime });
  await expect
    .poll(async () => (await databasesIn(store)).length, { timeout: 360_000, interval: 1000 })
    .toBe(TENANTS + 2);
  // What was still under way may have made another.
  await new Promise((resolve) => setTimeout(resolve, 3000));
  for (const { name } of await databasesIn(store)) {
    const backups = await Array.fromAsync(pagemark(memory(new Uint8Array()), { name, store }).backups());
    expect(backups, name).toHaveLength(1);
    expect(backups[0]?.state, name).toBe("done");
  }
}, 600_000);
