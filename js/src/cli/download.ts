import type { Command } from "commander";
import { backupJson, bytes, print, tablesTable } from "./output.ts";
import { PageHeads } from "./page-heads.ts";
import { fileName, openBackups } from "./places.ts";
import { withBar } from "./progress-bar.ts";
import { STANDARD } from "./standard-output.ts";
import { checkTarget, tablesOf, writeTarget } from "./target.ts";

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
    .option(
      "-o, --output <file>",
      "the file, or - for standard output (default: <name>.<first 8 of the id>.sqlite3)",
    )
    .option("--force", "replace the file if it exists")
    .action(async (name: string, at: string | undefined, _options, command: Command) => {
      const { from, force = false, json = false, ...options } = command.optsWithGlobals<Options>();
      const backups = await openBackups(name, from);
      const plainName = await fileName(name);
      const binary = "a database";
      if (options.output !== undefined) await checkTarget(options.output, { force, json, from, binary });
      const heads = new PageHeads();
      const path = await withBar(`downloading ${name}`, json, async (onProgress) => {
        const { body, backup } = await backups.download(at, { signal, onProgress });
        const path = options.output ?? `${plainName}.${backup?.id.slice(0, 8) ?? "litestream"}.sqlite3`;
        if (options.output === undefined) await checkTarget(path, { force, json, from });
        await writeTarget(path, path === STANDARD ? body : heads.watch(body), signal);
        return { path, backup };
      });
      if (path.path === STANDARD) return;
      const tables = await tablesOf(path.path, heads);
      const { backup } = path;
      print(json, { file: path.path, ...(backup && { backup: backupJson(backup) }), tables }, () =>
        [`saved ${path.path}${backup ? ` (${bytes(backup.size)})` : ""}`, tablesTable(tables)].join("\n"),
      );
    });
}
