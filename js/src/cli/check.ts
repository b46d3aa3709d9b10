import type { Command } from "commander";
import type { Check, CheckedObject } from "../engine/results.ts";
import { momentStream } from "../moments/moment-stream.ts";
import { withDatabase } from "./engine.ts";
import { blocking } from "./interrupt.ts";
import { EXIT, print, table, withBar } from "./output.ts";
import { openSource } from "./places.ts";

export function addCheck(program: Command, signal: AbortSignal): void {
  program
    .command("check")
    .description(
      "look whether each table and index is whole and foreign keys refer to rows, on a copy of one moment of it",
    )
    .argument("<file>", "the database file, or - for standard input")
    .action(async (path: string, _options, command: Command) => {
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
      const check = await withBar(`checking ${path}`, json, async (onProgress) => {
        const moment = await openSource(path).pin({ signal });
        return withDatabase(momentStream(moment, { signal, onProgress }), (database) =>
          blocking(() => database.check()),
        );
      });
      print(json, checkJson(check), () => checkText(check));
      process.exitCode = checkExit(check);
    });
}

/** What a check found, for people. */
export function checkText({ ok, integrity, foreignKeys, objects, unchecked }: Check): string {
  const passed = unchecked.map((text) => `not checked: ${text}`);
  if (ok && passed.length === 0) return "the database is whole, and every foreign key refers to a row";
  const sound = objects.filter(({ state }) => state === "sound").length;
  const rest = `${objects.length > 0 ? `${sound} of ${objects.length} tables and indexes are sound` : ""}`;
  if (ok) return [...passed, `nothing is wrong with what was checked; ${rest}`].join("\n");
  const rows = [
    ...integrity.map((text) => [placeOf(text, objects), text]).sort(pagesLast),
    ...foreignKeys.map(({ table, rowid, parent }) => {
      return [
        "foreign key",
        `${table}${rowid === undefined ? "" : `, row ${rowid},`} refers to no row of ${parent}`,
      ];
    }),
  ];
  return [table(["where", "what is wrong"], rows), ...passed, ...(rest ? [rest] : [])].join("\n");
}

/** What belongs to no table mostly follows from what is wrong with one. */
function pagesLast([one]: string[], [other]: string[]): number {
  return Number(one === PAGES) - Number(other === PAGES);
}

const PAGES = "pages";

function placeOf(text: string, objects: CheckedObject[]): string {
  const found = objects.find(({ details }) => details.includes(text));
  return found ? `${found.type} ${found.name}` : PAGES;
}

/** The same for programs. */
export function checkJson({ ok, integrity, foreignKeys, objects, unchecked }: Check) {
  const problems = foreignKeys.map(({ table, rowid, parent }) => {
    return { table, rowid: rowid === undefined ? null : String(rowid), parent };
  });
  return { ok, integrity, foreign_keys: problems, unchecked, objects };
}

/** Damage fails a command; what could not be looked at is a warning. */
export function checkExit({ ok, unchecked }: Check): number {
  if (!ok) return EXIT.failed;
  return unchecked.length > 0 ? EXIT.warnings : EXIT.done;
}
