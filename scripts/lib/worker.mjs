// The Worker on local workerd, started as its developers do, for benches: with what its isolate holds.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { root } from "./run.mjs";

const TOKEN = "bench";
/** V8 takes one each ms. */
const LONGEST_SAMPLE_MS = 5;
const TIMED = "scripts/lib/timed-worker.mjs";

/** Starts it, with its state in the folder `persist`; `vars` are settings (see `js/src/worker/settings.ts`). */
export async function startWorker({ persist, vars = {} }) {
  const port = await freePort();
  const settings = Object.entries({ PAGEMARK_TOKEN: TOKEN, PAGEMARK_SCHEDULE: "off", ...vars });
  const args = ["dev", TIMED, "--port", port, "--inspector-port", await freePort(), "--persist-to", persist];
  const child = spawn(
    "wrangler",
    [...args, ...settings.flatMap(([name, value]) => ["--var", `${name}:${value}`])],
    {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a group of its own, which is ended with it
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG: "info" },
    },
  );
  const alarms = [];
  child.stdout.on("data", (text) => {
    if (process.env.BENCH_VERBOSE) process.stderr.write(text);
    for (const [, took] of String(text).matchAll(/alarm took (\d+) ms/g)) {
      alarms.push({ end: performance.now(), took: Number(took) });
    }
  });
  child.stderr.on("data", (text) => process.env.BENCH_VERBOSE && process.stderr.write(text));
  const url = `http://127.0.0.1:${port}`;
  const stop = () => process.kill(-child.pid, "SIGKILL");
  process.on("exit", stop);
  await until(async () => (await fetch(`${url}/healthz`)).ok);
  const heap = await Heap.of(inspectors(child.pid));
  return {
    url,
    heap,
    /** Those that there were: when each ended, and what it took, in ms. */
    alarms,
    /** Calls the D1 API below the list of databases. */
    async call(path, body, init = {}) {
      const answer = await fetch(`${url}/client/v4/accounts/bench/d1/database${path}`, {
        ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
        ...init,
      });
      const { result, success, errors } = await answer.json();
      if (!success) throw new Error(`${path}: ${errors[0].message}`);
      return result;
    },
    stop() {
      heap.close();
      process.off("exit", stop);
      stop();
    },
  };
}

/** A port of loopback on which nobody listens, as text. */
export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function until(condition) {
  for (let attempt = 0; !(await condition().catch(() => false)); attempt++) {
    if (attempt === 300) throw new Error("the Worker did not start; BENCH_VERBOSE=1 shows why");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** What the processes of a group listen on: one of it is workerd's inspector, and wrangler does not say which. */
function inspectors(group) {
  const processes = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && groupOf(pid) === group);
  const sockets = new Set(processes.flatMap(socketsOf));
  const listening = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  return listening
    .filter(([, , , state, , , , , , inode]) => state === "0A" && sockets.has(inode))
    .map(([, address]) => Number.parseInt(address.split(":")[1], 16));
}

function groupOf(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ")[2]);
  } catch {
    return undefined; // it has ended
  }
}

function socketsOf(pid) {
  try {
    const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
  } catch {
    return [];
  }
}

/** What the isolate of a Worker called `pagemark` is accounted for: JavaScript's heap, and what buffers and wasm memories hold. In bytes. */
export class Heap {
  #socket;
  #waiting = new Map();
  #context;
  #next = 1;
  /** The most that was held, with garbage; and what was left of it whenever garbage was collected. */
  peak = 0;
  live = 0;
  /** The most that buffers and wasm memories held, with buffers that are garbage. */
  peakBuffers = 0;

  /** Of the isolate that an inspector on one of the ports knows. */
  static async of(ports) {
    const lists = await Promise.all(
      ports.map((port) =>
        fetch(`http://127.0.0.1:${port}/json`, { signal: AbortSignal.timeout(2000) })
          .then((answer) => answer.json())
          .catch(() => []),
      ),
    );
    const target = lists.flat().find(({ id }) => id === "core:user:pagemark");
    // The first session after wrangler's own gets no answers.
    for (let attempt = 0; attempt < 5; attempt++) {
      const heap = await Heap.#connect(target.webSocketDebuggerUrl);
      const answered = await Promise.race([
        heap.usage(),
        new Promise((resolve) => setTimeout(resolve, 2000)),
      ]);
      if (answered !== undefined) return heap;
      heap.close();
    }
    throw new Error("workerd's inspector does not answer");
  }

  static async #connect(url) {
    const heap = new Heap();
    heap.#socket = new WebSocket(url);
    heap.#context = new Promise((resolve) => {
      heap.#socket.onmessage = ({ data }) => {
        const { id, result, method, params } = JSON.parse(data);
        if (method === "Runtime.executionContextCreated") resolve(params.context.uniqueId);
        heap.#waiting.get(id)?.(result);
        heap.#waiting.delete(id);
      };
    });
    await new Promise((resolve, reject) => {
      heap.#socket.onopen = resolve;
      heap.#socket.onerror = () => reject(new Error("workerd's inspector does not take a connection"));
    });
    void heap.#ask("Runtime.enable");
    return heap;
  }

  /** What V8 says. */
  usage() {
    return this.#ask("Runtime.getHeapUsage");
  }

  /** Of the wasm memories, in bytes, which V8 counts with neither; they never shrink. Asking for it collects garbage. */
  async wasm() {
    const objectGroup = "wasm";
    const { result: prototype } = await this.#ask("Runtime.evaluate", {
      expression: "WebAssembly.Memory.prototype",
      uniqueContextId: await this.#context,
      objectGroup,
    });
    const { objects } = await this.#ask("Runtime.queryObjects", {
      prototypeObjectId: prototype.objectId,
      objectGroup,
    });
    const { result } = await this.#ask("Runtime.callFunctionOn", {
      objectId: objects.objectId,
      functionDeclaration:
        "function () { return this.reduce((sum, { buffer }) => sum + buffer.byteLength, 0); }",
      objectGroup,
    });
    await this.#ask("Runtime.releaseObjectGroup", { objectGroup });
    return result.value;
  }

  /** The most that it is seen to hold while `action` runs; `collectEveryMs` also says how much of that was no garbage. */
  async during(action, { collectEveryMs = Number.POSITIVE_INFINITY } = {}) {
    this.peak = 0;
    this.live = 0;
    this.peakBuffers = 0;
    let isRunning = true;
    const watching = (async () => {
      for (let collected = performance.now(); isRunning; ) {
        const isCollected = performance.now() - collected > collectEveryMs;
        if (isCollected) {
          await this.wasm();
          collected = performance.now();
        }
        const { usedSize, backingStorageSize = 0, embedderHeapUsedSize = 0 } = await this.usage();
        const held = usedSize + backingStorageSize + embedderHeapUsedSize;
        this.peak = Math.max(this.peak, held);
        if (isCollected) this.live = Math.max(this.live, held);
        this.peakBuffers = Math.max(this.peakBuffers, backingStorageSize);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    try {
      return await action();
    } finally {
      isRunning = false;
      await watching;
      const wasm = await this.wasm();
      this.peak += wasm;
      this.live += wasm;
      this.peakBuffers += wasm;
    }
  }

  /** Runs `action`; `busy` says for how many ms the isolate computed between two moments of it, in ms as `performance.now()`. */
  async profiled(action) {
    await this.#ask("Profiler.enable");
    await this.#ask("Profiler.start");
    const began = performance.now();
    const result = await action();
    const { profile } = await this.#ask("Profiler.stop");
    const isRest = ({ callFrame }) => /^\((idle|program|root)\)$/.test(callFrame.functionName);
    const rest = new Set(profile.nodes.filter(isRest).map(({ id }) => id));
    let at = began;
    const samples = profile.samples.map((node, index) => {
      const ms = profile.timeDeltas[index] / 1000;
      at += ms;
      // While the isolate is not at work there are no samples.
      return { at, ms: rest.has(node) ? 0 : Math.min(ms, LONGEST_SAMPLE_MS) };
    });
    const busy = (from, to) =>
      samples.reduce((sum, { at, ms }) => (at > from && at <= to ? sum + ms : sum), 0);
    return { result, busy };
  }

  close() {
    this.#socket.close();
  }

  #ask(method, params) {
    const id = this.#next++;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }
}
