import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { pagemark } from "../backups/database.ts";
import type { NewBackup } from "../run/made.ts";
import { Agenda } from "../vault/agenda.ts";
import { type WatchEvent, Watcher } from "../vault/watch.ts";
import { CONFIG, configSchema, type Planned, readConfig } from "./config.ts";
import { schedulesIn } from "./data-folder.ts";
import { withHooks } from "./hooks.ts";
import { stopOnSignals } from "./interrupt.ts";
import { backupJson, bytes, exitAlso, note, printError, say, warn } from "./output.ts";
import { openBackups, openSource, openStore } from "./places.ts";
import { writeText } from "./standard-output.ts";
import { timeText } from "./values.ts";

interface Options {
  config?: string;
  data?: string;
  to?: string;
  once?: boolean;
  schema?: boolean;
  json?: boolean;
}

/** The configuration, and what fits its patterns, are read again so often, in milliseconds. */
const READ_EVERY_MS = 60_000;
/** Between two attempts, at first and at most, in milliseconds. */
const RETRY_MS = 60_000;
const MOST_RETRY_MS = 15 * 60_000;
/** The schedule makes backups, and nothing of the history between them goes by itself. In milliseconds. */
const FOREVER_MS = 100 * 365 * 86_400_000;

export function addRun(program: Command): void {
  program
    .command("run")
    .description("back databases up by schedule, as a configuration file says (docs/configuration.md)")
    .option("--config <file>", `the file: .toml, or .json (default: ${CONFIG}, unless --data is given)`)
    .option("--data <folder>", "go by the schedules that `pagemark sql` made of the databases in this folder")
    .option("--to <store>", "where backups of such schedules go that name no store")
    .option("--once", "make the backups that are due now, and end")
    .option("--schema", "print a JSON schema of the file, for editors, and end")
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { once = false, schema = false, json = false } = options;
      if (schema) return writeText(`${JSON.stringify(configSchema(), undefined, 2)}\n`);
      const stopping = new AbortController();
      stopOnSignals(() => stopping.abort());
      const runner = new Runner(stopping.signal, json);
      do {
        const plans = await readPlans(options);
        const agendas = plans.map((planned) => ({ planned, agenda: new Agenda(planned) }));
        let nextMs = Date.now() + READ_EVERY_MS;
        for (const { planned, agenda } of agendas) {
          if (!stopping.signal.aborted) nextMs = Math.min(nextMs, await runner.runIfDue(planned, agenda));
        }
        if (once) break;
        // After the backups that are due: both at once would be in each other's way.
        runner.watch(plans);
        await sleep(Math.max(1000, nextMs - Date.now()), undefined, { signal: stopping.signal }).catch(
          () => {},
        );
      } while (!stopping.signal.aborted);
      await runner.close();
      if (once) for (const error of runner.failures) exitAlso(error);
    });
}

/** What the configuration says, and the schedules that statements made. */
async function readPlans({ config, data, to }: Options): Promise<Planned[]> {
  const configured = config !== undefined || data === undefined ? await readConfig(config ?? CONFIG) : [];
  return data === undefined ? configured : [...configured, ...(await schedulesIn(data, to))];
}

class Runner {
  /** Why backups failed. */
  readonly failures: unknown[] = [];
  readonly #signal: AbortSignal;
  readonly #json: boolean;
  /** When each was made last, by what names it in its plans: another schedule may have made the newest backup. */
  readonly #made = new Map<string, string>();
  /** Databases that failed last time: when each is tried again, and after how long the time after. */
  readonly #retries = new Map<string, { atMs: number; pauseMs: number }>();

  /** Databases whose every state is stored, by what names them in their plans. */
  readonly #watched = new Map<string, { watcher: Watcher; stopping: AbortController }>();

  constructor(signal: AbortSignal, json: boolean) {
    this.#signal = signal;
    this.#json = json;
  }

  /** Has the states stored of databases whose plans want that, and of no others. */
  watch(plans: readonly Planned[]): void {
    const wanted = new Map(plans.flatMap((plan) => (plan.revisionHistory ? [[placeOf(plan), plan]] : [])));
    for (const [key, { stopping }] of this.#watched) if (!wanted.has(key)) stopping.abort();
    for (const [key, { name, path, store }] of wanted) {
      const known = this.#watched.get(key);
      if (known && !known.stopping.signal.aborted) continue;
      const stopping = new AbortController();
      const database = pagemark(openSource(path), { store: openStore(store), name });
      const onEvent = (event: WatchEvent) => {
        if (event.kind === "failed") printError(event.error, this.#json);
      };
      const rules = { backupEveryMs: FOREVER_MS, fullEveryMs: FOREVER_MS, keepStatesMs: FOREVER_MS };
      const watcher = new Watcher([database], {
        ...rules,
        keep: { keepWithinMs: FOREVER_MS },
        signal: stopping.signal,
        onEvent,
      });
      // What keeps states from being stored was told as it happened.
      watcher.done.catch(() => {});
      this.#watched.set(key, { watcher, stopping });
    }
  }

  /** Stores the last states of what is watched. */
  async close(): Promise<void> {
    this.watch([]);
    await Promise.allSettled([...this.#watched.values()].map(({ watcher }) => watcher.done));
  }

  /** Makes the backup that is due, and gives the time to ask again, in milliseconds since 1970. */
  async runIfDue(planned: Planned, agenda: Agenda): Promise<number> {
    const key = keyOf(planned);
    const retry = this.#retries.get(key);
    if (retry && retry.atMs > Date.now()) return retry.atMs;
    try {
      const backups = await openBackups(planned.name, planned.store);
      const list = (await backups.list({ signal: this.#signal })).filter(({ state }) => state === "done");
      const made = this.#made.get(key);
      const due = agenda.due(made === undefined ? list[0] : { createdAt: made }, Date.now());
      if (due.atMs > Date.now()) return due.atMs;
      const full = agenda.isFull(list, Date.now());
      await withHooks(planned, planned, async () => {
        const { createdAt } = await this.#run(planned, full, due.missed);
        this.#made.set(key, createdAt);
      });
      this.#retries.delete(key);
      return agenda.next(Date.now());
    } catch (error) {
      if (this.#signal.aborted) return Number.POSITIVE_INFINITY;
      this.failures.push(error);
      const pauseMs = retry ? Math.min(MOST_RETRY_MS, 2 * retry.pauseMs) : RETRY_MS;
      this.#retries.set(key, { atMs: Date.now() + pauseMs, pauseMs });
      printError(error, this.#json);
      return Date.now() + pauseMs;
    }
  }

  async #run(planned: Planned, full: boolean, missed: number): Promise<NewBackup> {
    const { name, path, store, keep } = planned;
    if (missed > 0) note(`${name}: ${missed} backups were missed before; this one catches up`);
    const database = pagemark(openSource(path), { store: openStore(store), name });
    const backup = await database.backup({ full, automatic: true, signal: this.#signal });
    this.#tell(planned, backup, missed);
    if (keep) await database.prune({ ...keep, signal: this.#signal });
    return backup;
  }

  #tell({ name }: Planned, backup: NewBackup, missed: number): void {
    const { createdAt, id, kind, fullBecause, storedSize, warnings } = backup;
    const because = fullBecause === undefined ? "" : ` (${fullBecause})`;
    if (this.#json) writeText(`${JSON.stringify({ name, missed, backup: backupJson(backup) })}\n`);
    else
      say(
        `${timeText(createdAt)} ${name}: ${kind} backup ${id.slice(0, 8)}${because}, ${bytes(storedSize)} stored`,
      );
    for (const warning of warnings) warn(`${name}: ${warning}`);
  }
}

/** What is watched. */
function placeOf({ name, path, store }: Planned): string {
  return JSON.stringify([name, path, store]);
}

/** One plan of what there is for a database. */
function keyOf(planned: Planned): string {
  const { schedule, timezone, full } = planned;
  return JSON.stringify([placeOf(planned), schedule, timezone, full]);
}
