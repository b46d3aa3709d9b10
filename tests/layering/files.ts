// Reading the repository's own sources, for the tests in this folder.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");

/** Path below `folder` (with `/`), to the file's text. */
export type Sources = ReadonlyMap<string, string>;

/** Every file under `folder` whose name ends in one of `endings`. */
export function read(folder: string, ...endings: string[]): Sources {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .filter((path) => !/(^|\/)(node_modules|dist|target|fixtures)\//.test(path))
    .sort();
  return new Map(files.map((path) => [path, readFileSync(join(root, folder, path), "utf8")]));
}
