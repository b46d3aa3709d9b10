// The Worker beside miniflare's D1: the same requests to both, in turns, over one workerd.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { median } from "./measure.mjs";
import { root } from "./run.mjs";
import { startWorkers } from "./workers.mjs";

const TOKEN = "bench";
const ROWS = 5000;
const CONNECTIONS = [1, 10, 50];
/** Rows of a statement that fills; a row has some 1,000 bytes. */
const STEP = 2000;
const WARM_UP_MS = 300;

/**
 * Prints what they take: queries by key, inserts, batches of 100 inserts, at 1, 10 and 50 connections, as requests a
 * second, beside D1's, with the median and the 99th percentile in ms. `rounds` turns of `ms` each.
 */
export async function requestsBesideD1(state, options) {
  await Place.within(state, (place) => requests(place, options));
}

async function requests(place, { rounds, ms, only }) {
  for (const on of ["d1", "binding"]) {
    await place.call("create", on);
    await place.fill(on, ROWS);
  }
  const rows = {};
  for (const task of ["get", "insert", "bulk"].filter((task) => !only || only === task)) {
    const ways = task === "bulk" ? ["d1", "binding"] : ["d1", "binding", "http"];
    for (const connections of CONNECTIONS) {
      const turns = Object.fromEntries(ways.map((on) => [on, []]));
      for (let round = 0; round < rounds; round++) {
        for (const on of ways) turns[on].push(await place.turn(task, on, connections, ms));
      }
      const first = median(turns.d1.map(({ rate }) => rate));
      for (const on of ways) {
        const rate = median(turns[on].map(({ rate }) => rate));
        const took = turns[on].flatMap(({ took }) => took).sort((a, b) => a - b);
        const at = (part) => Number(took[Math.floor(part * (took.length - 1))].toFixed(1));
        rows[`${task}, ${connections} at once, ${on}`] = {
          "a second": Math.round(rate),
          "of D1's": Number((rate / first).toFixed(2)),
          // On a busy machine this tells more than the others.
          "processor ms": Number(median(turns[on].map(({ processor }) => processor)).toFixed(2)),
          "p50 ms": at(0.5),
          "p99 ms": at(0.99),
        };
      }
    }
  }
  console.table(rows);
  console.log(`workerd took at most ${place.peak()} MiB, D1 and Pagemark together`);
}

/** Prints how long the first query takes after a start, with so many MB in each database; and downloads, beside a writer. */
export async function largeBesideD1(state, mb) {
  await Place.within(state, async (place) => {
    for (const on of ["d1", "binding"]) {
      await place.call("create", on);
      await place.fill(on, mb * 1000);
    }
  });
  await Place.within(state, (place) => large(place, mb));
}

async function large(place, mb) {
  const rows = {};
  const timed = async (name, action) => {
    const [start, processor] = [performance.now(), place.processorMs()];
    await action();
    rows[name] = {
      ms: Math.round(performance.now() - start),
      "processor ms": place.processorMs() - processor,
    };
  };
  for (const on of ["d1", "binding"])
    await timed(`first query after a start, ${on}`, () => place.call("get", on, "id=7"));
  await timed("download", () => place.call("download", "binding"));
  for (const [task, name] of [
    ["get", "queries by key"],
    ["update", "updates of 400 rows"],
  ]) {
    let isRunning = true;
    const took = [];
    const other = (async () => {
      for (let n = 0; isRunning; n++) {
        const sent = performance.now();
        await place.call(task, "binding", `id=${1 + ((n * 400) % (mb * 900))}`);
        took.push(performance.now() - sent);
      }
    })();
    const beside = `download beside ${name}, one after the other`;
    await timed(beside, () => place.call("download", "binding"));
    isRunning = false;
    await other;
    Object.assign(rows[beside], {
      "of these": took.length,
      "median ms": Number(median(took).toFixed(1)),
      "longest ms": Math.round(Math.max(...took)),
    });
  }
  console.table(rows);
  console.log(`workerd took at most ${place.peak()} MiB, D1 and Pagemark together`);
}

/** Both, and a Worker that is bound to both. */
class Place {
  #workers;
  #uuid;
  #next = 1_000_000;

  static async start(state) {
    const { outputFiles } = await build({
      entryPoints: [join(root, "scripts/lib/d1-caller.mjs")],
      bundle: true,
      format: "esm",
      alias: { "pagemark/client": join(root, "js/dist/client/index.js") },
      write: false,
    });
    const place = new Place();
    place.#workers = await startWorkers({
      state,
      bindings: { PAGEMARK_TOKEN: TOKEN, PAGEMARK_SCHEDULE: "off" },
      callers: [
        {
          name: "caller",
          modules: true,
          script: outputFiles[0].text,
          compatibilityDate: "2026-01-01",
          d1Databases: { D1: "bench" },
          serviceBindings: { PAGEMARK: { name: "pagemark", props: { database: "bench" } } },
        },
      ],
    });
    return place;
  }

  async call(task, on, query = "") {
    const answer = await fetch(`${this.#workers.callerUrls.caller}/${task}?on=${on}&${query}`);
    if (!answer.ok) throw new Error(`${task} on ${on}: ${await answer.text()}`);
    return answer.json();
  }

  async fill(on, rows) {
    for (let from = 1; from <= rows; from += STEP) {
      await this.call("fill", on, `from=${from}&to=${Math.min(rows, from + STEP - 1)}`);
    }
  }

  /** The same over HTTP. */
  async #http(task, id) {
    this.#uuid ??= (await this.#api("?name=bench")).result[0].uuid;
    const [sql, params] =
      task === "get"
        ? ["SELECT id, name, number, amount FROM items WHERE id = ?", [id]]
        : ["INSERT INTO items (name, number) VALUES (?, ?)", ["a new one", id]];
    return this.#api(`/${this.#uuid}/query`, { sql, params });
  }

  async #api(path, body) {
    const answer = await fetch(`${this.#workers.directUrl}/client/v4/accounts/bench/d1/database${path}`, {
      ...(body && { method: "POST", body: JSON.stringify(body) }),
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  }

  /** Requests over so many connections for `ms`: how many a second, and what each took, in ms. */
  async turn(task, on, connections, ms) {
    const took = [];
    let count = 0;
    const processor = this.processorMs();
    const start = performance.now() + WARM_UP_MS;
    const connection = async () => {
      for (;;) {
        const sent = performance.now();
        if (sent >= start + ms) return;
        const id = task === "get" ? 1 + Math.floor(Math.random() * ROWS) : this.#next++;
        if (on === "http") await this.#http(task, id);
        else await this.call(task, on, `id=${id}`);
        count++;
        if (sent >= start) took.push(performance.now() - sent);
      }
    };
    await Promise.all(Array.from({ length: connections }, connection));
    const rate = (took.length * 1000) / (performance.now() - start);
    return { rate, took, processor: (this.processorMs() - processor) / count };
  }

  /** The most that the process of workerd had of memory, in MiB. */
  peak() {
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(ofProcess(this.#pid, "status"))[1]) / 1024);
  }

  /** What workerd has taken of processors, in ms: for the Worker that calls, D1 and Pagemark. */
  processorMs() {
    const [user, system] = ofProcess(this.#pid, "stat").split(") ")[1].split(" ").slice(11, 13);
    return (Number(user) + Number(system)) * 10;
  }

  /** The process of workerd. */
  get #pid() {
    const isOurs = (pid) =>
      /^\d+ \(workerd\) \S+ (\d+)/.exec(ofProcess(pid, "stat"))?.[1] === String(process.pid);
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .find(isOurs);
  }

  static async within(state, action) {
    const place = await Place.start(state);
    try {
      await action(place);
    } finally {
      await place.#workers.stop();
    }
  }
}

function ofProcess(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // it has ended
  }
}
