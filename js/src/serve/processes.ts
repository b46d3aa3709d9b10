// A few processes that run SQL, each one request at a time.
import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { PagemarkError } from "../errors/index.ts";
import { errorOf } from "../errors/thrown.ts";
import type { Ask, Told } from "./process.node.ts";
import { timeout } from "./queries.ts";

const PROGRAM = fileURLToPath(new URL("./process.node.js", import.meta.url));
/** Requests that wait at most. */
const MOST_WAITING = 1000;
/** A process that writes is ended so long after it should have answered, in milliseconds: commits take their time. */
const GRACE_MS = 5000;
/** What a process may take of memory for its data, in KiB, where the system can limit that. */
const MEMORY_KIB = 768 << 10;
const HEAP_MIB = 256;

interface Waiting {
  readonly path: string;
  readonly readonly: boolean;
  begin(process: SqlProcess): void;
  refuse(error: unknown): void;
}

/** Starts processes as they are needed, at most so many. Those who may only read have half of them. */
export class Processes {
  readonly #most: number;
  readonly #idle: SqlProcess[] = [];
  readonly #all = new Set<SqlProcess>();
  readonly #waiting: Waiting[] = [];
  #readers = 0;
  #isClosed = false;

  constructor(most: number) {
    this.#most = most;
  }

  /** Asks one thing of any process. @throws PagemarkError `OVERLOADED` when too many wait already */
  ask<T>(
    ask: Ask & { path: string },
    { timeoutMs, readonly = false }: { timeoutMs: number; readonly?: boolean },
  ): Promise<T> {
    const graceMs = readonly ? 0 : GRACE_MS;
    return this.use(ask.path, readonly, (process) => process.ask<T>(ask, timeoutMs + graceMs));
  }

  /** Has a process for several questions about a file. */
  async use<T>(path: string, readonly: boolean, use: (process: SqlProcess) => Promise<T>): Promise<T> {
    const process = await this.#take(path, readonly);
    try {
      return await use(process);
    } finally {
      if (readonly) this.#readers--;
      await this.#giveBack(process);
    }
  }

  /** Has all processes let go of a file, those that are at work as soon as they have done it. */
  async closeFile(path: string): Promise<void> {
    const idle = this.#idle.splice(0);
    const closings = [...this.#all].map((process) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      process.atEnd.push(async () => {
        await process.ask({ what: "close", path }, GRACE_MS).catch(() => {});
        resolve();
      });
      return promise;
    });
    for (const process of idle) void this.#giveBack(process);
    await Promise.all(closings);
  }

  close(): void {
    this.#isClosed = true;
    for (const { refuse } of this.#waiting.splice(0)) refuse(closing());
    for (const each of this.#all) each.end();
  }

  async #take(path: string, readonly: boolean): Promise<SqlProcess> {
    if (this.#isClosed) throw closing();
    if (this.#waiting.length >= MOST_WAITING) {
      const message = `${MOST_WAITING} requests wait already; try again in a moment`;
      throw new PagemarkError("OVERLOADED", message);
    }
    return new Promise((begin, refuse) => {
      this.#waiting.push({ path, readonly, begin, refuse });
      this.#next();
    });
  }

  async #giveBack(process: SqlProcess): Promise<void> {
    for (let last = process.atEnd.shift(); last; last = process.atEnd.shift()) await last();
    if (process.isAlive) this.#idle.push(process);
    else this.#all.delete(process);
    this.#next();
  }

  #next(): void {
    const most = Math.max(1, this.#most >> 1);
    const at = this.#waiting.findIndex(({ readonly }) => !readonly || this.#readers < most);
    if (at < 0 || (this.#idle.length === 0 && this.#all.size >= this.#most)) return;
    const [next] = this.#waiting.splice(at, 1);
    if (!next) return;
    // One that has the file open already, if there is any.
    const known = this.#idle.findIndex(({ path }) => path === next.path);
    const [idle] = this.#idle.splice(known < 0 ? -1 : known, 1);
    const process = idle?.isAlive ? idle : new SqlProcess();
    if (idle !== process && idle) this.#all.delete(idle);
    this.#all.add(process);
    process.path = next.path;
    if (next.readonly) this.#readers++;
    next.begin(process);
  }
}

/** One process. Whoever has it asks one thing after the other. */
class SqlProcess {
  readonly #child: ChildProcess;
  readonly #ready: Promise<unknown>;
  /** The file that it was asked about last. */
  path = "";
  /** What to do before it gets something else to do. */
  readonly atEnd: (() => Promise<void>)[] = [];
  /** Who waits for an answer. */
  #asking: PromiseWithResolvers<unknown> | undefined;
  #isAlive = true;

  constructor() {
    this.#child = start();
    this.#ready = new Promise((resolve) => {
      this.#child.once("message", (ready) => {
        this.#child.on("message", (told: Told) => {
          if ("error" in told) this.#asking?.reject(errorOf(told.error));
          else this.#asking?.resolve(told.result);
        });
        resolve(ready);
      });
    });
    // Whatever ends it: what was asked has no other answer.
    const onEnd = () => {
      this.#isAlive = false;
      this.#asking?.reject(gone());
    };
    this.#child.on("exit", onEnd);
    this.#child.on("error", onEnd);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** @throws PagemarkError `SQL_TIMEOUT` when there is no answer within so many milliseconds: the process is ended then */
  async ask<T>(ask: Ask, ms: number, signal?: AbortSignal): Promise<T> {
    const asking = Promise.withResolvers<unknown>();
    this.#asking = asking;
    const stop = (reason: unknown) => {
      this.end("SIGKILL");
      asking.reject(reason);
    };
    const onAbort = () => stop(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    let timer: NodeJS.Timeout | undefined;
    try {
      signal?.throwIfAborted();
      await Promise.race([this.#ready, asking.promise]);
      timer = setTimeout(() => stop(timeout()), ms);
      if (this.#isAlive) this.#child.send(ask);
      else asking.reject(gone());
      return (await asking.promise) as T;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      this.#asking = undefined;
    }
  }

  /** Without a signal the process ends when it has done what it is at. */
  end(signal?: "SIGKILL"): void {
    if (signal) {
      this.#isAlive = false;
      this.#child.kill(signal);
    } else if (this.#child.connected) this.#child.disconnect();
  }
}

function start(): ChildProcess {
  const flags = [`--max-old-space-size=${HEAP_MIB}`, "--disable-warning=ExperimentalWarning"];
  const options: ForkOptions = { serialization: "advanced", stdio: ["ignore", "inherit", "inherit", "ipc"] };
  if (process.platform === "win32") return fork(PROGRAM, [], { ...options, execArgv: flags });
  // The shell sets the limit, and becomes the process.
  const script = `ulimit -d ${MEMORY_KIB} 2>/dev/null; exec "$0" ${flags.join(" ")} "$@"`;
  return fork(PROGRAM, [], { ...options, execPath: "/bin/sh", execArgv: ["-c", script, process.execPath] });
}

function gone(): PagemarkError {
  const message =
    "the process that ran the SQL has ended, as when it needs too much memory; what it did was rolled back";
  return new PagemarkError("ENGINE_MEMORY", message);
}

function closing(): PagemarkError {
  return new PagemarkError("OVERLOADED", "the server is being stopped; try again when it is up");
}
