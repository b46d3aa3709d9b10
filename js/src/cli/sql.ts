import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { PagemarkError } from "../errors/index.ts";
import { fileSchedules } from "../serve/schedules.ts";
import type { StatementResult } from "../vault/run-statement.ts";
import type { Row, Value } from "../vault/statement-host.ts";
import { openVault, type Vault } from "../vault/vault.ts";
import { folderDatabases, heldCheckpoints } from "./data-folder.ts";
import { bytes, EXIT, note, print, printable, printError, table, warnAll, withBar } from "./output.ts";
import { openStore, withoutSecrets } from "./places.ts";
import { type Align, layOutText } from "./table.ts";
import { timeText } from "./values.ts";

const RFC3339 = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

interface Options {
  data: string;
  to?: string;
  execute?: string[];
  json?: boolean;
}

export function addSql(program: Command, signal: AbortSignal): void {
  program
    .command("sql")
    .description(
      "back up and restore by statements, as CockroachDB and QuestDB spell them: BACKUP DATABASE app TO './backups'",
    )
    .argument(
      "[statement]",
      "what to do; without, statements are read from standard input, or asked for at a terminal",
    )
    .option(
      "-e, --execute <statement>",
      "the same, as `cockroach sql` takes it; may be repeated",
      (statement: string, before: string[] = []) => [...before, statement],
    )
    .option(
      "--data <folder>",
      "the folder that has the databases: files that end with .db, .sqlite, .sqlite3 or .db3",
      ".",
    )
    .option("--to <store>", "where backups go, and come from, unless a statement says")
    .action(async (statement: string | undefined, _options, command: Command) => {
      const { data, to, execute = [], json = false } = command.optsWithGlobals<Options>();
      const statements = statement === undefined ? execute : [statement, ...execute];
      const vault = openVault({
        databases: folderDatabases(data),
        store: to === undefined ? undefined : openStore(to),
        openStore: (urls) => openStore(urls),
        schedules: fileSchedules(data),
        checkpoints: heldCheckpoints(data),
      });
      if (statements.length === 0) return converse(vault, json, signal);
      for (const each of statements.flatMap(statementsIn)) await answer(vault, each, json, signal);
    });
}

/** Carries a statement out, and prints its answer. */
async function answer(vault: Vault, statement: string, json: boolean, signal: AbortSignal): Promise<void> {
  try {
    const result = await withBar("sql", json, (onProgress) =>
      vault.sql(statement, { signal, ...(onProgress && { onProgress }) }),
    );
    print(json, result, () => textOf(result));
    if (!json) warnAll(result.notices);
    else if (result.notices.length > 0) process.exitCode = EXIT.warnings;
  } catch (error) {
    if (!json) pointOut(statement, error);
    throw error;
  }
}

/** Answers statement by statement, until the end of standard input or `quit`; at a terminal with a prompt. */
async function converse(vault: Vault, json: boolean, signal: AbortSignal): Promise<void> {
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
  if (isTerminal) note("statements end with ;  quit ends this");
  // What was typed is remembered here and nowhere else: there may be keys in URLs.
  const prompt = createInterface({
    input: process.stdin,
    ...(isTerminal && { output: process.stdout }),
    signal,
  });
  let statement = "";
  const ask = () => {
    if (!isTerminal) return;
    prompt.setPrompt(statement === "" ? "pagemark> " : "     ...> ");
    prompt.prompt();
  };
  const run = async (text: string) => {
    try {
      await answer(vault, text.trimEnd(), json, signal);
    } catch (error) {
      if (!isTerminal) throw error;
      printError(error, json);
    }
  };
  ask();
  for await (const line of prompt) {
    if (statement === "" && /^\s*(\.?(quit|exit))\s*;?\s*$/i.test(line)) break;
    const { ended, rest } = split(`${statement}${line}\n`);
    statement = rest;
    for (const each of ended) await run(each);
    ask();
  }
  if (statement !== "") await run(statement);
  prompt.close();
}

/** The statements of an argument, each where it stands there, so that places of errors are those in the argument. */
function statementsIn(text: string): string[] {
  const { ended, rest } = split(text);
  const all = rest === "" ? ended : [...ended, rest];
  // What says nothing is told so.
  if (all.length === 0) return [text];
  let start = 0;
  return all.map((each) => {
    start = text.indexOf(each, start);
    const placed = " ".repeat(start) + each;
    start += each.length;
    return placed;
  });
}

/**
 * Splits a text behind each semicolon that ends a statement; quotes and comments may have others. What is left may have an open quote or
 * comment. Nothing but space and comments is left out.
 */
function split(text: string): { ended: string[]; rest: string } {
  const outside = /'[^']*(?:'|$)|"[^"]*(?:"|$)|--[^\n]*|\/\*|;|[^\s;]/g;
  const inComment = /\/\*|\*\//g;
  const ended: string[] = [];
  let [start, at, depth, saysSomething] = [0, 0, 0, false];
  for (;;) {
    const pattern = depth > 0 ? inComment : outside;
    pattern.lastIndex = at;
    const [found] = pattern.exec(text) ?? [];
    if (found === undefined) break;
    at = pattern.lastIndex;
    if (found === "/*") depth++;
    else if (found === "*/") depth--;
    else if (found === ";") {
      if (saysSomething) ended.push(text.slice(start, at));
      [start, saysSomething] = [at, false];
    } else if (!found.startsWith("--")) saysSomething = true;
  }
  return { ended, rest: saysSomething || depth > 0 ? text.slice(start) : "" };
}

/** Columns that are for programs: bookmarks would take the whole width. */
const FOR_PROGRAMS = new Set(["bookmark", "undo"]);

function textOf({ columns, rows }: StatementResult): string {
  if (rows.length === 0) return "no rows";
  const shown = columns.filter((name) => !FOR_PROGRAMS.has(name));
  const isNumber = (name: string) => rows.every((row) => typeof row[name] === "number" || row[name] == null);
  const cells = rows.map((row) => shown.map((name) => cellOf(name, row)));
  const align = shown.map((name): Align => (isNumber(name) ? "right" : "left"));
  const undos = new Map(rows.flatMap(({ database, undo }) => (undo == null ? [] : [[database, undo]])));
  const advice = [...undos].map(([database, undo]) =>
    layOutText(`to undo the restore of ${database}: AS OF SYSTEM TIME '${undo}'`),
  );
  return [table(shown, cells, align), ...advice].join("\n");
}

function cellOf(name: string, row: Row): string {
  const value: Value | undefined = row[name];
  if (value === null || value === undefined) return "-";
  if (name === "id" || name === "backup") return String(value).slice(0, 8);
  if (typeof value === "number" && /size$/i.test(name)) return bytes(value);
  return typeof value === "string" && RFC3339.test(value) ? timeText(value) : String(value);
}

/** Shows the line with the word that is wrong, and the word. */
function pointOut(statement: string, error: unknown): void {
  const { position } = error instanceof PagemarkError ? error.at : {};
  if (position === undefined) return;
  const start = statement.lastIndexOf("\n", position - 1) + 1;
  const [line = ""] = statement.slice(start).split("\n");
  // Where something had to be left out, the mark would be at another word.
  if (printable(withoutSecrets(line)) !== line) return;
  process.stderr.write(`${line}\n${" ".repeat(position - start)}^\n`);
}
