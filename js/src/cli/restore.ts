import type { Command } from "commander";
import { pagemark } from "../jobs/pagemark.ts";
import { backupJson, describeBackup, print, tableJson, tablesTable, warnAll } from "./output.ts";
import { PageHeads } from "./page-heads.ts";
import { fileName, openBackups, openSource, openStore, withBackups } from "./places.ts";
import { withBar } from "./progress-bar.ts";
import { STANDARD } from "./standard-output.ts";
import { checkTarget, exists, inspect, tablesOf, writeTarget } from "./target.ts";
import { momentText } from "./times.ts";

interface Options {
  from: string;
  at?: string;
  output?: string;
  force?: boolean;
  safety: boolean;
  dryRun?: boolean;
  json?: boolean;
}

export function addRestore(program: Command, signal: AbortSignal): void {
  program
    .command("restore")
    .description("restore a database to a file; an existing one is backed up first and replaced at once")
    .argument("<name>", "the database")
    .requiredOption("--from <store>", "where its backups are: a folder")
    .option(
      "--at <moment>",
      "a backup's id, a bookmark, a TXID, or the newest before a time or an age such as -1h (default: the newest that no restore made)",
    )
    .option("-o, --output <file>", "the file, or - for standard output (default: <name>.db)")
    .option("--force", "replace the file if it exists")
    .option("--no-safety", "do not back the existing file up first")
    .option("--dry-run", "only say which tables would come back, change and vanish")
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const output = options.output ?? `${await fileName(name)}.db`;
      await withBackups(name, options.from, () =>
        options.dryRun ? dryRun(name, output, options) : restore(name, output, options, signal),
      );
    });
}

async function restore(name: string, output: string, options: Options, signal: AbortSignal): Promise<void> {
  const { from, at = "", force = false, safety, json = false } = options;
  await checkTarget(output, { force, json, from, binary: "a database" });
  if (output === STANDARD) {
    const { body } = await (await openBackups(name, from)).download(momentText(at), { signal });
    await writeTarget(output, body, signal);
    return;
  }
  const heads = new PageHeads();
  const database = pagemark(heads.watching(openSource(output)), { store: openStore(from), name });
  const { backup, undo } = await withBar(`restoring ${name}`, json, (onProgress) =>
    database.restore({ at: momentText(at), safety, signal, onProgress }),
  );
  const { tables, warnings } = await inspect(output, heads);
  const value = {
    file: output,
    ...(backup && { backup: backupJson(backup) }),
    ...(undo && { undo }),
    tables: tables.map(tableJson),
    warnings,
  };
  print(json, value, () =>
    [
      `restored ${output}${backup ? ` to ${describeBackup(backup, at)}` : ""}`,
      ...(tables.length > 0 || warnings.length === 0 ? [tablesTable(tables)] : []),
      ...(undo ? [`the database before is bookmark ${undo}; restore --at it to undo this`] : []),
    ].join("\n"),
  );
  warnAll(warnings);
}

/** What a restore would do to the tables of an existing file. */
async function dryRun(name: string, output: string, { from, at, json = false }: Options): Promise<void> {
  const shown = await (await openBackups(name, from)).show(at && momentText(at));
  const before = (await exists(output)) ? await tablesOf(output) : [];
  const names = new Set(shown.tables.map((table) => table.name));
  const vanish = before.filter((table) => !names.has(table.name));
  const stay = before.filter((table) => names.has(table.name));
  const come = shown.tables.filter((table) => !before.some((old) => old.name === table.name));
  print(json, { file: output, backup: backupJson(shown.backup), vanish, stay, come }, () =>
    [
      `would restore ${output} to ${shown.backup.createdAt} (backup ${shown.backup.id})`,
      `vanish: ${vanish.map(({ name, rows }) => `${name} (${rows ?? "-"} rows)`).join(", ") || "no table"}`,
      `go back: ${stay.map(({ name }) => name).join(", ") || "no table"}`,
      `come: ${come.map(({ name }) => name).join(", ") || "no table"}`,
    ].join("\n"),
  );
}
