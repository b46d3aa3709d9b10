// SQLite for the commands that need it: on a copy of the database's pages, read as they are needed.
import { tmpdir } from "node:os";
import { useEngine } from "../core/index.ts";
import { compiled } from "../core/platform.node.ts";
import { Database } from "../engine/database.ts";
import { type FilePages, filePages } from "../engine/file-pages.node.ts";
import type { Check, CheckedObject } from "../engine/results.ts";
import { TemporaryFile } from "../node/temporary-file.ts";
import { fileError } from "../sources/file-errors.ts";
import { EXIT, table } from "./output.ts";

useEngine(async () => compiled("engine"));

/** Writes `body` to a temporary file, and opens the database in it for reading while `use` runs; `file` is its pages. */
export async function withDatabase<T>(
  body: ReadableStream<Uint8Array>,
  use: (database: Database, file: FilePages["raw"]) => Promise<T> | T,
): Promise<T> {
  const copy = await TemporaryFile.create().catch(async (error) => {
    await body.cancel(error).catch(() => {});
    throw error;
  });
  try {
    let size = 0;
    for await (const chunk of body) {
      await copy.write(chunk, size);
      size += chunk.length;
    }
    const pages = filePages(copy.fd, "the copy");
    try {
      using database = await Database.open({ store: pages });
      const result = await use(database, pages.raw);
      if (!pages.failure) return result;
    } catch (error) {
      if (!pages.failure) throw error;
    }
    throw fileError(pages.failure.error, tmpdir());
  } finally {
    await copy.close();
  }
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
