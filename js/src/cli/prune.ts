import type { Command } from "commander";
import type { Pruned, PruneOptions } from "../backups/prune.ts";
import { backupJson, bytes, counted, describeBackup, print, report, table } from "./output.ts";
import { openBackups, withBackups } from "./places.ts";
import { count, duration, timeText } from "./values.ts";

interface Options {
  from: string;
  keepLast?: number;
  keepHourly?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepMonthly?: number;
  keepYearly?: number;
  keepWithin?: number;
  keepManual?: boolean;
  tagged: boolean;
  dryRun?: boolean;
  utc?: boolean;
  json?: boolean;
}

export function addPrune(program: Command, signal: AbortSignal): void {
  program
    .command("prune")
    .description(
      "delete the backups that no rule keeps; the newest stays, and so does what a kept one is made of",
    )
    .argument("<name>", "the database")
    .requiredOption("--from <store>", "where its backups are: a folder or a URL")
    .option("--keep-last <n>", "keep so many of the newest", count)
    .option("--keep-hourly <n>", "keep the newest of each of the last n hours that have one", count)
    .option("--keep-daily <n>", "the same for days, in this machine's time zone", count)
    .option("--keep-weekly <n>", "the same for weeks, which begin on Monday", count)
    .option("--keep-monthly <n>", "the same for months", count)
    .option("--keep-yearly <n>", "the same for years", count)
    .option("--keep-within <age>", "keep all that are not older, such as 36h or 30d", duration)
    .option("--keep-manual", "keep those that somebody made by hand")
    .option("--no-tagged", "do not keep those with a tag, which stay otherwise")
    .option("--dry-run", "say what would be deleted, and delete nothing")
    .option("--utc", "show times in UTC instead of this machine's zone")
    .action(async (name: string, _options, command: Command) => {
      const { from, utc, json = false, dryRun = false, ...options } = command.optsWithGlobals<Options>();
      const backups = await openBackups(name, from);
      const pruned = await withBackups(name, from, () =>
        backups.prune({ ...rulesOf(options), dryRun, signal }),
      );
      const { kept, removed } = pruned;
      const value = {
        removed: removed.map(backupJson),
        kept: kept.map(({ backup, reasons }) => ({ ...backupJson(backup), reasons })),
        dry_run: dryRun,
      };
      (dryRun ? print : report)(json, value, () => text(pruned, dryRun, utc));
    });
}

function rulesOf({ keepWithin, keepManual, tagged, ...counts }: Partial<Options>): PruneOptions {
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly } = counts;
  const all = { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly, keepManual };
  const given = Object.entries({ ...all, keepWithinMs: keepWithin, keepTagged: tagged });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

function text({ kept, removed }: Pruned, dryRun: boolean, utc: boolean | undefined): string {
  const rows = [
    ...removed.map((backup) => ({ backup, why: dryRun ? "would be deleted" : "deleted" })),
    ...kept.map(({ backup, reasons }) => ({ backup, why: `kept: ${reasons.join(", ")}` })),
  ].sort((a, b) => (a.backup.txid < b.backup.txid ? 1 : -1));
  const size = removed.reduce((sum, { storedSize }) => sum + storedSize, 0);
  const what = dryRun ? "would be deleted" : "deleted";
  return [
    table(
      ["created_at", "id", "kind", "what becomes of it"],
      rows.map(({ backup, why }) => [
        timeText(backup.createdAt, utc),
        backup.id.slice(0, 8),
        backup.safety ? "safety" : backup.kind,
        why,
      ]),
    ),
    `${counted(removed.length)} of ${counted(rows.length)} backups ${what}, ${bytes(size)}`,
  ].join("\n");
}
export function addDelete(program: Command, signal: AbortSignal): void {
  program
    .command("delete")
    .description("delete one backup for good; refused while another backup is made of it")
    .argument("<name>", "the database")
    .argument("<backup>", "its id, or the id's first eight digits or more")
    .requiredOption("--from <store>", "where its backups are: a folder or a URL")
    .action(async (name: string, id: string, _options, command: Command) => {
      const { from, json = false } = command.optsWithGlobals<{ from: string; json?: boolean }>();
      const backups = await openBackups(name, from);
      const backup = await withBackups(name, from, () => backups.delete(id, { signal }));
      report(json, { deleted: backupJson(backup) }, () => `deleted ${describeBackup(backup)}`);
    });
}
