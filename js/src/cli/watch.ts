import { spawn } from "node:child_process";
import { constants } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import { pagemark } from "../backups/database.ts";
import { PagemarkError } from "../errors/index.ts";
import type { WatchEvent, Watcher, WatchOptions } from "../vault/watch.ts";
import { watch } from "../vault/watch.ts";
import { type Address, addressOf, listen } from "./control.ts";
import { checkNames, databaseFiles, isPattern } from "./files.ts";
import { stopOnSignals } from "./interrupt.ts";
import { EXIT, note, printError, say } from "./output.ts";
import { nameOf, openSource, openStore } from "./places.ts";
import { writeText } from "./standard-output.ts";
import { count, duration, timeText } from "./values.ts";

interface Options {
  to: string;
  name?: string;
  every: number;
  backupEvery: number;
  fullEvery: number;
  keepStates: number;
  keepWithin: number;
  keepDaily: number;
  keepAll?: boolean;
  listen?: Address;
  exec?: string;
  metaDir?: string;
  json?: boolean;
}

/** How often patterns are looked up again, in milliseconds. */
const LOOK_EVERY_MS = 2000;

/** An option that takes a length of time, in milliseconds. */
function timed(flags: string, what: string, standard: string): Option {
  return new Option(flags, what).argParser(duration).default(duration(standard), standard);
}

export function addWatch(program: Command): void {
  program
    .command("watch")
    .description("back databases up continuously: what is committed is in the store within the interval")
    .argument("<files...>", "databases, or patterns such as 'data/*.db', whose new files are picked up")
    .requiredOption("--to <store>", "where backups go: a folder or a URL such as s3://bucket/prefix")
    .option("--name <name>", "the database's name in the store, where there is one only")
    .addOption(timed("--every <time>", "how often to store what was committed", "1s"))
    .addOption(timed("--backup-every <time>", "how often to make a backup of a database that changes", "5m"))
    .addOption(timed("--full-every <time>", "how often that is a full one", "1d"))
    .addOption(
      timed("--keep-states <time>", "how long every state stored can be restored, not only backups", "1h"),
    )
    .addOption(timed("--keep-within <age>", "keep all backups that are not older", "1d"))
    .option("--keep-daily <n>", "keep the newest of each of the last n days", count, 7)
    .option("--keep-all", "delete no backup")
    .option(
      "--listen <[host:]port>",
      "answer /healthz, /metrics, /status and POST /sync on this loopback port",
      address,
    )
    .option("--exec <command>", "run a command, and watch for as long as it runs")
    .option("--meta-dir <folder>", "not needed, and not written to: nothing is kept on this machine")
    .action(async (paths: string[], _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { to, name, json = false } = options;
      if (name !== undefined && (paths.length > 1 || paths.some(isPattern)))
        throw new PagemarkError("USAGE", "--name is for a single file: others are called as their files are");
      const store = openStore(to);
      const open = (path: string) => pagemark(openSource(path), { store, name: name ?? nameOf(path) });
      const files = await databaseFiles(paths);
      checkNames(
        files.map((path) => ({ path })),
        "watch them with commands of their own",
      );
      if (options.metaDir !== undefined)
        note("--meta-dir is not needed: what was stored, and where to go on, is in the store");
      if (files.length === 0) note(`no file fits ${paths.join(" ")} yet`);
      const stopping = new AbortController();
      stopOnSignals(() => stopping.abort());
      const watcher = watch(files.map(open), {
        ...rulesOf(options),
        signal: stopping.signal,
        onEvent: (event) => {
          // Neither a key nor another store comes by waiting: the command ends, and tells of it then. Other failures are tried again.
          if (event.kind === "failed" && NEVER_MENDS.has(errorJson(event.error).code)) stopping.abort();
          else tell(event, json);
        },
      });
      const stop = options.listen && (await listen(options.listen, watcher));
      const looking = paths.some(isPattern) && setInterval(() => void lookAgain(), LOOK_EVERY_MS);
      const lookAgain = async () => {
        const found = await databaseFiles(paths).catch(() => []);
        for (const path of found) watcher.add(open(path));
      };
      const status = options.exec === undefined ? undefined : await runUnder(options.exec, watcher, stopping);
      try {
        await watcher.done;
      } finally {
        if (looking) clearInterval(looking);
        stop?.();
      }
      process.exitCode = status ?? 0;
    });
}

function rulesOf(options: Options): WatchOptions {
  const { every, backupEvery, fullEvery, keepStates, keepAll, keepWithin, keepDaily } = options;
  const keep = keepAll ? { keepWithinMs: Number.MAX_SAFE_INTEGER } : { keepWithinMs: keepWithin, keepDaily };
  return {
    everyMs: every,
    backupEveryMs: backupEvery,
    fullEveryMs: fullEvery,
    keepStatesMs: keepStates,
    keep,
  };
}

const NEVER_MENDS: ReadonlySet<string> = new Set(["KEY_WRONG", "STORE_NESTED"]);

/** Runs the command until it ends by itself, or is told to; gives its exit code, as a shell does. */
async function runUnder(command: string, watcher: Watcher, stopping: AbortController): Promise<number> {
  await watcher.sync().catch(() => {}); // what goes wrong was told, and is tried again
  if (stopping.signal.aborted) return EXIT.failed;
  const child = spawn(command, { shell: true, stdio: "inherit" });
  stopOnSignals((signal) => child.kill(signal));
  const code = await new Promise<number>((resolve) => {
    child.once("error", () => resolve(127));
    child.once("exit", (status, signal) => resolve(status ?? 128 + constants.signals[signal ?? "SIGKILL"]));
  });
  stopping.abort();
  return code;
}

function tell(event: WatchEvent, json: boolean): void {
  const { kind, name } = event;
  if (json) {
    const state = "state" in event && { txid: event.state.txid, bookmark: event.state.bookmark };
    const error = kind === "failed" && { error: errorJson(event.error), retry_ms: event.retryMs };
    writeText(`${JSON.stringify({ event: kind, name, ...state, ...error })}\n`);
  } else if (kind === "started") say(`${name}: watched since ${timeText(event.state.atMs)}`);
  else if (kind === "missing") note(`${name}: the database is gone; its backups stay, and it is looked for`);
  else if (kind === "failed") {
    printError(event.error, false);
    note(`${name}: tried again in ${Math.ceil(event.retryMs / 1000)} s`);
  }
}

function errorJson(error: unknown) {
  const { code = "INTERNAL", message = String(error) } = (error ?? {}) as { code?: string; message?: string };
  return { code, message };
}

function address(text: string): Address {
  const found = addressOf(text);
  if (found) return found;
  throw new InvalidArgumentError("it must be a port, or a loopback address with one, such as 127.0.0.1:9090");
}
