// Texts to sources and to the backups in stores.

import { existsSync, statSync } from "node:fs";
import { basename, extname } from "node:path";
import { Backups } from "../backups/backups.ts";
import { databasesIn } from "../catalog/folder.ts";
import { core, naming, usePlatform, useStatements } from "../core/index.ts";
import { compiled, nodePlatform } from "../core/platform.node.ts";
import { PagemarkError } from "../errors/index.ts";
import { type PlaceText, placesIn } from "../places/locality-url.ts";
import { folderPath, keysOfEnvironment, openStore as open } from "../places/open-store.node.ts";
import type { OpenStoreOptions } from "../places/open-store.ts";
import { redacted as redactedOne, withoutSecrets } from "../places/secrets.ts";
import { damagedFile, damagedStream } from "../sources/file/damaged.ts";
import { file } from "../sources/file/file.ts";
import { spooled } from "../sources/file/spooled.ts";
import type { PageSource } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import { openStandardInput } from "./input.ts";
import { note } from "./output.ts";
import { STANDARD } from "./standard-output.ts";
import { hostedName } from "./values.ts";

usePlatform(nodePlatform);
useStatements(async () => compiled("statement"));

export { folderPath, keysOfEnvironment, placesIn, withoutSecrets };

/** What the command line says of several stores. */
let localities: Partial<Pick<OpenStoreOptions, "locality" | "fromLocality">> = {};
const noted = new Set<string>();

export function useLocalities({ locality, fromLocality }: typeof localities): void {
  localities = { locality, fromLocality };
}

/** The store that a text names, or several with their localities. */
export function openStore(place: PlaceText, options: OpenStoreOptions = {}): Store {
  const onNote = (text: string) => {
    if (!noted.has(text)) note(text);
    noted.add(text);
  };
  return open(place, { onNote, ...localities, ...options });
}

/** A place as messages name it. */
export function redacted(place: string): string {
  return placesIn(place).map(redactedOne).join(", ");
}

/** D1 databases at Cloudflare are `d1://<account>/<database>`. */
export function isHosted(place: string): boolean {
  return /^d1:\/\//i.test(place);
}

/** A project's local D1 database is `d1-local:<name or binding>`, where the project is the folder that this runs in. */
const LOCAL = /^d1-local:/i;

export function isLocal(place: string): boolean {
  return LOCAL.test(place);
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The file that is meant. */
export async function localFile(place: string): Promise<string> {
  const { localD1 } = await import("./project.ts");
  return localD1(place.replace(LOCAL, ""));
}

/** A database to be read: a file, standard input, or one at Cloudflare, whose changes may be tracked. */
export async function openDatabase(place: string, { tracking = false } = {}): Promise<PageSource> {
  if (isLocal(place)) return openSource(await localFile(place));
  if (!isHosted(place)) return openSource(place);
  const { openHosted } = await import("./hosted.ts");
  return openHosted(place, tracking);
}

/** The path of a database that must be a file. */
export async function fileAt(place: string): Promise<string> {
  if (isHosted(place) || place === STANDARD)
    throw new PagemarkError("USAGE", `${place}: this takes the path of a database file`);
  return isLocal(place) ? localFile(place) : place;
}

/** A database file, or the one in standard input for "-". */
export function openSource(path: string): PageSource {
  if (isHosted(path)) {
    const message = `${path}: this takes a file; \`pagemark backup\`, \`restore -o\` and \`dump\` take D1 databases`;
    throw new PagemarkError("USAGE", message);
  }
  return path === STANDARD ? spooled(openStandardInput, "standard input") : file(path);
}

/** A file that was a database, whatever is wrong with it. */
export function openDamaged(path: string, pageSize: number | undefined): PageSource {
  const options = { pageSize };
  return path === STANDARD
    ? damagedStream(openStandardInput, "standard input", options)
    : damagedFile(path, options);
}

export function openBackups(name: string, place: string): Promise<Backups> {
  return Backups.open(name, openStore(place));
}

const MOST_NAMES = 5;

/** Runs `work` on the backups of `name`. Where there are none, the error says what there is. */
export async function withBackups<T>(name: string, place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PagemarkError) || error.code !== "BACKUP_NONE") throw error;
    throw await noBackup(name, place);
  }
}

/** @throws PagemarkError `STORE_MISSING` when a folder is not there */
export async function refuseMissing(place: string): Promise<void> {
  for (const each of placesIn(place)) {
    const path = folderPath(each);
    if (path === undefined || existsSync(path)) continue;
    const message = `${path}: there is no such folder; give the one that backups were written to`;
    throw new PagemarkError("STORE_MISSING", message, { name: path });
  }
}

/** The error for a name without backups, which says what there is; thrown when a store is missing that may have them. */
export async function noBackup(name: string, place: string): Promise<PagemarkError> {
  await refuseMissing(place);
  const { store, folder } = await openBackups(name, place);
  await store.checkComplete?.(folder);
  const names = (await databasesIn(store)).map((each) => each.name);
  if (names.includes(name)) {
    const { objects } = await store.list(`${folder}/ltx/`, { limit: 1 });
    const why =
      objects.length > 0
        ? "the first backup or copy to it did not end; make it again"
        : "there are LTX files below that name, but not as backups lie; --from is the folder in which the folders of databases are";
    const message = `${name}: there is no whole backup in ${redacted(place)}: ${why}`;
    return new PagemarkError("BACKUP_NONE", message, { name });
  }
  const shown = names.slice(0, MOST_NAMES).map((each) => JSON.stringify(each));
  if (names.length > MOST_NAMES) shown.push(`${names.length - MOST_NAMES} more`);
  const there = shown.length > 0 ? `it has backups of ${shown.join(", ")}` : "it has no backups at all";
  const message = `${name}: there is no backup under that name in ${redacted(place)}; ${there}`;
  return new PagemarkError("BACKUP_NONE", message, { name });
}

/** What a database's backups are called unless the user says: a file's name without its ending, D1's name for its own. */
export function nameOf(path: string): string {
  if (isHosted(path)) return hostedName(path.replace(/\/+$/, "").replace(/^.*\//, ""), path);
  if (isLocal(path)) return path.replace(LOCAL, "");
  return path === STANDARD ? "standard input" : basename(path, extname(path));
}

/** A database's name as a file's, which it can be: no path, and nothing that steers a terminal. */
export async function fileName(name: string): Promise<string> {
  const segment = await naming(name, async () => (await core()).nameToSegment(name));
  // Windows has characters and names of its own that no file may have.
  return process.platform === "win32" ? segment : name;
}
