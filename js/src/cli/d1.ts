// What is for D1 alone.
import type { Command } from "commander";
import { pagemark } from "../backups/database.ts";
import { isRowTarget } from "../backups/load-rows.ts";
import { PagemarkError } from "../errors/index.ts";
import { untrack } from "../sources/row/pages.ts";
import type { RowSource } from "../sources/source.ts";
import { backupJson, counted, EXIT, note, print, table, warnAll, withBar } from "./output.ts";
import { isHosted, nameOf, openDatabase, openStore } from "./places.ts";
import { runCommand, shellWord } from "./user-command.ts";

interface Options {
  to: string;
  name?: string;
  json?: boolean;
}

/** Rows of each table; `null` where it is not there. */
interface Counts {
  table: string;
  before: number | null;
  after: number | null;
}

export function addD1(program: Command, signal: AbortSignal): void {
  const d1 = program.command("d1").description("what is for D1 databases at Cloudflare");
  d1.command("migrate")
    .description("back a D1 database up, run the command that migrates it, and say what became of its rows")
    .argument("<database>", "d1://<account>/<name>")
    .argument("<command...>", "after --: such as npx wrangler d1 migrations apply shop --remote")
    .requiredOption("--to <store>", "where the backup goes")
    .option("--name <name>", "the database's name in the store (default: its own)")
    .action(async (place: string, words: string[], _options, command: Command) => {
      await migrate(place, words, command.optsWithGlobals<Options>(), signal);
    });
  d1.command("untrack")
    .description("take away the table and the triggers that `backup --tracking` made in a D1 database")
    .argument("<database>", "d1://<account>/<name>")
    .action(async (place: string, _options, command: Command) => {
      const { json = false } = command.optsWithGlobals<Pick<Options, "json">>();
      const removed = await untrack(await openHostedTarget(place), { signal });
      print(json, { database: nameOf(place), untracked: removed }, () =>
        removed
          ? `${nameOf(place)}: changes are no longer tracked; the next backup reads everything`
          : `${nameOf(place)}: changes were not tracked`,
      );
    });
}

async function openHostedTarget(place: string) {
  const source = isHosted(place) ? await openDatabase(place) : undefined;
  if (source && isRowTarget(source)) return source;
  throw new PagemarkError("USAGE", `${place}: give a D1 database as d1://<account>/<name>`);
}

async function migrate(place: string, words: string[], options: Options, signal: AbortSignal): Promise<void> {
  const { to, name = nameOf(place), json = false } = options;
  const source = await openHostedTarget(place);
  const before = await countsOf(source, signal);
  const backup = await withBar(`backing up ${name}`, json, (onProgress) =>
    pagemark(source, { store: openStore(to), name }).backup({
      signal,
      onProgress,
      note: words.join(" ").slice(0, 200),
    }),
  );
  const [called, from, onto] = [name, to, place].map(shellWord);
  const undo = `pagemark restore ${called} --from ${from} -o ${onto} --force --at ${backup.bookmark}`;
  note(`backed up ${name}; to undo what follows: ${undo}`);
  const { status, end } = await runCommand(words, json ? 2 : "inherit", "the database is as it was");
  const after = await countsOf(source, signal);
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  const counts: Counts[] = names.map((each) => ({
    table: each,
    before: before.get(each) ?? null,
    after: after.get(each) ?? null,
  }));
  const lost = counts.filter((each) => (each.before ?? 0) > (each.after ?? 0));
  const warnings = lost.map((each) => `table ${JSON.stringify(each.table)} ${lossOf(each)}`);
  print(json, { backup: backupJson(backup), status, tables: counts, undo, warnings }, () => {
    const rows = counts.map((each) => [each.table, shown(each.before), shown(each.after)]);
    return table(["table", "rows before", "rows after"], rows, ["left", "right", "right"]);
  });
  warnAll(warnings);
  if (status !== 0) {
    const message = `${words[0]} ended with ${end}; if it left something half done: ${undo}`;
    throw new PagemarkError("COMMAND_FAILED", message);
  }
  if (warnings.length > 0) process.exitCode = EXIT.warnings;
}

function lossOf({ before, after }: Counts): string {
  return after === null
    ? `and its rows (${counted(before ?? 0)}) are gone`
    : `has ${rows((before ?? 0) - after)} fewer`;
}

function rows(count: number): string {
  return `${counted(count)} ${count === 1 ? "row" : "rows"}`;
}

function shown(count: number | null): string {
  return count === null ? "-" : counted(count);
}

async function countsOf(source: RowSource, signal: AbortSignal): Promise<Map<string, number>> {
  const listed =
    "SELECT name AS a FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite#_%' ESCAPE '#' AND name NOT LIKE '#_cf#_%' ESCAPE '#' ORDER BY name";
  const { rows } = await source.ask([{ sql: listed }], signal);
  const names = (rows[0] ?? []).map(([name]) => String(name));
  if (names.length === 0) return new Map();
  const queries = names.map((name) => ({ sql: `SELECT count(*) AS n FROM "${name.replaceAll('"', '""')}"` }));
  const counts = await source.ask(queries, signal);
  return new Map(names.map((name, at) => [name, Number(counts.rows[at]?.[0]?.[0] ?? 0)]));
}
