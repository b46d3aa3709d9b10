// Runs examples/d1 on this machine: a Worker that backs its D1 database up whenever its cron trigger fires, which this does
// three times; then says what is in the bucket, and restores the first backup to a file.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./lib/run.mjs";
import { startExample } from "./lib/workers.mjs";

const { file, memory, pagemark, r2 } = await import(join(root, "js/dist/entry/node.js"));
const folder = mkdtempSync(join(tmpdir(), "pagemark-example-"));
const miniflare = await startExample(join(root, "examples/d1"));
try {
  const db = await miniflare.getD1Database("DB");
  await db.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL)");
  const worker = await miniflare.getWorker();
  for (const total of [19.5, 7, 42.25]) {
    await db.prepare("INSERT INTO orders (total) VALUES (?)").bind(total).run();
    await worker.scheduled({ cron: "0 * * * *" });
  }
  const store = r2(await miniflare.getR2Bucket("BACKUPS"));
  const backups = await Array.fromAsync(
    pagemark(memory(new Uint8Array()), { name: "shop", store }).backups(),
  );
  console.log("In the bucket, newest first:");
  for (const { createdAt, id, kind, tables, storedSize } of backups)
    console.log(
      `  ${createdAt}  ${id.slice(0, 8)}  ${kind.padEnd(11)}  ${tables} table  ${storedSize} bytes stored`,
    );
  const path = join(folder, "shop.db");
  const first = backups.at(-1);
  await pagemark(file(path), { name: "shop", store }).restore({ at: first.id });
  console.log(`The first one, ${first.id.slice(0, 8)}, was restored to a SQLite file.`);
  console.log("examples/d1/src/index.ts is all there is to it.");
} finally {
  await miniflare.dispose();
  rmSync(folder, { recursive: true, force: true });
}
