import type { Command } from "commander";
import { PageHeads } from "../moments/page-heads.ts";
import { partialName } from "../run/partial.ts";
import { backupJson, describeBackup, report, tableJson, tablesTable, warnAll, withBar } from "./output.ts";
import { fileName, openBackups, withBackups } from "./places.ts";
import { STANDARD } from "./standard-output.ts";
import { checkTarget, compressed, inspect, notesOn, writeTarget } from "./target.ts";
import { momentText } from "./values.ts";

interface Options {
  from: string;
  output?: string;
  force?: boolean;
  gzip?: boolean;
  table?: string[];
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
    .requiredOption("--from <store>", "where its backups are: a folder or a URL")
    .option(
      "-o, --output <file>",
      "the file, or - for standard output (default: <name>.<first 8 of the id>.sqlite3)",
    )
    .option("--force", "replace the file if it exists")
    .option("--table <name...>", "only these tables, with their indexes and triggers")
    .option("--gzip", "compress; the file's name ends with .gz then")
    .action(async (name: string, at: string | undefined, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { from, force = false, gzip = false, json = false, output, table: only } = options;
      const plainName = await fileName(only ? partialName(name, only) : name);
      const binary = "a database";
      const warned: string[] = [];
      if (output !== undefined) await checkTarget(output, { force, json, from, binary });
      const heads = new PageHeads();
      const { path, backup, note } = await withBackups(name, from, () =>
        withBar(`downloading ${name}`, json, async (onProgress) => {
          const onWarning = gzip ? (message: string) => void warned.push(message) : undefined;
          const options = { signal, onProgress, onWarning, tables: only };
          const moment = momentText(at);
          const backups = await (await openBackups(name, from)).holding(moment, options);
          const { body, backup, note } = await backups.download(moment, options);
          const ending = gzip ? "sqlite3.gz" : "sqlite3";
          const path = output ?? `${plainName}.${backup?.id.slice(0, 8) ?? "litestream"}.${ending}`;
          if (output === undefined) await checkTarget(path, { force, json, from });
          if (gzip) await writeTarget(path, compressed(body), signal, false);
          else await writeTarget(path, path === STANDARD ? body : heads.watch(body), signal);
          return { path, backup, note };
        }),
      );
      if (path === STANDARD) return warnAll(warned);
      const { tables, warnings } = gzip ? { tables: [], warnings: warned } : await inspect(path, heads);
      const notes = gzip ? [note ?? []].flat() : await notesOn(path, note);
      const value = {
        file: path,
        ...(backup && { backup: backupJson(backup) }),
        tables: tables.map(tableJson),
        notes,
      };
      report(json, { ...value, warnings }, () =>
        [
          `saved ${path}${backup ? `: ${describeBackup(backup, at)}` : ""}`,
          ...(!gzip && (tables.length > 0 || warnings.length === 0) ? [tablesTable(tables)] : []),
          ...notes,
        ].join("\n"),
      );
      warnAll(warnings);
    });
}
