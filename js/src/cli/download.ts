import type { Command } from "commander";
import { PageHeads } from "../moments/page-heads.ts";
import { backupJson, describeBackup, print, tableJson, tablesTable, warnAll, withBar } from "./output.ts";
import { fileName, openBackups, withBackups } from "./places.ts";
import { STANDARD } from "./standard-output.ts";
import { checkTarget, inspect, notesOn, writeTarget } from "./target.ts";
import { momentText } from "./values.ts";

interface Options {
  from: string;
  output?: string;
  force?: boolean;
  json?: boolean;
}

export function addDownload(program: Command, signal: AbortSignal): void {
  program
    .command("download")
    .description("save a backup as a native SQLite file")
    .argument("<name>", "the database")
    .argument(
      "[backup]",
      "its id or the id's first eight digits, a bookmark, a TXID or a time (default: the newest that no restore made)",
    )
    .requiredOption("--from <store>", "where its backups are: a folder")
    .option(
      "-o, --output <file>",
      "the file, or - for standard output (default: <name>.<first 8 of the id>.sqlite3)",
    )
    .option("--force", "replace the file if it exists")
    .action(async (name: string, at: string | undefined, _options, command: Command) => {
      const { from, force = false, json = false, output } = command.optsWithGlobals<Options>();
      const backups = await openBackups(name, from);
      const plainName = await fileName(name);
      const binary = "a database";
      if (output !== undefined) await checkTarget(output, { force, json, from, binary });
      const heads = new PageHeads();
      const { path, backup, note } = await withBackups(name, from, () =>
        withBar(`downloading ${name}`, json, async (onProgress) => {
          const { body, backup, note } = await backups.download(at && momentText(at), { signal, onProgress });
          const path = output ?? `${plainName}.${backup?.id.slice(0, 8) ?? "litestream"}.sqlite3`;
          if (output === undefined) await checkTarget(path, { force, json, from });
          await writeTarget(path, path === STANDARD ? body : heads.watch(body), signal);
          return { path, backup, note };
        }),
      );
      if (path === STANDARD) return;
      const { tables, warnings } = await inspect(path, heads);
      const notes = await notesOn(path, note);
      const value = {
        file: path,
        ...(backup && { backup: backupJson(backup) }),
        tables: tables.map(tableJson),
        notes,
      };
      print(json, { ...value, warnings }, () =>
        [
          `saved ${path}${backup ? `: ${describeBackup(backup, at)}` : ""}`,
          ...(tables.length > 0 || warnings.length === 0 ? [tablesTable(tables)] : []),
          ...notes,
        ].join("\n"),
      );
      warnAll(warnings);
    });
}
