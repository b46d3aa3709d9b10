import type { Command } from "commander";
import { pagemark } from "../backups/database.ts";
import { PagemarkError } from "../errors/index.ts";
import type { NewBackup } from "../run/made.ts";
import { partialName } from "../run/partial.ts";
import type { PageSource } from "../sources/source.ts";
import { withHooks } from "./hooks.ts";
import { backupJson, bytes, EXIT, note, printError, report, table, warn, withBar } from "./output.ts";
import { isFolder, isHosted, nameOf, openDatabase, openStore, redacted } from "./places.ts";
import { STANDARD } from "./standard-output.ts";
import { number, rate, timeText } from "./values.ts";

interface Options {
  to: string;
  name?: string;
  full?: boolean;
  viaExport?: boolean;
  tracking?: boolean;
  sameDatabase?: boolean;
  tag?: string;
  table?: string[];
  note?: string;
  pages?: number;
  maxRate?: number;
  hurry?: boolean;
  execBefore?: string;
  execAfter?: string;
  heartbeat?: string;
  json?: boolean;
}

export function addBackup(program: Command, signal: AbortSignal): void {
  program
    .command("backup")
    .description("back a database up while it is in use; after the first backup, only what changed")
    .argument(
      "<file>",
      "the database; - for standard input; d1://<account>/<name> for one at Cloudflare; d1-local:<name>; or a project that wrangler runs, for all of its local ones",
    )
    .requiredOption("--to <store>", "where backups go: a folder or a URL such as s3://bucket/prefix")
    .option("--name <name>", "the database's name in the store (default: the file's name without its ending)")
    .option("--table <name...>", "only these tables: a partial backup, kept apart as <name>.<tables>")
    .option("--via-export", "of d1://…: by D1's own export, which blocks queries and is not exact")
    .option(
      "--tracking",
      "of d1://…: by triggers that it makes there and that note what changes, so that later backups read only that; `pagemark d1 untrack` takes them away",
    )
    .option("--full", "make a full backup, even where an incremental one would do")
    .option(
      "--same-database",
      "this is the database whose backups have that name, though it looks like another one; needed once",
    )
    .option("--tag <name>", "name this backup, which keeps it from being pruned")
    .option("--note <text>", "what to remember of this backup; `show` and `list --json` give it back")
    .option("--exec-before <command>", "run a command before; when it fails, there is no backup")
    .option(
      "--exec-after <command>",
      "run a command after, with PAGEMARK_NAME, PAGEMARK_FILE and PAGEMARK_STATUS: done or failed",
    )
    .option("--heartbeat <url>", "fetch a URL after a backup that was made")
    .option("--pages <n>", "pages to read in a step; -1 lets pagemark decide", number)
    .option("--max-rate <bytes>", "read at most so many bytes a second, such as 5MB", rate)
    .option(
      "--hurry",
      "run all threads at normal priority: quicker on a busy machine, and in the way of others",
    )
    .action(async (path: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { to, name = nameOf(path), pages, json = false } = options;
      const { viaExport = false, tracking = false } = options;
      if (path === STANDARD && name === nameOf(path))
        throw new PagemarkError("USAGE", "standard input has no name: give the database one with --name");
      if ((viaExport || tracking) && !isHosted(path)) {
        const option = viaExport ? "--via-export" : "--tracking";
        throw new PagemarkError("USAGE", `${option} is for d1://<account>/<database>`);
      }
      if (viaExport && tracking)
        throw new PagemarkError("USAGE", "--via-export reads all there is: leave it or --tracking out");
      if (isFolder(path)) {
        const { checkProject } = await import("./project.ts");
        checkProject(path);
        return backUpProject(path, options, signal);
      }
      const backup = await withHooks(options, { name, path }, async () => {
        const source = viaExport
          ? (await import("./hosted.ts")).exportedSource(path, signal)
          : await openDatabase(path, { tracking });
        return backUp(source, name, options, signal);
      });
      const {
        createdAt,
        id,
        tables,
        size,
        state,
        kind,
        storedSize,
        bookmark,
        fullBecause,
        mostPages,
        partial,
      } = backup;
      report(
        json,
        { ...backupJson(backup), ...(fullBecause !== undefined && { full_because: fullBecause }) },
        () =>
          [
            table(
              ["created_at", "id", "num_tables", "size", "state"],
              [[timeText(createdAt), id.slice(0, 8), String(tables), bytes(size), state]],
              ["left", "left", "right", "right"],
            ),
            ...(partial
              ? [
                  `partial: only ${partial.join(", ")}, under the name ${JSON.stringify(partialName(name, partial))}`,
                ]
              : []),
            `${kind}${fullBecause === undefined ? "" : ` (${fullBecause})`}, ${bytes(storedSize)} stored in ${redacted(to)}`,
            `bookmark ${bookmark}`,
          ].join("\n"),
      );
      if (pages !== undefined && mostPages !== undefined && pages > mostPages)
        note(
          `--pages ${pages}: steps took ${mostPages} pages, the most there may be of ${backup.pageSize} bytes each`,
        );
      for (const warning of backup.warnings) warn(warning);
      if (backup.warnings.length > 0) process.exitCode = EXIT.warnings;
    });
}

function backUp(source: PageSource, name: string, options: Options, signal: AbortSignal): Promise<NewBackup> {
  const { to, full = false, sameDatabase = false, tag, note: remark, pages, maxRate } = options;
  const { hurry = false, table: tables, json = false } = options;
  const database = pagemark(source, { store: openStore(to), name });
  return withBar(`backing up ${name}`, json, (onProgress) =>
    database.backup({
      full,
      hurry,
      tables,
      sameDatabase,
      signal,
      onProgress,
      ...(tag !== undefined && { tag }),
      ...(remark !== undefined && { note: remark }),
      ...(pages !== undefined && { pages }),
      ...(maxRate !== undefined && { maxBytesPerSecond: maxRate }),
    }),
  );
}

/** Backs up each local database of a project; one that cannot be keeps no other from it. */
async function backUpProject(path: string, options: Options, signal: AbortSignal): Promise<void> {
  const { to, json = false } = options;
  if (options.name !== undefined)
    throw new PagemarkError("USAGE", "--name is for one database: those of a project have their own");
  const made: { name: string; backup: NewBackup }[] = [];
  let failed = 0;
  const { localDatabases } = await import("./project.ts");
  for (const { name, path: file } of await localDatabases(path)) {
    try {
      const backup = await withHooks(options, { name, path: file }, async () =>
        backUp(await openDatabase(file), name, options, signal),
      );
      made.push({ name, backup });
    } catch (error) {
      if (signal.aborted || !(error instanceof PagemarkError)) throw error;
      // Nothing was ever put into it.
      if (error.code === "DATABASE_EMPTY") continue;
      failed++;
      printError(error, json);
    }
  }
  const rows = made.map(({ name, backup: { id, tables, size, kind } }) => {
    return [name, id.slice(0, 8), String(tables), bytes(size), kind];
  });
  const all = made.map(({ name, backup }) => ({ name, ...backupJson(backup) }));
  report(json, { databases: all, failed }, () => {
    const head = ["database", "id", "num_tables", "size", "kind"];
    const many = made.length === 1 ? "1 database" : `${made.length} databases`;
    return [table(head, rows, ["left", "left", "right", "right"]), `${many} stored in ${redacted(to)}`].join(
      "\n",
    );
  });
  for (const { name, backup } of made) for (const warning of backup.warnings) warn(`${name}: ${warning}`);
  if (made.some(({ backup }) => backup.warnings.length > 0)) process.exitCode = EXIT.warnings;
  if (failed > 0) process.exitCode = EXIT.failed;
}
