import type { Command } from "commander";
import type { Backup } from "../catalog/folder.ts";
import { ago, backupJson, bytes, counted, gathering, print, printable, table, warnAll } from "./output.ts";
import { openBackups, withBackups } from "./places.ts";
import { layOutFacts } from "./table.ts";
import { momentText, timeText } from "./values.ts";

interface Options {
  from: string;
  utc?: boolean;
  json?: boolean;
}

export function addShow(program: Command, signal: AbortSignal): void {
  program
    .command("show")
    .description("show what is in a backup: tables, pages, sizes, time, chain")
    .argument("<name>", "the database")
    .argument(
      "[backup]",
      "its id or the id's first eight digits, a bookmark, a TXID or a time (default: the newest that no restore made)",
    )
    .requiredOption("--from <store>", "where its backups are: a folder or a URL")
    .option("--utc", "show times in UTC instead of this machine's zone")
    .action(async (name: string, at: string | undefined, _options, command: Command) => {
      const { from, utc, json = false } = command.optsWithGlobals<Options>();
      const { warnings, onWarning } = gathering();
      const { backup, chain, tables } = await withBackups(name, from, async () =>
        (await openBackups(name, from)).show(momentText(at), { signal, onWarning }),
      );
      print(
        json,
        { ...backupJson(backup), chain: chain.map(backupJson), tables: tables.map(({ name }) => name) },
        () =>
          [
            printable(`${name}, backup ${backup.id}`),
            layOutFacts([
              [
                "taken",
                `${timeText(backup.createdAt, utc)} (${ago(backup.createdAt)}), at the ${momentIn(backup.taken)} of the run`,
              ],
              ["bookmark", backup.bookmark],
              [
                "database",
                `${bytes(backup.size)}: ${counted(backup.pageCount)} pages of ${backup.pageSize}${freeText(backup)}`,
              ],
              ...partialFact(backup),
              ...labelFacts(backup),
              ["tables", printable(tables.map(({ name }) => name).join(", ")) || "none"],
            ]),
            "made of",
            table(
              ["txid", "kind", "created_at", "pages", "stored"],
              chain.map((link) => [
                link.txid,
                link.kind,
                timeText(link.createdAt, utc),
                counted(link.changedPages),
                bytes(link.storedSize),
              ]),
              ["left", "left", "left", "right", "right"],
            ),
          ].join("\n"),
      );
      warnAll(warnings);
    });
}

function partialFact({ partial }: Backup): [name: string, value: string][] {
  return partial ? [["partial", "only these tables of a database, which cannot be restored from them"]] : [];
}

/** What was written on it when it was made. */
function labelFacts({ tag, note }: Backup): [name: string, value: string][] {
  const facts = Object.entries({ tag, note });
  return facts.flatMap(([name, value]) =>
    value === undefined ? [] : [[name, printable(value.replaceAll("\n", " "))]],
  );
}

/** With tracking, the last step of a run is its moment. */
function momentIn(taken: Backup["taken"]): "start" | "end" {
  return taken === "start" ? "start" : "end";
}

function freeText({ freePages }: Backup): string {
  return freePages ? `, ${counted(freePages)} of them free` : "";
}
