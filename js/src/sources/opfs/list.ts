// What databases an origin has.
import { entriesOf, privateFiles } from "../../opfs/folders.ts";
import { sweepScratch } from "../../opfs/scratch.ts";
import { findDatabase, foldersBelow } from "./files.ts";
import { slotsIn } from "./pool.ts";
import { look, viewOf } from "./snapshot.ts";

/** A database in the origin's private files. */
export interface ListedDatabase {
  /** As `opfs()` takes it. */
  path: string;
  /** Path of the pool's folder, for the option `pool`; missing for a file of its own. */
  pool?: string;
  /** Who made the pool, or uses the file now; missing where that does not show. */
  library?: string;
  /** In bytes. */
  size: number;
  /** What its library will not take, though it can be read, backed up and so rescued. */
  problem?: string;
}

const MAGIC = "SQLite format 3\0";

/** Goes through all files of the origin, by their first bytes. */
export async function* listDatabases(): AsyncGenerator<ListedDatabase> {
  await sweepScratch();
  for await (const { path, folder } of foldersBelow(await privateFiles())) {
    const slots = await slotsIn(folder);
    for (const slot of slots.filter(({ isDatabase }) => isDatabase)) {
      const size = (await slot.handle.getFile()).size - 4096;
      const problem =
        slot.path === undefined
          ? "its header in the pool was wiped"
          : slot.library === undefined
            ? "its header in the pool has a wrong digest: its library will remove it"
            : undefined;
      yield {
        path: slot.path?.slice(1) ?? `${path}/${slot.handle.name}`,
        pool: path,
        ...(slot.library !== undefined && { library: slot.library }),
        size,
        ...(problem !== undefined && { problem }),
      };
    }
    const pooled = new Set(slots.filter(({ isDatabase }) => isDatabase).map(({ handle }) => handle.name));
    const entries = await entriesOf(folder);
    const names = new Set(entries.map(({ name }) => name));
    for (const entry of entries) {
      if (entry.kind !== "file" || pooled.has(entry.name)) continue;
      const file = await (entry as FileSystemFileHandle).getFile().catch(() => undefined);
      const start = await file
        ?.slice(0, MAGIC.length)
        .text()
        .catch(() => "");
      if (!file) continue;
      const listed = { path: path === "" ? entry.name : `${path}/${entry.name}`, size: file.size };
      if (start === MAGIC) yield listed;
      else if (start === "" && names.has(`${entry.name}-wa0`)) {
        const size = await sizeAhead(listed.path);
        if (size > 0) yield { ...listed, size, library: "wa-sqlite OPFSWriteAheadVFS" };
      }
    }
  }
}

/** Size of a database all of which is in its write-ahead log yet; 0 for what is none. In bytes. */
async function sizeAhead(path: string): Promise<number> {
  try {
    const view = await viewOf(await look(await findDatabase(path)));
    view.free();
    return view.size;
  } catch {
    return 0;
  }
}
