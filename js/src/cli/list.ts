import type { Command } from "commander";
import type { Backups } from "../backups/backups.ts";
import type { VerifiedAt } from "../backups/verified.ts";
import { type Backup, databasesIn, type StoredDatabase } from "../catalog/folder.ts";
import { newestFirst, partialName, wholeName } from "../run/partial.ts";
import {
  backupJson,
  bytes,
  counted,
  EXIT,
  gathering,
  print,
  printable,
  table,
  verifiedJson,
  warn,
  warnAll,
} from "./output.ts";
import { noBackup, openBackups, openStore, redacted, refuseMissing } from "./places.ts";
import { layOutText } from "./table.ts";
import { timeText } from "./values.ts";

interface Options {
  from: string;
  utc?: boolean;
  json?: boolean;
}

export function addList(program: Command, signal: AbortSignal): void {
  program
    .command("list")
    .description("list a database's backups, newest first; without a name, the databases of a store")
    .argument("[name]", "the database")
    .requiredOption("--from <store>", "where the backups are: a folder or a URL")
    .option("--utc", "show times in UTC instead of this machine's zone")
    .action(async (name: string | undefined, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      if (name === undefined) return listDatabases(options, signal);
      const { from, utc, json = false } = options;
      const stored = await openBackups(name, from);
      const own = await stored.list({ signal });
      const partial = await stored.partial({ signal });
      if (own.length + partial.length === 0) throw await noBackup(name, from);
      const backups = newestFirst([...own, ...partial]);
      // What was left out is told to programs, too.
      const after = await statesAfter(stored, own, signal, utc);
      const verified = await stored.verified({ signal });
      if (!json) after.push(...verifiedText(own, verified, utc));
      const value = backups.map((backup) => ({
        ...backupJson(backup),
        ...verifiedJson(verified.get(backup.id)),
      }));
      print(json, value, () => [backupTable(stored.name, backups, utc), ...after].join("\n"));
      if (backups.some(({ state }) => state !== "done")) process.exitCode = EXIT.warnings;
    });
}

/** A line on what `watch` has stored after the newest backup. */
async function statesAfter(
  stored: Backups,
  [newest]: Backup[],
  signal: AbortSignal,
  utc?: boolean,
): Promise<string[]> {
  if (newest?.state !== "done") return [];
  const { warnings, onWarning } = gathering();
  const last = await stored.state("latest", { signal, onWarning }).catch(() => undefined);
  signal.throwIfAborted();
  warnAll(warnings);
  if (last === undefined || last.txid === newest.txid) return [];
  return [
    layOutText(
      `watched: states up to ${timeText(last.createdAt, utc)} (TXID ${last.txid}) can be restored, too`,
    ),
  ];
}

/** A line on when backups were verified, where any was. */
function verifiedText(backups: Backup[], verified: Map<string, VerifiedAt>, utc?: boolean): string[] {
  const all = backups.map(({ id }) => verified.get(id));
  const newest = (how: keyof VerifiedAt) => {
    const times = all.flatMap((each) => each?.[how] ?? []).sort();
    const last = times.at(-1);
    const many = times.length === backups.length ? "all" : `${times.length} of ${backups.length}`;
    return last === undefined
      ? []
      : [`${many} ${how === "sampled" ? "by sample, " : ""}last ${timeText(last, utc)}`];
  };
  const told = [...newest("verified"), ...newest("sampled")];
  return told.length === 0 ? [] : [layOutText(`verified: ${told.join("; ")}`)];
}

function backupTable(name: string, backups: Backup[], utc?: boolean): string {
  const rows = backups.map((backup) => {
    const { createdAt, id, tables, size, state, kind, safety, partial, storedSize, txid, error } = backup;
    if (state !== "done") return ["damaged", `record ${txid}: ${error?.code}`, "-", "-", "-", "-"];
    return [
      timeText(createdAt, utc),
      id.slice(0, 8),
      partial ? "partial" : safety ? "safety" : kind,
      String(tables),
      bytes(size),
      bytes(storedSize),
    ];
  });
  const lines = [
    table(["created_at", "id", "kind", "num_tables", "size", "stored"], rows, [
      "left",
      "left",
      "left",
      "right",
      "right",
      "right",
    ]),
  ];
  if (backups.some(({ safety }) => safety))
    lines.push(layOutText("safety: made by a restore, of the database that it replaced"));
  lines.push(...partialText(name, backups), ...labels(backups));
  const free = backups.find(({ state, partial }) => state === "done" && !partial)?.freePages ?? 0;
  // A further column would not fit into 80 characters.
  if (free > 0) lines.push(layOutText(`free: ${counted(free)} pages of the newest hold nothing`));
  return lines.join("\n");
}

/** A line on each set of tables that has partial backups, with the name that these are kept under. */
function partialText(name: string, backups: Backup[]): string[] {
  const sets = backups.flatMap((backup) => {
    const { partial } = backup;
    if (!partial) return [];
    const keptAs = partialName(wholeName(name, backup), partial);
    return [`partial: only ${partial.join(", ")}, kept as ${keptAs}; no database can be restored from these`];
  });
  return [...new Set(sets)].map((set) => layOutText(set));
}

/** What was written on backups when they were made, a line each. */
function labels(backups: Backup[]): string[] {
  return backups
    .filter(({ tag, note }) => tag !== undefined || note !== undefined)
    .map(({ id, tag, note }) => [
      id.slice(0, 8),
      ...(tag === undefined ? [] : [`tag ${tag}`]),
      ...(note === undefined ? [] : [note]),
    ])
    .map(([id, ...texts]) => layOutText(printable(`${id}: ${texts.join(", ")}`.replaceAll("\n", " "))));
}

async function listDatabases({ from, utc, json = false }: Options, signal: AbortSignal): Promise<void> {
  await refuseMissing(from);
  const databases = await databasesIn(openStore(from), { signal });
  const value = databases.map(({ name, backups, newest, otherName, storedSize }) => {
    const of = otherName !== undefined && { backups_of: otherName };
    return { name, backups, stored_size: storedSize, ...of, ...(newest && { newest: backupJson(newest) }) };
  });
  for (const { name, otherName } of databases) {
    if (otherName === undefined) continue;
    warn(
      `${name}: its backups are of ${JSON.stringify(otherName)}: \`pagemark list ${name}\` says what to do`,
    );
    process.exitCode = EXIT.warnings;
  }
  print(json, value, () =>
    databases.length === 0 ? `${redacted(from)} has no backups` : databaseTable(databases, utc),
  );
}

function databaseTable(databases: StoredDatabase[], utc?: boolean): string {
  const rows = databases.map(({ name, backups, newest, storedSize }) => [
    name,
    newest?.partial ? `${backups} partial` : backups > 0 ? String(backups) : "Litestream's",
    newest ? timeText(newest.createdAt, utc) : "-",
    newest ? bytes(newest.size) : "-",
    bytes(storedSize),
  ]);
  return table(["name", "backups", "last backup", "size", "stored"], rows, [
    "left",
    "right",
    "left",
    "right",
    "right",
  ]);
}
