// npm run bench:browser [-- megabytes]: a database in OPFS is brought out by its library and by Pagemark, in one run of
// one Chromium. Memory is what the renderer holds above what it held before, at most.
import { readdirSync, readFileSync } from "node:fs";
import { startTabs } from "../tests/runtimes/browser/opfs/tabs.ts";

const megabytes = Number(process.argv[2] ?? 200);

/** Memory of all renderers, in MiB. */
function rendererMemory() {
  let sum = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--type=renderer")) continue;
      sum += Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
    } catch {
      // It has ended.
    }
  }
  return sum;
}

/** Runs `work`, and tells how much memory it took. */
async function measured(work) {
  const before = rendererMemory();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, rendererMemory());
  }, 20);
  try {
    const result = await work();
    return { result, memory: Math.max(peak, rendererMemory()) - before };
  } finally {
    clearInterval(timer);
  }
}

const tabs = await startTabs();
try {
  const tab = await tabs.open({ isolated: true });
  const worker = await tab.worker();
  await worker.call("writers.open", "sahpool", "/app.db");
  const size = await worker.call("bench.fill", megabytes);
  console.log(`a database of ${(size / 1e6).toFixed(0)} MB in a pool of opfs-sahpool`);
  const rows = [];
  const run = async (name, call) => {
    const { result, memory } = await measured(() => worker.call(call));
    rows.push([name, result.ms ?? result, memory, result.kind ?? ""]);
  };
  // Who wrote just now will write again: a copy would be taken first.
  const quiet = () => new Promise((resolve) => setTimeout(resolve, 2500));
  await quiet();
  // Ours first: WebAssembly's memory never gets smaller again.
  await run("Pagemark: export(), written to a file", "bench.exported");
  await run("Pagemark: a copy, read back", "bench.copy");
  await run("Pagemark: backup", "bench.backup");
  await worker.call("bench.change");
  await quiet();
  await run("Pagemark: backup after 100 rows", "bench.backup");
  await run("exportFile, written to a file", "bench.exportFile");
  await run("sqlite3_js_db_export, written to a file", "bench.serialize");
  for (const [name, ms, memory, kind] of rows)
    console.log(
      `${name.padEnd(42)} ${String(ms).padStart(7)} ms ${memory.toFixed(0).padStart(6)} MiB  ${kind}`,
    );
} finally {
  await tabs[Symbol.asyncDispose]();
}
