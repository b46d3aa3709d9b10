// The unmodified wrangler 3.20.0 against the Worker.
import { writeFileSync } from "node:fs";
import { test } from "vitest";
import { contentsOf, expectSame, LIBRARY } from "./library.ts";
import { TestWorker } from "./worker.ts";
import { Wrangler } from "./wrangler.ts";
import { backups } from "./wrangler-backups.ts";
import { basics } from "./wrangler-basics.ts";
import { timeTravel } from "./wrangler-time-travel.ts";

const worker = new TestWorker();

basics(worker, "3.20");
timeTravel(worker, "3.20");
backups(worker, "3.20");

test("execute --file sends the statements in batches: triggers and all", async () => {
  const wrangler = new Wrangler(worker, "3.20");
  const uuid = await worker.create("in-batches");
  writeFileSync(wrangler.path("library.sql"), LIBRARY);
  await wrangler.d1("execute", "in-batches", "-y", "--file", "library.sql");
  await expectSame(worker.database(uuid), await contentsOf(worker.folder, LIBRARY));
});
