// Files of the browser by their paths.
import { checkText, PagemarkError } from "../errors/index.ts";
import { isAbsent } from "./faults.ts";

/** A handle for reading and writing at once, which only dedicated workers have. */
export interface SyncHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

type FileHandle = FileSystemFileHandle & {
  createSyncAccessHandle?: (options?: { mode?: string }) => Promise<SyncHandle>;
  move?: (folder: FileSystemDirectoryHandle, name: string) => Promise<void>;
};

/**
 * The private files of this origin.
 *
 * @throws PagemarkError `RUNTIME_UNSUPPORTED` where the browser has none, or none here: Firefox refuses them in private windows
 *   with a SecurityError, Safari with an UnknownError
 */
export async function privateFiles(): Promise<FileSystemDirectoryHandle> {
  if (!globalThis.navigator?.storage?.getDirectory) {
    const message =
      "this needs a browser with private files (OPFS), in a page of https:// or of this machine";
    throw new PagemarkError("RUNTIME_UNSUPPORTED", message);
  }
  try {
    return await navigator.storage.getDirectory();
  } catch (cause) {
    const message =
      "this browser gives the page no private files (OPFS): private windows of Firefox and Safari have none, so use an ordinary window, and see that the site's data is not blocked";
    throw new PagemarkError("RUNTIME_UNSUPPORTED", message, {}, { cause });
  }
}

/** The folders and the name in a path, without empty ones. */
export function segmentsOf(path: string): string[] {
  checkText(path, "path");
  return path.split("/").filter((segment) => segment !== "" && segment !== ".");
}

/** The folder at a path below `root`; `undefined` when there is none. */
export async function folderAt(
  root: FileSystemDirectoryHandle,
  segments: readonly string[],
  { create = false } = {},
): Promise<FileSystemDirectoryHandle | undefined> {
  let folder = root;
  for (const segment of segments) {
    const next = await orAbsent(folder.getDirectoryHandle(segment, { create }), create);
    if (!next) return undefined;
    folder = next;
  }
  return folder;
}

/** The file of that name; `undefined` when there is none. */
export function fileIn(
  folder: FileSystemDirectoryHandle,
  name: string,
): Promise<FileSystemFileHandle | undefined> {
  return orAbsent(folder.getFileHandle(name), false);
}

/** What is in a folder, by name; what cannot be listed any more is left out. */
export async function entriesOf(
  folder: FileSystemDirectoryHandle,
): Promise<(FileSystemFileHandle | FileSystemDirectoryHandle)[]> {
  const entries: (FileSystemFileHandle | FileSystemDirectoryHandle)[] = [];
  for await (const entry of folder.values()) entries.push(entry);
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Opens a file for reading and writing at once; `undefined` outside of dedicated workers. */
export function syncHandle(
  handle: FileSystemFileHandle,
  mode?: "read-only",
): Promise<SyncHandle | undefined> {
  const { createSyncAccessHandle } = handle as FileHandle;
  const hasIt = createSyncAccessHandle !== undefined && typeof WorkerGlobalScope !== "undefined";
  if (!hasIt) return Promise.resolve(undefined);
  return createSyncAccessHandle.call(handle, mode && { mode });
}

/** Gives a file another place, over what is there; says whether this browser can do that. */
export async function moveOver(
  handle: FileSystemFileHandle,
  folder: FileSystemDirectoryHandle,
  name: string,
): Promise<boolean> {
  const { move } = handle as FileHandle;
  if (!move) return false;
  await move.call(handle, folder, name);
  return true;
}

async function orAbsent<T>(promise: Promise<T>, isWanted: boolean): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (!isWanted && isAbsent(error)) return undefined;
    throw error;
  }
}

declare const WorkerGlobalScope: unknown;
