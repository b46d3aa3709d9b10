import type { FileHandle } from "node:fs/promises";
import type { Core } from "../core/index.ts";
import { changed, fileError } from "./file-errors.ts";
import { LockableFile } from "./file-handle.ts";

type Overlay = ReturnType<ReturnType<InstanceType<Core["WalReader"]>["finish"]>["takeOverlay"]>;

/** Where the pages of a moment lie: in the main file, but for those of the overlay. */
export interface Layout {
  pageSize: number;
  pageCount: number;
  /** Pages in the side file. */
  overlay?: Overlay;
  /** The WAL or journal of `overlay`. SQLite locks neither. */
  side?: FileHandle;
}

/** Pages of a database file, read where they lie. */
export class FilePages {
  readonly path: string;
  readonly main: LockableFile;
  layout: Layout = { pageSize: 0, pageCount: 0 };

  constructor(path: string) {
    this.path = path;
    this.main = LockableFile.open(path);
  }

  /** Fills `into` with whole pages from `first` on. */
  async read(first: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { pageSize, overlay, side } = this.layout;
    const count = into.length / pageSize;
    const inMain = await this.main.read(into, (first - 1) * pageSize);
    const entries = overlay && side ? overlay.range(first, count) : [];
    let missing = first + Math.floor(inMain / pageSize);
    for (let at = 0; at + 1 < entries.length; at += 2) {
      const [pgno, offset] = [entries[at] as number, entries[at + 1] as number];
      const page = into.subarray((pgno - first) * pageSize, (pgno - first + 1) * pageSize);
      if ((await this.readSide(side as FileHandle, page, offset)) < pageSize) throw changed(this.path);
      if (pgno === missing) missing++;
    }
    // Pages past the main file's end must all have come from the side file.
    if (missing < first + count) throw changed(this.path);
  }

  /** Reads a side file until `into` is full or the file ends; gives how much. */
  async readSide(file: FileHandle, into: Uint8Array, offset: number): Promise<number> {
    let filled = 0;
    try {
      while (filled < into.length) {
        const { bytesRead } = await file.read(into, filled, into.length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    } catch (cause) {
      throw fileError(this.path, cause);
    }
    return filled;
  }

  /** Lets go, after SQLite has. */
  async close(): Promise<void> {
    const { overlay, side } = this.layout;
    overlay?.free();
    this.layout = { pageSize: 0, pageCount: 0 };
    await side?.close();
    this.main.close();
  }
}
