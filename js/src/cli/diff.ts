import type { Command } from "commander";
import { pagemark } from "../backups/database.ts";
import type { TableDifference } from "../backups/diff.ts";
import { PagemarkError } from "../errors/index.ts";
import type { PageSource } from "../sources/source.ts";
import { shown } from "./input.ts";
import { backupJson, counted, describeBackup, gathering, print, table, warnAll } from "./output.ts";
import { openDatabase, openStore, withBackups } from "./places.ts";
import { writeToStandardOutput } from "./standard-output.ts";
import { layOutText } from "./table.ts";
import { checkStandardOutput } from "./target.ts";
import { momentText } from "./values.ts";

interface Options {
  from: string;
  since?: string;
  until?: string;
  sql?: boolean;
  all?: boolean;
  json?: boolean;
}

export function addDiff(program: Command, signal: AbortSignal): void {
  program
    .command("diff")
    .description(
      "show what happened between two backups, or since one: tables, and rows added, removed and changed",
    )
    .argument("<name>", "the database")
    .argument("[file]", "the database file, for what happened since the backup until now")
    .requiredOption("--from <store>", "where its backups are: a folder or a URL")
    .option(
      "--since <backup>",
      "the earlier one: its id, a bookmark, a TXID, a time, or an age such as -1d (with a file, default: the newest)",
    )
    .option("--until <backup>", "the later one (default: the newest)")
    .option("--sql", "print SQL that turns the earlier state into the later")
    .option("--all", "also show tables that are unchanged")
    .action(async (name: string, path: string | undefined, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { from, since, until, sql = false, all = false, json = false } = options;
      if (path === undefined && since === undefined)
        throw new PagemarkError(
          "USAGE",
          "--since says which the earlier backup is; or give the database file",
        );
      if (path !== undefined && until !== undefined)
        throw new PagemarkError("USAGE", "--until is of a backup: leave it out, or the file");
      // Given unless a file is compared.
      const earlier = momentText(since) as string;
      const later = path === undefined ? momentText(until) : "now";
      const database = pagemark(path === undefined ? nothing(name) : await openDatabase(path), {
        store: openStore(from),
        name,
      });
      const { warnings, onWarning } = gathering();
      const job = { signal, onWarning };
      if (sql) {
        checkStandardOutput(json, undefined);
        await withBackups(name, from, async () =>
          writeToStandardOutput(await database.diffSql(earlier, later, job), signal),
        );
        return warnAll(warnings);
      }
      const difference = await withBackups(name, from, () => database.diff(earlier, later, job));
      const { tables } = difference;
      const listed = tables.filter(({ change }) => all || change !== "unchanged");
      const { to } = difference;
      const value = { from: backupJson(difference.from), to: to ? backupJson(to) : "now", tables };
      print(json, value, () =>
        [
          layOutText(`from ${describeBackup(difference.from, since)}`),
          layOutText(`to ${to ? describeBackup(to, until) : `${shown(path ?? "")} as it is now`}`),
          listed.length === 0 ? "no table differs" : tableOf(listed),
        ].join("\n"),
      );
      warnAll(warnings);
    });
}

/** Stands for the database where only its backups are looked at. */
function nothing(name: string): PageSource {
  return {
    name,
    pin: async () => {
      throw new PagemarkError("USAGE", `${name}: give the database file`);
    },
  };
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
