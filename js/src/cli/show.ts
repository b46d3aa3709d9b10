import type { Command } from "commander";
import { ago, backupJson, bytes, print, table } from "./output.ts";
import { openBackups } from "./places.ts";

export function addShow(program: Command, signal: AbortSignal): void {
  program
    .command("show")
    .description("show what is in a backup: tables, pages, sizes, time, chain")
    .argument("<name>", "the database")
    .argument(
      "[backup]",
      "its id or the first eight digits of it, a bookmark, a TXID or a time (default: the newest that no restore made)",
    )
    .requiredOption("--from <store>", "where its backups are: a folder")
    .action(async (name: string, at: string | undefined, _options, command: Command) => {
      const { from, json = false } = command.optsWithGlobals<{ from: string; json?: boolean }>();
      const { backup, chain, tables } = await (await openBackups(name, from)).show(at, { signal });
      print(
        json,
        { ...backupJson(backup), chain: chain.map(backupJson), tables: tables.map(({ name }) => name) },
        () =>
          [
            `${name}, backup ${backup.id}`,
            `  taken     ${backup.createdAt} (${ago(backup.createdAt)}), at the ${backup.taken} of the run`,
            `  bookmark  ${backup.bookmark}`,
            `  database  ${bytes(backup.size)}: ${backup.pageCount.toLocaleString("en")} pages of ${backup.pageSize}`,
            `  tables    ${tables.map(({ name }) => name).join(", ") || "none"}`,
            "  made of",
            table(
              ["txid", "kind", "created_at", "pages", "stored"],
              chain.map((link) => [
                link.txid,
                link.kind,
                link.createdAt,
                link.changedPages.toLocaleString("en"),
                bytes(link.storedSize),
              ]),
              ["left", "left", "left", "right", "right"],
            ),
          ].join("\n"),
      );
    });
}
