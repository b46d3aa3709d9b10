import type { Command } from "commander";
import { backupJson, bytes, print, tablesTable } from "./output.ts";
import { PageHeads } from "./page-heads.ts";
import { openBackups, safeFileName } from "./places.ts";
import { withBar } from "./progress-bar.ts";
import { refuseExisting, tablesOf, writeDatabase } from "./target.ts";

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
      "its id or the first eight digits of it, a bookmark, a TXID or a time (default: the newest that no restore made)",
    )
    .requiredOption("--from <store>", "where its backups are: a folder")
    .option("-o, --output <file>", "the file (default: <name>.<first 8 of the id>.sqlite3)")
    .option("--force", "replace the file if it exists")
    .action(async (name: string, at: string | undefined, _options, command: Command) => {
      const { from, force = false, json = false, ...options } = command.optsWithGlobals<Options>();
      const backups = await openBackups(name, from);
      const segment = await safeFileName(name);
      const heads = new PageHeads();
      const path = await withBar(`downloading ${name}`, json, async (onProgress) => {
        const { body, backup } = await backups.download(at, { signal, onProgress });
        const path = options.output ?? `${segment}.${backup?.id.slice(0, 8) ?? "litestream"}.sqlite3`;
        await refuseExisting(path, force);
        await writeDatabase(path, heads.watch(body), signal);
        return { path, backup };
      });
      const tables = await tablesOf(path.path, heads);
      const { backup } = path;
      print(json, { file: path.path, ...(backup && { backup: backupJson(backup) }), tables }, () =>
        [`saved ${path.path}${backup ? ` (${bytes(backup.size)})` : ""}`, tablesTable(tables)].join("\n"),
      );
    });
}
