import type { Command } from "commander";
import type { TableDifference } from "../backups/diff.ts";
import { backupJson, counted, describeBackup, print, table } from "./output.ts";
import { openBackups, withBackups } from "./places.ts";
import { layOutText } from "./table.ts";
import { momentText } from "./values.ts";

interface Options {
  from: string;
  since: string;
  until?: string;
  all?: boolean;
  json?: boolean;
}

export function addDiff(program: Command, signal: AbortSignal): void {
  program
    .command("diff")
    .description("show what happened between two backups: tables, and rows added, removed and changed")
    .argument("<name>", "the database")
    .requiredOption("--from <store>", "where its backups are: a folder or a URL")
    .requiredOption(
      "--since <backup>",
      "the earlier one: its id, a bookmark, a TXID, a time, or an age such as -1d",
    )
    .option("--until <backup>", "the later one (default: the newest)")
    .option("--all", "also show tables that are unchanged")
    .action(async (name: string, _options, command: Command) => {
      const { from, since, until, all = false, json = false } = command.optsWithGlobals<Options>();
      const difference = await withBackups(name, from, async () => {
        const backups = await openBackups(name, from);
        return backups.diff(momentText(since), until && momentText(until), { signal });
      });
      const { tables } = difference;
      const shown = tables.filter(({ change }) => all || change !== "unchanged");
      const value = { from: backupJson(difference.from), to: backupJson(difference.to), tables };
      print(json, value, () =>
        [
          layOutText(`from ${describeBackup(difference.from, since)}`),
          layOutText(`to ${describeBackup(difference.to, until)}`),
          shown.length === 0 ? "no table differs" : tableOf(shown),
        ].join("\n"),
      );
    });
}

function tableOf(tables: TableDifference[]): string {
  const number = (count: number | undefined) => (count === undefined ? "-" : counted(count));
  const rows = tables.map(({ name, change, rows, redefined }) => {
    const what = redefined && change === "changed" ? "changed, defined differently" : change;
    return [name, what, number(rows?.added), number(rows?.removed), number(rows?.updated)];
  });
  const head = ["table", "", "rows added", "removed", "updated"];
  return table(head, rows, ["left", "left", "right", "right", "right"]);
}
