import type { Command } from "commander";
import type { Backup } from "../jobs/record.ts";
import { ago, backupJson, bytes, EXIT, print, table } from "./output.ts";
import { openBackups } from "./places.ts";

export function addList(program: Command, signal: AbortSignal): void {
  program
    .command("list")
    .description("list a database's backups, newest first")
    .argument("<name>", "the database")
    .requiredOption("--from <store>", "where its backups are: a folder")
    .action(async (name: string, _options, command: Command) => {
      const { from, json = false } = command.optsWithGlobals<{ from: string; json?: boolean }>();
      const backups = await (await openBackups(name, from)).list({ signal });
      print(json, backups.map(backupJson), () => listTable(name, from, backups));
      if (backups.some(({ state }) => state !== "done")) process.exitCode = EXIT.warnings;
    });
}

function listTable(name: string, from: string, backups: Backup[]): string {
  if (backups.length === 0) return `${name} has no backups in ${from}`;
  const rows = backups.map((backup) => {
    const { createdAt, id, tables, size, state, safety, error } = backup;
    return state === "done"
      ? [`${ago(createdAt)}${safety ? ", before a restore" : ""}`, id, String(tables), bytes(size)]
      : ["damaged", `record ${backup.txid}: ${error?.code}`, "-", "-"];
  });
  return table(["created_at", "id", "num_tables", "size"], rows, ["left", "left", "right", "right"]);
}
