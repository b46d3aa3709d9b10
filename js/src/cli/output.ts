// What people and programs get to read. Names come from outside: nothing in them may steer a terminal.

import prettyBytes from "pretty-bytes";
import type { VerifiedAt } from "../backups/verified.ts";
import type { Backup } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import type { Table } from "../moments/tables.ts";
import { withoutKnown, withoutSecrets } from "../places/secrets.ts";
import { fileError } from "../sources/file/errors.ts";
import type { Progress } from "../streams/progress.ts";
import { writeText } from "./standard-output.ts";
import { type Align, layOut, terminalWidth } from "./table.ts";
import { isTime, spokenTime, timeText } from "./values.ts";

export const EXIT = { done: 0, failed: 1, usage: 2, warnings: 3, wrongKey: 12 } as const;

/** One JSON value for `--json`, else what `human` says. */
export function print(json: boolean, value: unknown, human: () => string): void {
  writeText(withoutKnown(json ? `${JSON.stringify(value)}\n` : `${human()}\n`));
}

let isQuiet = false;

/** Whether only errors, warnings and what was asked for are printed. */
export function setQuiet(quiet: boolean): void {
  isQuiet = quiet;
}

/** What was done: as {@link print}, but nothing for people who want to hear of failures only. */
export function report(json: boolean, value: unknown, human: () => string): void {
  if (json || !isQuiet) print(json, value, human);
}

/** A line on what has happened, for people who want to hear of it. */
export function say(text: string): void {
  if (!isQuiet) writeText(`${text}\n`);
}

export function warn(message: string): void {
  process.stderr.write(`warning: ${printable(withoutSecrets(message))}\n`);
}

/** Warns of what was done all the same. */
export function warnAll(warnings: string[]): void {
  for (const warning of warnings) warn(warning);
  if (warnings.length > 0) process.exitCode = EXIT.warnings;
}

/** Keeps warnings until what they are about is printed. */
export function gathering(): { warnings: string[]; onWarning: (message: string) => void } {
  const warnings: string[] = [];
  return { warnings, onWarning: (message) => void warnings.push(message) };
}

/** What is no warning, but good to know. */
export function note(message: string): void {
  if (isQuiet) return;
  process.stderr.write(`note: ${printable(withoutSecrets(message))}\n`);
}

// What the command line adds to an error, by its code. The error's own words are for everybody; commands and options are not.

/** What to run or to give next. */
const ADVICE: Readonly<Record<string, string>> = {
  BACKUP_AMBIGUOUS: "`pagemark list` shows whole ids",
  BACKUP_UNKNOWN: "`pagemark list` shows those that exist",
  BOOKMARK_UNKNOWN: "`pagemark list` shows those that exist",
  OTHER_NAME: "`pagemark backup … --same-database` says, once, that the name is new",
  OTHER_DATABASE: "--name does the one, --same-database the other",
};

/** Errors of whoever typed the command: wrong usage. */
const USAGE: ReadonlySet<string> = new Set([
  "USAGE",
  "NAME_INVALID",
  "AT_SYNTAX",
  "PLACE_UNKNOWN",
  "LOCALITY_SYNTAX",
  "LOCALITY_ENCODING",
  "LOCALITY_DEFAULT",
  "LOCALITY_TWICE",
  "LOCALITY_UNKNOWN",
  "STATEMENT_SYNTAX",
]);

/** An error's words and what to do about it at a command line. */
function advised(code: string, message: string): string {
  const advice = ADVICE[code];
  return advice === undefined ? message : `${message}; ${advice}`;
}

/** The exit code of a command that an error ended. */
export function exitOf(code: string): number {
  if (code === "KEY_WRONG") return EXIT.wrongKey;
  return USAGE.has(code) ? EXIT.usage : EXIT.failed;
}

/** The exit code of a command of which a part failed: of the part with the highest one. */
export function exitAlso(error: unknown): void {
  const { code = "" } = (error ?? {}) as { code?: string };
  process.exitCode = Math.max(
    Number(process.exitCode ?? EXIT.done),
    code === "" ? EXIT.failed : exitOf(code),
  );
}

export function printError(cause: unknown, json: boolean): void {
  const error = knownError(cause);
  const { code, message, at } =
    error instanceof PagemarkError ? error : { code: "INTERNAL", message: String(error), at: {} };
  const text = json
    ? JSON.stringify({ error: { code, message: advised(code, message), at } })
    : `error: ${advised(code, printable(message).replaceAll("\n", "\\u{a}"))} [${code}]`;
  process.stderr.write(`${withoutSecrets(text)}\n`);
}

/** What the system refused to somebody who did not expect it still has a code, and its path. */
export function knownError(error: unknown): unknown {
  const { path, syscall } = (error ?? {}) as { path?: unknown; syscall?: unknown };
  if (error instanceof RangeError && /memory/i.test(error.message)) {
    const message = "the system gives this process too little memory; raise its limit (ulimit -v)";
    return new PagemarkError("ENGINE_MEMORY", message, {}, { cause: error });
  }
  const subject = syscall === "uv_cwd" ? "the working folder" : "a file";
  return fileError(error, typeof path === "string" ? path : subject, syscall === "mkdir" ? "write" : "read");
}

/** Rows under a head, right-aligned where `align` says so; as wide as the terminal at most. */
export function table(head: string[], rows: string[][], align: Align[] = []): string {
  return layOut(
    head.map(printable),
    rows.map((row) => row.map(printable)),
    align,
  );
}

/** A backup as `--json` shows it: times in RFC 3339, sizes in bytes. */
export function backupJson(backup: Backup) {
  const { createdAt, id, tables, size, state, kind, bookmark, txid, storedSize, changedPages } = backup;
  const { taken, safety, freePages, tag, note, automatic, partial, error } = backup;
  return {
    created_at: createdAt,
    id,
    num_tables: tables,
    size,
    state,
    kind,
    bookmark,
    txid,
    stored_size: storedSize,
    changed_pages: changedPages,
    ...(freePages !== undefined && { free_pages: freePages }),
    taken,
    safety,
    ...(tag !== undefined && { tag }),
    ...(note !== undefined && { note }),
    automatic,
    ...(partial && { partial }),
    ...(error && { error }),
  };
}

/** When a backup was verified, as `--json` shows it. */
export function verifiedJson(at: VerifiedAt | undefined) {
  return { verified_at: at?.verified ?? null, sampled_at: at?.sampled ?? null };
}

/** Which backup it is; of a time or an age that was asked for, that it is the newest before it. */
export function describeBackup({ createdAt, size, id }: Backup, at = ""): string {
  const why = isTime(at) ? `, the newest at or before ${spokenTime(at)}` : "";
  return `the backup of ${timeText(createdAt)} (${id.slice(0, 8)}, ${bytes(size)})${why}`;
}

export function tableJson({ name, rows, damagedPage }: Table) {
  return {
    name,
    ...(rows !== undefined && { rows }),
    ...(damagedPage !== undefined && { damaged_page: damagedPage }),
  };
}

export function bytes(count: number): string {
  return prettyBytes(count);
}

/** "12,345". Not `toLocaleString`, which takes 10 ms the first time. */
export function counted(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** "1 hour ago". */
export function ago(createdAt: string, now = Date.now()): string {
  const seconds = Math.round((now - Date.parse(createdAt)) / 1000);
  if (Number.isNaN(seconds)) return "nobody knows when";
  const units = [
    ["year", 31_536_000],
    ["month", 2_592_000],
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ] as const;
  const words = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  const unit = units.find(([, length]) => Math.abs(seconds) >= length);
  if (unit) return words.format(-Math.floor(seconds / unit[1]), unit[0]);
  return seconds < 10 ? "just now" : words.format(-seconds, "second");
}

export function tablesTable(tables: Table[]): string {
  if (tables.length === 0) return "no tables";
  const count = ({ rows, damagedPage }: Table) => {
    if (damagedPage !== undefined) return "?";
    return rows === undefined ? "-" : counted(rows);
  };
  const rows = tables.map((each) => [each.name, count(each)]);
  return table(["table", "rows"], rows, ["left", "right"]);
}

/** Control and direction-changing characters as escapes. */
export function printable(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for, and \p{Cc} takes 10 ms to load
    /(?!\n)[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`,
  );
}

/** A bar on stderr while `work` runs, where stderr is a terminal. */
export async function withBar<T>(
  label: string,
  json: boolean,
  work: (onProgress: ((progress: Progress) => void) | undefined) => Promise<T>,
): Promise<T> {
  if (json || isQuiet || !process.stderr.isTTY) return work(undefined);
  const { Presets, SingleBar } = (await import("cli-progress")).default;
  const format = `${label} {bar} {percentage}% | {read} | {duration_formatted}`;
  // The numbers take some 30 columns, and they matter more.
  const barsize = Math.max(4, Math.min(40, terminalWidth() - label.length - 30));
  const options = { format, barsize, clearOnComplete: true, hideCursor: true };
  const bar = new SingleBar(options, Presets.shades_classic);
  let phase: string | undefined;
  try {
    return await work((progress) => {
      if (phase !== progress.phase) bar.start(progress.total, 0, { read: bytes(0) });
      phase = progress.phase;
      bar.update(progress.done, { read: bytes(progress.bytes) });
    });
  } finally {
    bar.stop();
  }
}
