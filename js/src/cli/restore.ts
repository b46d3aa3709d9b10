import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { type Command, Option } from "commander";
import { pagemark } from "../backups/database.ts";
import { targetState } from "../backups/load-target.ts";
import { PagemarkError } from "../errors/index.ts";
import { PageHeads } from "../moments/page-heads.ts";
import { refusePartial, wholeName } from "../run/partial.ts";
import type { PageSource, RowTarget } from "../sources/source.ts";
import {
  backupJson,
  describeBackup,
  gathering,
  note,
  print,
  report,
  tableJson,
  tablesTable,
  warnAll,
  withBar,
} from "./output.ts";
import {
  fileName,
  isHosted,
  isLocal,
  localFile,
  openBackups,
  openDatabase,
  openSource,
  openStore,
  redacted,
  withBackups,
} from "./places.ts";
import { previewJson, previewText } from "./preview.ts";
import { STANDARD } from "./standard-output.ts";
import { checkTarget, exists, inspect, notesOn, writeTarget } from "./target.ts";
import { duration, momentText } from "./values.ts";
import { follow } from "./warm-copy.ts";

interface Options {
  from: string;
  at?: string;
  output?: string;
  force?: boolean;
  safety: boolean;
  dryRun?: boolean;
  ifNotExists?: boolean;
  ifBackupExists?: boolean;
  follow?: boolean;
  every: number;
  table?: string[];
  as?: string;
  json?: boolean;
}

export function addRestore(program: Command, signal: AbortSignal): void {
  program
    .command("restore")
    .description(
      "restore a database to a file or to D1; what is there is backed up first, a file then replaced in one step",
    )
    .argument("<name>", "the database")
    .requiredOption("--from <store>", "where its backups are: a folder or a URL")
    .option(
      "--at <moment>",
      "a backup's id, a bookmark, a TXID, or the newest before a time or an age such as -1h (default: the newest that no restore made)",
    )
    .option(
      "-o, --output <file>",
      "the file, - for standard output, d1://<account>/<name>, or d1-local:<name> for what wrangler runs here (default: <name>.db)",
    )
    .option("--force", "replace the file, or what D1 holds")
    .option("--table <name...>", "only these tables, into a database that may be in use; the others stay")
    .option("--as <name>", "with one --table: what it is to be called there")
    .option("--no-safety", "do not back up the existing file first")
    .option("--if-not-exists", "do nothing, and succeed, where the file exists")
    .option("--if-backup-exists", "do nothing, and succeed, where there is no backup")
    .option("--follow", "go on, and restore each newer state that is stored, until interrupted")
    .addOption(
      new Option("--every <time>", "with --follow: how often to look")
        .argParser(duration)
        .default(5000, "5s"),
    )
    .option("--dry-run", "change nothing; say which tables would come back, change and vanish")
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const wanted = options.output ?? `${await fileName(name)}.db`;
      const output = isLocal(wanted) ? await localFile(wanted) : wanted;
      // A project that nobody has run yet.
      if (isLocal(wanted)) await mkdir(dirname(output), { recursive: true });
      if (
        options.ifNotExists &&
        !options.follow &&
        output !== STANDARD &&
        !isHosted(output) &&
        (await exists(output))
      ) {
        return note(`${output} exists: nothing was restored`);
      }
      const work = () => {
        if (options.dryRun) return dryRun(name, output, options, signal);
        if (!options.follow) return restore(name, output, options, signal);
        if (options.at !== undefined || options.table || output === STANDARD || isHosted(output)) {
          const message = "--follow restores the newest state to a file; leave --at and --table out";
          throw new PagemarkError("USAGE", message);
        }
        return follow(name, output, options);
      };
      try {
        await withBackups(name, options.from, work);
      } catch (error) {
        const { code } = error as { code?: string };
        const isNone = code === "BACKUP_NONE" || code === "STORE_MISSING";
        if (!options.ifBackupExists || !isNone) throw error;
        note(`there is no backup of ${name} in ${redacted(options.from)}: nothing was restored`);
      }
    });
}

async function restore(name: string, output: string, options: Options, signal: AbortSignal): Promise<void> {
  if (isHosted(output)) return restoreRows(name, output, options, signal);
  if (options.table) return restoreTables(name, output, options.table, options, signal);
  const { from, at, force = false, safety, json = false } = options;
  await checkTarget(output, { force, json, from, binary: "a database" });
  if (options.as !== undefined)
    throw new PagemarkError("USAGE", "--as renames one table: add --table with its name");
  if (output === STANDARD) {
    const { body, backup } = await (await openBackups(name, from)).download(momentText(at), { signal });
    refusePartial(backup, name);
    await writeTarget(output, body, signal);
    return;
  }
  const heads = new PageHeads();
  const database = pagemark(heads.watching(openSource(output)), { store: openStore(from), name });
  const {
    backup,
    undo,
    note: found,
  } = await withBar(`restoring ${name}`, json, (onProgress) =>
    database.restore({ at: momentText(at), safety, signal, onProgress }),
  );
  const { tables, warnings } = await inspect(output, heads);
  const notes = await notesOn(output, found);
  const value = {
    file: output,
    ...(backup && { backup: backupJson(backup) }),
    ...(undo && { undo }),
    tables: tables.map(tableJson),
    notes,
    warnings,
  };
  report(json, value, () =>
    [
      `restored ${output}${backup ? ` to ${describeBackup(backup, at)}` : ""}`,
      ...(tables.length > 0 || warnings.length === 0 ? [tablesTable(tables)] : []),
      ...notes,
      ...(undo ? [`to undo this, restore --force --at ${undo}`] : []),
    ].join("\n"),
  );
  warnAll(warnings);
}

/** Into a database that stays as it is otherwise. */
async function restoreTables(
  name: string,
  output: string,
  tables: string[],
  options: Options,
  signal: AbortSignal,
): Promise<void> {
  const { from, at, safety, as, json = false } = options;
  if (output === STANDARD) {
    throw new PagemarkError(
      "USAGE",
      "--table restores into a database; `pagemark download --table` writes them alone",
    );
  }
  await checkTarget(output, { force: true, json, from });
  const warnings: string[] = [];
  const restored = await withBar(`restoring ${name}`, json, (onProgress) =>
    pagemark(openSource(output), { store: openStore(from), name }).restore({
      at: momentText(at),
      safety,
      tables,
      as,
      signal,
      onProgress,
      onWarning: (message) => warnings.push(message),
    }),
  );
  const { backup, undo, note: found, tables: made = [] } = restored;
  const notes = found ? [found] : [];
  const undoName = wholeName(name, backup);
  const again = made.filter(({ replaced }) => replaced).map(({ name }) => `--table ${JSON.stringify(name)}`);
  report(
    json,
    {
      file: output,
      ...(backup && { backup: backupJson(backup) }),
      ...(undo && { undo }),
      tables: made,
      notes,
      warnings,
    },
    () =>
      [
        `restored into ${output}${backup ? ` from ${describeBackup(backup, at)}` : ""}; the other tables are as they were`,
        tablesTable(made),
        ...notes,
        ...(undo && again.length > 0
          ? [
              `to undo this, restore ${undoName === name ? "" : `${JSON.stringify(undoName)} `}${again.join(" ")} --at ${undo}`,
            ]
          : []),
      ].join("\n"),
  );
  warnAll(warnings);
}

/** Into a database that takes SQL, where all of it is read again at the end. */
async function restoreRows(
  name: string,
  output: string,
  options: Options,
  signal: AbortSignal,
): Promise<void> {
  const { from, at, force = false, safety, table: only, json = false } = options;
  const source = await openDatabase(output);
  if (!force && !only) await refuseFull(source, output, signal);
  const warnings: string[] = [];
  const { backup, undo, note, verified } = await withBar(`restoring ${name}`, json, (onProgress) =>
    pagemark(source, { store: openStore(from), name }).restore({
      at: momentText(at),
      safety,
      tables: only,
      signal,
      onProgress,
      onWarning: (message) => warnings.push(message),
    }),
  );
  const tables = verified?.map(({ name, rows }) => ({ name, rows })) ?? [];
  const value = {
    database: output,
    ...(backup && { backup: backupJson(backup) }),
    ...(undo && { undo }),
    verified: verified ?? null,
    notes: note ? [note] : [],
    warnings,
  };
  report(json, value, () =>
    [
      `restored ${output}${backup ? ` to ${describeBackup(backup, at)}` : ""}`,
      ...(verified ? [tablesTable(tables), "all of it was read again: it is what was backed up"] : []),
      ...(note ? [note] : []),
      ...(undo ? [`to undo this, restore --force --at ${undo}`] : []),
    ].join("\n"),
  );
  warnAll(warnings);
}

/** @throws PagemarkError `TARGET_EXISTS` when the database holds anything that nobody said may go */
async function refuseFull(source: PageSource, output: string, signal: AbortSignal): Promise<void> {
  const { isEmpty, halfLoaded } = await targetState(source as PageSource & RowTarget, signal);
  if (isEmpty || halfLoaded) return;
  const message = `${output} holds tables; --dry-run says what a restore would change, --force replaces them after a backup of them, --table restores some alone`;
  throw new PagemarkError("TARGET_EXISTS", message, { name: output });
}

/** Prints what a restore would do to the tables of an existing file. */
async function dryRun(name: string, output: string, options: Options, signal: AbortSignal): Promise<void> {
  const { from, at, table: only, json = false } = options;
  const database = pagemark(await openDatabase(output), { store: openStore(from), name });
  const { warnings, onWarning } = gathering();
  const preview = await withBar(`comparing ${output}`, json, (onProgress) =>
    database.preview({ at: momentText(at), tables: only, signal, onProgress, onWarning }),
  );
  print(json, previewJson(output, preview), () => previewText(output, preview, at));
  warnAll(warnings);
}
