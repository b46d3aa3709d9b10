import { readFileSync, realpathSync } from "node:fs";

/** Bytes that every copy of SQLite contains: the first ones of the files it writes. */
const MAGIC = Buffer.from("SQLite format 3\0");

/** Libraries of the C and C++ runtimes, which are large and contain no SQLite. */
const RUNTIME = /\/(ld-|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)[.-])[^/]*$/;

/** Libraries that were searched, and whether they contain SQLite. */
const known = new Map<string, boolean>();

/** Whether a library in this process contains a SQLite of its own, or may contain one. */
export function hasOtherSqlite(): boolean {
  // Windows keeps locks by handle rather than by process.
  if (process.platform === "win32") return false;
  let maps: string;
  try {
    maps = readFileSync("/proc/self/maps", "utf8");
  } catch {
    return true;
  }
  // "7f12…-7f13… r-xp 00000000 fe:00 123   /path/to/library.so": what has code in it.
  const libraries = new Set(maps.match(/(?<= r-xp .*)\/.+$/gm));
  libraries.delete(realpathSync("/proc/self/exe"));
  return [...libraries].some((library) => !RUNTIME.test(library) && holdsSqlite(library));
}

function holdsSqlite(library: string): boolean {
  let holds = known.get(library);
  if (holds === undefined) {
    try {
      holds = readFileSync(library).includes(MAGIC);
    } catch {
      // It was deleted since.
      holds = true;
    }
    known.set(library, holds);
  }
  return holds;
}
