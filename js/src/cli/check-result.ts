import type { Check, CheckedObject } from "../engine/results.ts";
import { EXIT, table } from "./output.ts";

/** A check's result, for people. */
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

/** Orders problems of no table last: they mostly follow from those of one. */
function pagesLast([one]: string[], [other]: string[]): number {
  return Number(one === PAGES) - Number(other === PAGES);
}

const PAGES = "pages";

function placeOf(text: string, objects: CheckedObject[]): string {
  const found = objects.find(({ details }) => details.includes(text));
  return found ? `${found.type} ${found.name}` : PAGES;
}

/** A check's result, for programs. */
export function checkJson({ ok, integrity, foreignKeys, objects, unchecked }: Check) {
  const problems = foreignKeys.map(({ table, rowid, parent }) => {
    return { table, rowid: rowid === undefined ? null : String(rowid), parent };
  });
  return { ok, integrity, foreign_keys: problems, unchecked, objects };
}

/** The exit code: damage fails the command, what could not be checked is a warning. */
export function checkExit({ ok, unchecked }: Check): number {
  if (!ok) return EXIT.failed;
  return unchecked.length > 0 ? EXIT.warnings : EXIT.done;
}
