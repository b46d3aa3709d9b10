// Text to sources and stores: the only place that knows which driver a text means.
import { basename, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { core, translating, usePlatform } from "../core/index.ts";
import { nodePlatform } from "../core/platform.node.ts";
import { PagemarkError } from "../errors/index.ts";
import { Backups } from "../jobs/database.ts";
import { file } from "../sources/file.ts";
import { spooled } from "../sources/file-spooled.ts";
import type { PageSource } from "../sources/source.ts";
import { fs } from "../stores/fs.ts";
import type { Store } from "../stores/store.ts";
import { openStandardInput } from "./input.ts";
import { STANDARD } from "./standard-output.ts";

usePlatform(nodePlatform);

/** A database file, or the one in standard input for "-". */
export function openSource(path: string): PageSource {
  return path === STANDARD ? spooled(openStandardInput, "standard input") : file(path);
}

/** A folder, as a path or a `file:` URL. */
export function openStore(place: string): Store {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(place)?.[1]?.toLowerCase();
  if (scheme === undefined) return fs(place);
  if (scheme === "file") return fs(fileURLToPath(place));
  const message = `no store is known for ${scheme}: yet; give a folder, such as ./backups`;
  throw new PagemarkError("PLACE_UNKNOWN", message);
}

export function openBackups(name: string, place: string): Promise<Backups> {
  return Backups.open(name, openStore(place));
}

/** What a database file's backups are called unless the user says: the file's name without its ending. */
export function nameOf(path: string): string {
  return path === STANDARD ? "standard input" : basename(path, extname(path));
}

/** A database's name as a file's, which it can be: no path, and nothing that steers a terminal. */
export async function fileName(name: string): Promise<string> {
  const segment = await translating(name, async () => (await core()).nameToSegment(name));
  // Windows has characters and names of its own that no file may have.
  return process.platform === "win32" ? segment : name;
}
