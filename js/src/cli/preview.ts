import type { Preview, RowChanges, TableChange } from "../backups/preview.ts";
import { backupJson, counted, describeBackup, table } from "./output.ts";
import { layOutText } from "./table.ts";

/** A preview of a restore, for people. */
export function previewText(
  output: string,
  { backup, compared, tables, unreadable }: Preview,
  at = "",
): string {
  const rows = tables.map((each) => [each.name, count(each.rowsNow), count(each.rowsThen), effect(each)]);
  const lines = [
    layOutText(`would restore ${output}${backup ? ` to ${describeBackup(backup, at)}` : ""}`),
    tables.length === 0
      ? "no tables"
      : table(["table", "rows now", "then", "change"], rows, ["left", "right", "right", "left"]),
  ];
  if (unreadable !== undefined)
    lines.push(
      layOutText(`the existing file cannot be read and would be replaced as a whole: ${unreadable}`),
    );
  if (!compared) lines.push("the contents were not compared: the database is too large for that");
  return lines.join("\n");
}

/** A preview of a restore, for programs. */
export function previewJson(output: string, { backup, compared, tables, unreadable }: Preview) {
  return {
    file: output,
    ...(backup && { backup: backupJson(backup) }),
    compared,
    tables: tables.map(({ rowsNow, rowsThen, ...each }) => ({
      ...each,
      rows_now: rowsNow,
      rows_then: rowsThen,
    })),
    ...(unreadable !== undefined && { unreadable }),
  };
}

function count(rows: number | null): string {
  return rows === null ? "-" : counted(rows);
}

function effect({ change, rows, redefined }: TableChange): string {
  if (change === "vanish") return "vanishes";
  if (change === "come") return "comes back";
  if (change === "unchanged") return "unchanged";
  const what = [...(rows ? rowsText(rows) : []), ...(redefined ? ["defined differently"] : [])];
  return what.length === 0 ? "changed" : `changed: ${what.join(", ")}`;
}

function rowsText({ back, gone, updated }: RowChanges): string[] {
  const parts: [number, string][] = [
    [updated, "overwritten"],
    [gone, "removed"],
    [back, "put back"],
  ];
  return parts.filter(([rows]) => rows > 0).map(([rows, what]) => `${counted(rows)} ${what}`);
}
