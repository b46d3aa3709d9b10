// npm run bench:browser [-- megabytes]: a database in OPFS is brought out by its library and by Pagemark, in one run of
// one Chromium. Each line says how long that took; what Chromium accounts to the page and its workers, at most (the heaps of
// JavaScript and the buffers behind them); and what the renderer's processes held beyond what they held before, at most, to
// which the memory of WebAssembly and of the browser's own code belongs. Last: the page's longest task meanwhile.
import { readdirSync, readFileSync } from "node:fs";
import { startTabs } from "../tests/runtimes/browser/opfs/tabs.ts";

const megabytes = Number(process.argv[2] ?? 200);
const SAMPLE_MS = 20;
/** Who wrote just now will write again: a copy would be taken first. */
const QUIET_MS = 2500;

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

/** What Chromium accounts to a page and its workers, in MiB, as its developer tools tell it. */
async function accountOf(page) {
  const session = await page.context().newCDPSession(page);
  const workers = new Set();
  const waiting = new Map();
  let calls = 0;
  session.on("Target.attachedToTarget", ({ sessionId }) => workers.add(sessionId));
  session.on("Target.detachedFromTarget", ({ sessionId }) => {
    workers.delete(sessionId);
    for (const resolve of waiting.values()) resolve({});
  });
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, result } = JSON.parse(message);
    waiting.get(id)?.(result ?? {});
    waiting.delete(id);
  });
  await session.send("Target.setAutoAttach", {
    autoAttach: true,
    waitForDebuggerOnStart: false,
    flatten: false,
  });
  const inWorker = (sessionId) =>
    new Promise((resolve) => {
      const id = ++calls;
      waiting.set(id, resolve);
      const message = JSON.stringify({ id, method: "Runtime.getHeapUsage" });
      session.send("Target.sendMessageToTarget", { sessionId, message }).catch(() => resolve({}));
    });
  return async () => {
    const all = await Promise.all([session.send("Runtime.getHeapUsage"), ...[...workers].map(inWorker)]);
    const bytes = all.map(
      ({ usedSize = 0, embedderHeapUsedSize = 0, backingStorageSize = 0 }) =>
        usedSize + embedderHeapUsedSize + backingStorageSize,
    );
    return bytes.reduce((sum, each) => sum + each, 0) / 2 ** 20;
  };
}

/** Runs `work`, and tells how much memory it took. */
async function measured(account, work) {
  const before = rendererMemory();
  let [accounted, renderer, isDone] = [0, before, false];
  const sample = async () => {
    accounted = Math.max(accounted, await account());
    renderer = Math.max(renderer, rendererMemory());
  };
  const sampling = (async () => {
    while (!isDone) {
      await sample();
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
  })();
  try {
    return { result: await work(), accounted: () => accounted, renderer: () => renderer - before };
  } finally {
    isDone = true;
    await sampling;
  }
}

const tabs = await startTabs();
try {
  const tab = await tabs.open({ isolated: true });
  const account = await accountOf(tab.page);
  const worker = await tab.worker();
  await worker.call("writers.open", "sahpool", "/app.db");
  const size = await worker.call("bench.fill", megabytes);
  console.log(`a database of ${(size / 1e6).toFixed(0)} MB in a pool of opfs-sahpool`);
  const run = async (name, place, call, ...args) => {
    const { result, accounted, renderer } = await measured(account, () => place.call(call, ...args));
    const [ms, more] = [result.ms ?? result, result.kind ?? ""];
    const memory = [accounted(), renderer()].map((each) => `${each.toFixed(0).padStart(5)} MiB`).join("");
    console.log(`${name.padEnd(44)} ${String(ms).padStart(7)} ms ${memory}  ${more}`);
  };
  const quiet = () => new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  await quiet();
  await tab.call("bench.watchTasks");
  // Ours first: WebAssembly's memory never gets smaller again.
  await run("Pagemark, in the background: saveAs()", tab, "bench.savedInBackground");
  await run("Pagemark, in the background: backup", tab, "bench.backupInBackground");
  await run("Pagemark, in the background: nothing changed", tab, "bench.backupInBackground");
  await run("Pagemark, by its connection: backup", worker, "bench.backupConnection");
  for (let round = 0; round < 3; round++) {
    await worker.call("bench.change");
    await quiet();
    await run("Pagemark, in the background: 100 rows", tab, "bench.backupInBackground");
    await run("Pagemark, by its connection: 100 rows", worker, "bench.backupConnection");
  }
  const longest = await tab.call("bench.longestTask");
  for (let round = 0; round < 2; round++) {
    await run("exportFile, written to a file", worker, "bench.exportFile");
    await run("sqlite3_js_db_export, written to a file", worker, "bench.serialize");
  }
  await run("SQLocal: getDatabaseFile()", tab, "bench.sqlocal");
  console.log(`longest task of the page during Pagemark's: ${longest} ms`);
} finally {
  await tabs[Symbol.asyncDispose]();
}
