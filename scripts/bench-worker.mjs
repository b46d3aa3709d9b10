// The Worker on local workerd: what backups, exports and restores take, what queries take meanwhile, and what the isolate
// holds. `npm run bench:worker [-- --mb 100] [-- --only requests|large|jobs]`. What it prints is a measurement, not a test.
// `requests` (`--task get|insert|bulk`) and `large` are beside miniflare's D1, in the same workerd, in turns. With `--processor`
// V8's profiler tells how long the alarms of `jobs` compute, which makes all of it slower.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { largeBesideD1, requestsBesideD1 } from "./lib/beside-d1.mjs";
import { startWorker } from "./lib/worker.mjs";

const { values: options } = parseArgs({
  options: {
    mb: { type: "string", default: "100" },
    only: { type: "string" },
    task: { type: "string" },
    rounds: { type: "string", default: "3" },
    ms: { type: "string", default: "2000" },
    processor: { type: "boolean" },
  },
});
const mb = Number(options.mb);
const parts = {
  requests: (folder) =>
    requestsBesideD1(folder, { rounds: Number(options.rounds), ms: Number(options.ms), only: options.task }),
  large: (folder) => largeBesideD1(folder, mb),
  jobs: benchJobs,
};
const rows = [];
let worker;
for (const [name, part] of Object.entries(parts)) {
  if (options.only && options.only !== name) continue;
  const folder = mkdtempSync(join(tmpdir(), "pagemark-worker-"));
  try {
    await part(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function benchJobs(persist) {
  worker = await startWorker({ persist });
  try {
    await bench();
  } finally {
    worker.stop();
  }
  console.table(Object.fromEntries(rows));
}

async function bench() {
  const { uuid } = await worker.call("", { name: "bench" });
  const query = (sql, params) => worker.call(`/${uuid}/query`, { sql, params });
  await query(
    "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, number INTEGER, amount REAL, body BLOB)",
  );
  await stage("fill", () => fill(query, mb));
  const latencies = (during) =>
    alongside(
      () => query("SELECT * FROM items WHERE id = ?", [1 + Math.floor(Math.random() * 1000)]),
      during,
    );
  const writes = (during) =>
    alongside(
      () =>
        query("UPDATE items SET number = number + 1 WHERE id = ?", [1 + Math.floor(Math.random() * 1000)]),
      during,
    );
  await stage("queries, idle", () => latencies(sleep(3000)));
  await stage("writes, idle", () => writes(sleep(3000)));
  await stage("backup, full, queries meanwhile", () => latencies(backup(uuid)));
  await query("UPDATE items SET number = -1 WHERE id % ? = 0", [Math.ceil((mb * 1000) / 100)]);
  await stage("backup, 100 rows changed", () => backup(uuid));
  await stage("export", () => exportSql(uuid));
  // Large databases take long enough as it is.
  if (mb <= 200) {
    await stage("backup, full, writes meanwhile", () =>
      writes(worker.call(`/${uuid}/backup?full=true`, undefined, { method: "POST" })),
    );
    await stage("export, queries meanwhile", () => latencies(exportSql(uuid)));
  }
  const [{ id }] = await worker.call(`/${uuid}/backup`);
  await query("DELETE FROM items WHERE id % 2 = 0");
  await stage("restore of a backup, in place", () =>
    worker.call(`/${uuid}/backup/${id}/restore`, undefined, { method: "POST" }),
  );
}

/** Runs a stage; notes its time, the isolate's peak, and what else `action` says. */
async function stage(name, action) {
  worker.alarms.length = 0;
  const start = performance.now();
  const watched = () => worker.heap.during(action);
  const { result, busy } = options.processor
    ? await worker.heap.profiled(watched)
    : { result: await watched() };
  const seconds = (performance.now() - start) / 1000;
  const more = result?.latencies;
  rows.push([
    name,
    {
      s: Number((more?.seconds ?? seconds).toFixed(2)),
      "peak MiB": mebibytes(worker.heap.peak),
      "wasm and buffers, MiB": mebibytes(worker.heap.peakBuffers),
      ...(worker.alarms.length > 0 && {
        alarms: worker.alarms.length,
        "longest alarm, ms": Math.max(...worker.alarms.map(({ took }) => took)),
      }),
      ...(busy && {
        "computing in an alarm, ms": Math.round(
          Math.max(0, ...worker.alarms.map(({ end, took }) => busy(end - took, end))),
        ),
      }),
      ...(more && {
        "p50 ms": more.at(0.5),
        "p99 ms": more.at(0.99),
        "max ms": more.at(1),
        requests: more.count,
      }),
    },
  ]);
  console.error(name, JSON.stringify(rows.at(-1)[1]));
  return result;
}

/** Fills the table with about so many megabytes, some of which compress. */
async function fill(query, mb) {
  const step = 2000;
  for (let first = 1; first <= mb * 1000; first += step) {
    await query(
      `WITH n (i) AS (SELECT ${first} UNION ALL SELECT i + 1 FROM n WHERE i < ${first + step - 1})
       INSERT INTO items SELECT i, 'item number ' || i, i * 7919, i * 0.25, randomblob(450) || zeroblob(450) FROM n`,
    );
  }
}

async function backup(uuid) {
  return worker.call(`/${uuid}/backup`, undefined, { method: "POST" });
}

/** Exports as wrangler does: polls until it is complete, then downloads. */
async function exportSql(uuid) {
  const body = { output_format: "polling", dump_options: {} };
  let answer = await worker.call(`/${uuid}/export`, body);
  while (answer.status === "active") {
    answer = await worker.call(`/${uuid}/export`, { ...body, current_bookmark: answer.at_bookmark });
  }
  if (answer.status !== "complete") throw new Error(answer.error);
  const file = await fetch(answer.result.signed_url);
  for await (const chunk of file.body) void chunk;
}

/** Runs `request` again and again while `during` lasts; what each took. */
async function alongside(request, during) {
  const start = performance.now();
  let isRunning = true;
  const ended = during.finally(() => {
    isRunning = false;
  });
  const taken = [];
  while (isRunning) {
    const sent = performance.now();
    await request();
    taken.push(performance.now() - sent);
  }
  await ended;
  taken.sort((a, b) => a - b);
  const at = (part) =>
    Number((taken[Math.min(taken.length - 1, Math.floor(part * taken.length))] ?? 0).toFixed(1));
  return { latencies: { at, count: taken.length, seconds: (performance.now() - start) / 1000 } };
}

function mebibytes(bytes) {
  return Number((bytes / 2 ** 20).toFixed(1));
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
