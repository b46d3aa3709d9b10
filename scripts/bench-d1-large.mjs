// What backing a large local D1 database up to R2 takes, and what each backup after 100 changed rows: calls of D1 and R2
// (subrequests at Cloudflare), rows that D1 looked at, the processor's time and the memory of workerd, in which D1 and the bucket are, too.
// `node scripts/bench-d1-large.mjs [MB]`; 100 unless given.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "./lib/run.mjs";

await import(join(root, "js/dist/entry/node.js"));
const { modulesOf } = await import(join(root, "tests/support/worker-modules.ts"));
const { convertV4MiniflareOptions, Log, LogLevel, Miniflare } = createRequire(import.meta.url)("miniflare");

const megabytes = Number(process.argv[2] ?? 100);
/** Ticks of the processor's clock a second, in /proc. */
const TICKS = 100;

const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    modules: await modulesOf(join(root, "scripts/lib/bench-d1-worker.mjs")),
    compatibilityDate: "2026-10-01",
    log: new Log(LogLevel.NONE),
    d1Databases: { DB: "app" },
    r2Buckets: ["BACKUPS"],
  }),
);
try {
  await miniflare.ready;
  const workerd = workerdOf(process.pid);
  await ask(
    "/sql",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, total REAL, note TEXT, at TEXT)",
  );
  await ask("/sql", "CREATE INDEX by_customer ON orders (customer)");
  for (let done = 0; done < megabytes; done += 5) await ask(`/fill?mb=${Math.min(5, megabytes - done)}`);
  console.log(
    "| backup | kind, taken | seconds | of the processor | D1 calls | rows looked at | R2 calls | stored | workerd's memory beyond before |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  await measured("the first, tracking", "/counted?tracking=1");
  await ask(
    "/sql",
    "UPDATE orders SET note = hex(randomblob(75)) WHERE id % (SELECT max(id) / 100 FROM orders) = 7",
  );
  await measured("100 rows changed, tracking", "/counted?tracking=1");
  await ask(
    "/sql",
    "UPDATE orders SET note = hex(randomblob(75)) WHERE id % (SELECT max(id) / 100 FROM orders) = 9",
  );
  await measured("100 rows changed, without", "/counted");

  async function measured(name, path) {
    const [began, before] = [performance.now(), usage(workerd)];
    let peak = before.memory;
    const watch = setInterval(() => (peak = Math.max(peak, usage(workerd).memory)), 200);
    const told = JSON.parse(await ask(path));
    clearInterval(watch);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const processor = `${(usage(workerd).seconds - before.seconds).toFixed(1)} s`;
    const { made, calls } = told;
    const stored = `${(made.storedSize / 1e6).toFixed(2)} MB of ${(made.size / 1e6).toFixed(0)}`;
    console.log(
      `| ${name} | ${made.kind}, ${made.taken} | ${seconds} | ${processor} | ${calls.d1} | ${calls.rows} | ${calls.r2} | ${stored} | ${((peak - before.memory) / 1e6).toFixed(0)} MB |`,
    );
  }
} finally {
  await miniflare.dispose();
}

async function ask(path, body) {
  const answer = await miniflare.dispatchFetch(`http://worker${path}`, body ? { method: "POST", body } : {});
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}

/** The workerd that a process has started. */
function workerdOf(parent) {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const [, name, of] = /\((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
      if (name === "workerd" && Number(of) === parent) return pid;
    } catch {}
  }
  throw new Error("workerd does not run");
}

function usage(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return { seconds: (Number(fields[11]) + Number(fields[12])) / TICKS, memory: Number(fields[21]) * 4096 };
}
