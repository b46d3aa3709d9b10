// Where a database lies in the origin's private files: under its own name, or in a slot of a pool.
import { SourceError } from "../../errors/index.ts";
import { entriesOf, fileIn, folderAt, privateFiles, segmentsOf } from "../../opfs/folders.ts";
import { missing } from "./errors.ts";
import { filledSlots, SLOT_HEADER, type Slot, slotOf, slotsIn } from "./pool.ts";

/** A file whose first bytes may be a slot's header. */
export interface Part {
  handle: FileSystemFileHandle;
  /** Where the data begin, in bytes. */
  start: number;
}

/** A database that was found. */
export interface InFolder extends Found {
  folder: FileSystemDirectoryHandle;
}

/** A database, wherever it lies. */
export interface Found {
  /** The path that SQLite knows it by: `/app.db`. */
  path: string;
  main: Part;
  /** Path of the pool's folder, and the database's slot in it; missing for a file of its own. */
  pool?: { path: string; slot: Slot };
  /** The file beside it whose name has that ending more: looked for at every call, in a pool among the slots there were. */
  beside(ending: string): Promise<Part | undefined>;
}

/** Folders inside of one another that are looked at, and files in all: an origin may have very many. */
const [DEEPEST, MOST] = [6, 20_000];

export interface Pool {
  /** Path of its folder: `.opfs-sahpool/.opaque`. */
  path: string;
  folder: FileSystemDirectoryHandle;
  slots: Slot[];
}

/**
 * Finds a database: the plain file at `path`, a slot of a pool by its own path, or the file of that path in a pool.
 *
 * @param pool path of the folder whose pool is meant, where several have such a file
 * @throws SourceError `SOURCE_MISSING`, or `SOURCE_AMBIGUOUS` when there are several
 */
export async function findDatabase(path: string, pool?: string): Promise<InFolder> {
  const found = pool === undefined ? await findAll(path) : await inPools(path, pool);
  const [first, second] = found;
  if (!first) throw missing(path);
  if (!second) return first;
  const where = found.map((each) => each.pool?.path ?? "a file of its own").join(", ");
  const message = `${path}: there are several of that name (in ${where}); say which with the option pool, or delete one`;
  throw new SourceError("SOURCE_AMBIGUOUS", message, { name: path });
}

async function findAll(path: string): Promise<InFolder[]> {
  const plain = await plainFile(path);
  // SQLite, too, takes a file without content for an empty database: so a pool's comes first.
  const isEmpty = plain && (await plain.main.handle.getFile()).size === 0;
  const pooled = plain?.pool ? [] : await inPools(path);
  if (!plain || (isEmpty && pooled.length > 0)) return pooled;
  return [plain, ...pooled];
}

/** Libraries take a path as part of a URL, so that `my db` becomes `my%20db` in most of them. */
export function namesOf(path: string): string[] {
  const names = [
    segmentsOf(path).join("/"),
    new URL(segmentsOf(path).join("/"), "file:///").pathname.slice(1),
  ];
  return [...new Set(names)];
}

async function plainFile(path: string): Promise<InFolder | undefined> {
  for (const name of namesOf(path)) {
    const folders = name.split("/");
    const last = folders.pop() ?? "";
    const folder = last === "" ? undefined : await folderAt(await privateFiles(), folders);
    const handle = folder && (await fileIn(folder, last));
    if (!folder || !handle) continue;
    const slot = await slotAsFile(handle);
    if (slot) return inSlot({ path: folders.join("/"), folder, slots: await slotsIn(folder) }, slot);
    return {
      path: `/${name}`,
      main: { handle, start: 0 },
      folder,
      async beside(ending) {
        const beside = await fileIn(folder, last + ending);
        return beside && { handle: beside, start: 0 };
      },
    };
  }
  return undefined;
}

/** A slot that was named by its own path; a database of its own begins otherwise. */
async function slotAsFile(handle: FileSystemFileHandle): Promise<Slot | undefined> {
  const slot = await slotOf(handle);
  return slot?.isDatabase ? slot : undefined;
}

async function inPools(path: string, only?: string): Promise<InFolder[]> {
  const names = namesOf(path);
  const folder = only === undefined ? undefined : segmentsOf(only).join("/");
  const isWanted = (pool: Pool) =>
    folder === undefined || pool.path === folder || pool.path === `${folder}/.opaque`;
  const found: InFolder[] = [];
  for (const pool of (await poolsIn(await privateFiles())).filter(isWanted)) {
    // One whose header was wiped goes by where it lies.
    const nameOf = ({ path, handle }: Slot) => path?.slice(1) ?? `${pool.path}/${handle.name}`;
    const slots = pool.slots.filter(
      (slot) => (slot.path !== undefined || slot.isDatabase) && names.includes(nameOf(slot)),
    );
    const newest = await newestOf(slots);
    if (newest) found.push(inSlot(pool, newest));
  }
  return found;
}

/** A library that died between two writes may have left two slots of one path. */
async function newestOf(slots: Slot[]): Promise<Slot | undefined> {
  if (slots.length < 2) return slots[0];
  const files = await Promise.all(slots.map((slot) => slot.handle.getFile()));
  const times = files.map((file) => file.lastModified);
  return slots[times.indexOf(Math.max(...times))];
}

function inSlot({ path: poolPath, folder, slots }: Pool, slot: Slot): InFolder {
  const path = slot.path ?? `/${poolPath}/${slot.handle.name}`;
  return {
    path,
    main: { handle: slot.handle, start: SLOT_HEADER },
    folder,
    pool: { path: poolPath, slot },
    async beside(ending) {
      if (slot.path === undefined) return undefined;
      const beside = await newestOf(await filledSlots(slots, slot.path + ending));
      return beside && { handle: beside.handle, start: SLOT_HEADER };
    },
  };
}

/** All pools below a folder. */
export async function poolsIn(root: FileSystemDirectoryHandle): Promise<Pool[]> {
  const pools: Pool[] = [];
  for await (const { path, folder } of foldersBelow(root)) {
    const slots = await slotsIn(folder);
    if (slots.some((slot) => slot.path !== undefined || slot.isDatabase)) pools.push({ path, folder, slots });
  }
  return pools;
}

/** `root` and every folder below it, without those that are Pagemark's own. */
export async function* foldersBelow(
  root: FileSystemDirectoryHandle,
): AsyncGenerator<{ path: string; folder: FileSystemDirectoryHandle }> {
  let seen = 0;
  const waiting = [{ path: "", folder: root, depth: 0 }];
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { path, folder, depth } = next;
    yield { path, folder };
    for (const entry of await entriesOf(folder)) {
      if (++seen > MOST) return;
      if (entry.kind !== "directory" || entry.name === ".pagemark" || depth === DEEPEST) continue;
      const below = path === "" ? entry.name : `${path}/${entry.name}`;
      waiting.push({ path: below, folder: entry as FileSystemDirectoryHandle, depth: depth + 1 });
    }
  }
}
