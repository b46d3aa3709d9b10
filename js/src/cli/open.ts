import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { openBackup } from "../engine/open-backup.node.ts";
import type { Row } from "../engine/statement.ts";
import type { SqlValue } from "../engine/values.ts";
import { PagemarkError } from "../errors/index.ts";
import "./engine.ts";
import { blocking } from "./interrupt.ts";
import { describeBackup, gathering, note, print, printError, table, warnAll } from "./output.ts";
import { withBackups } from "./places.ts";
import { layOutText } from "./table.ts";
import { momentText } from "./values.ts";

/** As many rows of a result are shown to people. */
const MOST_ROWS = 1000;
/** As many bytes of a blob. */
const MOST_BYTES = 32;
/** What the prompt understands beside SQL. */
const SCHEMA = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY tbl_name, type DESC, name";
const TABLES =
  "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name";
const SHORT: Readonly<Record<string, string>> = { ".tables": TABLES, ".schema": SCHEMA };

type Opened = Awaited<ReturnType<typeof openBackup>>;

interface Options {
  from: string;
  at?: string;
  fromLocality?: string;
  json?: boolean;
}

export function addOpen(program: Command, signal: AbortSignal): void {
  program
    .command("open")
    .description("open a backup as a database that can be read, without restoring it")
    .argument("<name>", "the database")
    .argument("[sql]", "what to ask it; without, SQL is read from standard input, or asked for at a terminal")
    .requiredOption("--from <store>", "where its backups are: a folder or a URL")
    .option("--at <moment>", "an id, a bookmark, a TXID, a time or an age (default: the newest)")
    .action(async (name: string, sql: string | undefined, _options, command: Command) => {
      const { from, at, fromLocality, json = false } = command.optsWithGlobals<Options>();
      const { warnings, onWarning } = gathering();
      const options = { ...(at !== undefined && { at: momentText(at) }), fromLocality, onWarning };
      await using opened = await withBackups(name, from, () => openBackup(from, name, options));
      // Before any row: they are of an older state than was asked for.
      warnAll(warnings);
      if (sql !== undefined) answer(opened, sql, json);
      else await converse(opened, { at, json, signal });
    });
}

/** Runs every statement of a text, and prints the rows of each. A signal ends the process meanwhile: nothing is written. */
function answer(opened: Opened, sql: string, json: boolean): void {
  // Else the terminal would hand Ctrl-C over as a character, which nobody reads while SQL runs.
  const { isRaw } = process.stdin;
  if (isRaw) process.stdin.setRawMode(false);
  try {
    blocking(() => runAll(opened, sql, json));
  } finally {
    if (isRaw) process.stdin.setRawMode(true);
  }
}

function runAll(opened: Opened, sql: string, json: boolean): void {
  const { database } = opened;
  try {
    for (let rest = sql; ; ) {
      const next = database.prepareNext(rest);
      if (!next) return;
      const { statement } = next;
      const shown: Row[] = [];
      let more = false;
      for (const row of statement.iterate()) {
        if (json) print(true, jsonOf(row), () => "");
        else if (shown.length < MOST_ROWS) shown.push(row);
        else {
          more = true;
          break;
        }
      }
      if (shown.length > 0) print(false, undefined, () => tableOf(shown));
      if (more) note(`there are more rows than ${MOST_ROWS}; --json shows all, one a line`);
      rest = next.rest;
    }
  } catch (error) {
    throw opened.failure ?? error;
  }
}

/** Answers line by line, until the end of standard input or `.quit`; at a terminal with a prompt. */
async function converse(
  opened: Opened,
  { at, json, signal }: { at: string | undefined; json: boolean; signal: AbortSignal },
): Promise<void> {
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
  if (isTerminal && opened.backup) {
    const what = layOutText(describeBackup(opened.backup, at));
    print(false, undefined, () => `${what}\nread-only; .tables, .schema, .quit`);
  }
  const output = isTerminal ? { output: process.stdout } : {};
  const prompt = createInterface({ input: process.stdin, ...output, signal });
  let statement = "";
  const ask = () => {
    if (!isTerminal) return;
    prompt.setPrompt(statement === "" ? "pagemark> " : "     ...> ");
    prompt.prompt();
  };
  ask();
  for await (const line of prompt) {
    const word = line.trim();
    if (word === ".quit" || word === ".exit") break;
    if (statement.trim() === "" && word.startsWith(".") && SHORT[word] === undefined) {
      const known = [...Object.keys(SHORT), ".quit"].join(", ");
      const error = new PagemarkError("USAGE", `${word} is not known here; there are ${known}, and SQL`);
      if (!isTerminal) throw error;
      printError(error, false);
      ask();
      continue;
    }
    statement += `${SHORT[word] ?? line}\n`;
    // A statement ends with a semicolon, and may have several lines.
    if (word.endsWith(";") || SHORT[word] !== undefined) {
      try {
        answer(opened, statement, json);
      } catch (error) {
        if (!isTerminal) throw error;
        printError(error, false);
      }
      statement = "";
    }
    ask();
  }
  answer(opened, statement, json);
  prompt.close();
}

function tableOf(rows: Row[]): string {
  const head = Object.keys(rows[0] ?? {});
  const isNumber = head.map((name) => rows.every((row) => isNumeric(row[name])));
  const cells = rows.map((row) => head.map((name) => cellOf(row[name])));
  return table(
    head,
    cells,
    isNumber.map((is) => (is ? "right" : "left")),
  );
}

function isNumeric(value: SqlValue | undefined): boolean {
  return value === null || typeof value === "number" || typeof value === "bigint";
}

function cellOf(value: SqlValue | undefined): string {
  if (value === null || value === undefined) return "NULL";
  if (!(value instanceof Uint8Array)) return String(value);
  const shown = Buffer.from(value.subarray(0, MOST_BYTES)).toString("hex");
  return value.length > MOST_BYTES ? `x'${shown}…' (${value.length} bytes)` : `x'${shown}'`;
}

/** Integers that no number is exact for are text, and blobs hex digits. */
function jsonOf(row: Row): Record<string, unknown> {
  const of = (value: SqlValue) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
    return typeof value === "bigint" ? String(value) : value;
  };
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, of(value)]));
}
