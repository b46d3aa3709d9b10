// What backing a large local D1 database up to R2 takes: in steps, at once, after 100 changed rows by tracking and without,
// beside `wrangler d1 export --local` of the same database. Counts calls of D1 and R2 (subrequests at Cloudflare), rows that
// D1 looked at, the processor's time of workerd, in which D1 and the bucket are, too, and what the Worker's isolate holds.
// `node scripts/bench-d1-large.mjs [MB]`; 100 unless given.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, exporting, startOn, treeOf, usageOf } from "./lib/local-d1.mjs";
import { root } from "./lib/run.mjs";
import { freePort, Heap } from "./lib/worker.mjs";

await import(join(root, "js/dist/entry/node.js"));
const { Wrangler } = await import(join(root, "tests/peers/d1/wrangler.ts"));

const megabytes = Number(process.argv[2] ?? 100);
const folder = mkdtempSync(join(tmpdir(), "pagemark-bench-d1-"));
const CHANGE = (which) =>
  `UPDATE orders SET note = hex(randomblob(75)) WHERE id % (SELECT max(id) / 100 FROM orders) = ${which}`;

try {
  const project = new Wrangler(folder);
  project.execute(
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, total REAL, note TEXT, at TEXT); CREATE INDEX by_customer ON orders (customer)",
  );
  const inspectorPort = Number(await freePort());
  const miniflare = await startOn(folder, ["DB"], { inspectorPort, name: "pagemark" });
  try {
    await measure(miniflare, project, inspectorPort);
  } finally {
    await miniflare.dispose();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measure(miniflare, project, inspectorPort) {
  const heap = await Heap.of([inspectorPort]);
  const workerd = treeOf(process.pid, "workerd");
  for (let size = 0; size < megabytes * 1e6; ) size = Number(await ask(miniflare, "/fill?mb=5"));
  console.log(
    "| | kind, taken | seconds | of the processor | D1 calls | rows looked at | R2 calls | stored | the isolate held, of which no garbage |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  const most = { seconds: 0, calls: 0 };
  let steps = 0;
  await measured("the first, tracking, in steps", async () => {
    const all = { calls: { d1: 0, rows: 0, r2: 0 } };
    while (!all.made) {
      const before = usageOf(workerd).seconds;
      const { made, calls } = JSON.parse(await ask(miniflare, "/step"));
      most.seconds = Math.max(most.seconds, usageOf(workerd).seconds - before);
      most.calls = Math.max(most.calls, calls.d1 + calls.r2);
      for (const kind in calls) all.calls[kind] += calls[kind];
      all.made = made;
      steps++;
    }
    return all;
  });
  console.log(
    `| its longest of ${steps} steps | | | ${most.seconds.toFixed(1)} s | ${most.calls} with R2's | | | | |`,
  );
  await ask(miniflare, "/sql", CHANGE(7));
  await measured("100 rows changed, tracking", () => counted("/counted?tracking=1"));
  await ask(miniflare, "/sql", CHANGE(9));
  await measured("100 rows changed, without", () => counted("/counted"));
  await measured("a full one at once, without", () => counted("/counted?full=1"));
  heap.close();
  await beside(project);

  async function counted(path) {
    return JSON.parse(await ask(miniflare, path));
  }

  async function measured(name, action) {
    const [began, before] = [performance.now(), usageOf(workerd).seconds];
    const { made, calls } = await heap.during(action, { collectEveryMs: 2000 });
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const processor = `${(usageOf(workerd).seconds - before).toFixed(1)} s`;
    const stored = `${(made.storedSize / 1e6).toFixed(2)} MB of ${(made.size / 1e6).toFixed(0)}`;
    const held = `${mebibytes(heap.peak)}, ${mebibytes(heap.live)}`;
    console.log(
      `| ${name} | ${made.kind}, ${made.taken} | ${seconds} | ${processor} | ${calls.d1} | ${calls.rows} | ${calls.r2} | ${stored} | ${held} |`,
    );
  }
}

/** Their export of the same database; its processes have no isolate that could be asked. */
async function beside(project) {
  const began = performance.now();
  const { ended, pid } = exporting(project);
  const most = { seconds: 0, memory: 0 };
  const watch = setInterval(() => {
    const usage = usageOf(treeOf(pid));
    for (const kind in most) most[kind] = Math.max(most[kind], usage[kind]);
  }, 100);
  const failure = await ended.catch((error) => error);
  clearInterval(watch);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const came = failure
    ? `fails: ${failure.message
        .trim()
        .split("\n")
        .find((line) => line.includes("rror"))
        ?.slice(0, 80)}`
    : `${(statSync(join(project.folder, "large.sql")).size / 1e6).toFixed(0)} MB of SQL`;
  const resident = `${mebibytes(most.memory)} resident`;
  console.log(
    `| \`wrangler d1 export --local\` | | ${seconds} | ${most.seconds.toFixed(1)} s | | | | ${came} | ${resident} |`,
  );
}

function mebibytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
