import { statSync } from "node:fs";
import { parse } from "node:path";
import { detect, isPageSize, named } from "../../core/index.ts";
import { checkOptions, checkText, PagemarkError } from "../../errors/index.ts";
import { faultOf } from "../../node/errno.ts";
import { type Bytes, type Overlay, readWal } from "../side-files.ts";
import type { Moment, PageSource, PinOptions } from "../source.ts";
import { fileError } from "./errors.ts";
import { file } from "./file.ts";
import { LockableFile, realPath } from "./handle.ts";
import { spool } from "./spooled.ts";
import { openSide } from "./wal.ts";

/** What is known of a damaged file. */
export interface DamagedFileOptions {
  /** Page size in bytes; found from the file unless given. */
  pageSize?: number | undefined;
}

/** What is no matter of damage. */
const FINAL = new Set(["CANCELED", "SOURCE_MISSING", "SOURCE_DENIED", "SOURCE_NOT_A_FILE"]);
/** Offset and magic of a WAL's header, whose last bit says how its checksums are made; where its page size is. */
const WAL_HEADER = 32;
const WAL_MAGIC = 0x377f0682;

/**
 * A file that was a SQLite database, for a dump with `salvage`: the whole file, whatever its header says. Page size, reserve
 * and encoding are found from the pages where the header does not say them. Committed pages of a WAL beside the file
 * count; bytes that cannot be read are zeros.
 *
 * A sound database is pinned as {@link file} pins it.
 */
export function damagedFile(path: string, options: DamagedFileOptions = {}): PageSource {
  checkText(path, "path");
  checkOptions(options);
  return { name: parse(path).name, pin: (pin) => pinFile(path, options, pin) };
}

/** As {@link damagedFile}, for a stream, which can be read once. */
export function damagedStream(
  open: () => ReadableStream<Uint8Array>,
  name: string,
  options: DamagedFileOptions = {},
): PageSource {
  return {
    name,
    async pin({ signal } = {}) {
      const { copy, size } = await spool(open(), signal);
      try {
        const pages = await pagesOf(name, copy, size, options.pageSize, signal);
        return new DamagedMoment({ path: name, main: copy, size, ...pages, close: () => copy.close() });
      } catch (error) {
        await copy.close();
        throw named(error, name);
      }
    },
  };
}

async function pinFile(
  path: string,
  options: DamagedFileOptions,
  { signal }: PinOptions = {},
): Promise<Moment> {
  const real = realPath(path);
  const main = LockableFile.open(real);
  const close: (() => void | Promise<void>)[] = [() => main.close()];
  const closeAll = async () => {
    for (const step of close.splice(0)) await step();
  };
  try {
    const { size } = main;
    const wal = hasBytes(`${real}-wal`) ? await openSide(`${real}-wal`) : undefined;
    if (wal) close.push(wal.close);
    const given = options.pageSize ?? (wal && (await pageSizeOfWal(wal)));
    const { pageSize, missing } = await pagesOf(path, main, size, given, signal);
    const sound = await pinSound(path, pageSize, size, signal);
    if (sound) {
      await closeAll();
      return sound;
    }
    const notes: string[] = [];
    const overlay = wal && (await overlayOf(wal, pageSize, notes, signal));
    if (overlay) close.push(() => overlay.overlay.free());
    if (hasBytes(`${real}-journal`)) notes.push("the -journal beside the file was not looked at");
    return new DamagedMoment({
      path,
      main,
      size,
      pageSize,
      missing,
      notes,
      close: closeAll,
      ...(overlay && { side: overlay }),
    });
  } catch (error) {
    await closeAll();
    throw named(error, path);
  }
}

/** Pins the file as a sound database, if that covers the whole file. */
async function pinSound(
  path: string,
  pageSize: number,
  size: number,
  signal?: AbortSignal,
): Promise<Moment | undefined> {
  try {
    const moment = await file(path).pin({ signal });
    if (moment.pageSize === pageSize && moment.pageCount >= Math.ceil(size / pageSize)) return moment;
    await moment.release();
  } catch (error) {
    if (error instanceof PagemarkError && FINAL.has(error.code)) throw error;
    signal?.throwIfAborted();
  }
  return undefined;
}

/** Their size, and how many are missing before the first. */
async function pagesOf(
  path: string,
  main: Bytes,
  size: number,
  given: number | undefined,
  signal?: AbortSignal,
): Promise<Pick<Parts, "pageSize" | "missing">> {
  let fault: unknown;
  try {
    const { pageSize, missing } = await detect(size, given, async (into, offset) => {
      signal?.throwIfAborted();
      fault = (await readWhatCan(path, main, into, offset)).fault ?? fault;
    });
    return { pageSize, missing };
  } catch (error) {
    signal?.throwIfAborted();
    // The zeros that stand for what cannot be read do not tell that this is no database.
    throw fault ?? error;
  }
}

async function pageSizeOfWal(wal: Bytes): Promise<number | undefined> {
  const header = new Uint8Array(WAL_HEADER);
  if ((await wal.read(header, 0)) < WAL_HEADER) return undefined;
  const view = new DataView(header.buffer);
  if ((view.getUint32(0) & ~1) !== WAL_MAGIC) return undefined;
  const size = view.getUint32(8);
  return isPageSize(size) ? size : undefined;
}

async function overlayOf(wal: Bytes, pageSize: number, notes: string[], signal?: AbortSignal) {
  try {
    const { overlay, pageCount = 0 } = await readWal(wal, pageSize, undefined, undefined, signal);
    return { file: wal, overlay, pageCount };
  } catch (error) {
    signal?.throwIfAborted();
    const { message } = error as Error;
    notes.push(`the -wal beside the file was left out: ${message}`);
    return undefined;
  }
}

interface Parts {
  path: string;
  main: Bytes;
  size: number;
  pageSize: number;
  /** How many pages there were before the first of the file: they are read as zeros. */
  missing: number;
  notes?: string[];
  side?: { file: Bytes; overlay: Overlay; pageCount: number };
  close: () => void | Promise<void>;
}

class DamagedMoment implements Moment {
  readonly taken = "start";
  readonly pageSize: number;
  readonly pageCount: number;
  readonly #parts: Parts;
  readonly #unreadable = new Set<number>();
  #isReleased = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.pageSize = parts.pageSize;
    const count = parts.missing + Math.ceil(parts.size / parts.pageSize);
    this.pageCount = Math.max(count, parts.side?.pageCount ?? 0);
  }

  get notes(): string[] {
    const { size, pageSize, missing, notes = [] } = this.#parts;
    const rest = size % pageSize;
    const page = missing + Math.ceil(size / pageSize);
    return [
      ...notes,
      ...(missing > 0 ? [`the file begins with page ${missing + 1}: what was before it is missing`] : []),
      ...(rest > 0
        ? [`the file ends within page ${page}: the last ${pageSize - rest} bytes of it are missing`]
        : []),
      ...(this.#unreadable.size > 0
        ? [
            `${this.#unreadable.size} pages of the file cannot be read, from page ${Math.min(...this.#unreadable)} on`,
          ]
        : []),
    ];
  }

  async read(first: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { path, main, pageSize, side, missing } = this.#parts;
    const at = (first - 1 - missing) * pageSize;
    const before = Math.min(into.length, Math.max(0, -at));
    into.fill(0, 0, before);
    const { failed } = await readWhatCan(path, main, into.subarray(before), at + before, pageSize);
    for (const index of failed) this.#unreadable.add(first + before / pageSize + index);
    const frames = side?.overlay.range(first, into.length / pageSize) ?? [];
    for (let index = 0; index < frames.length; index += 2) {
      const [pgno = 0, offset = 0] = frames.slice(index, index + 2);
      const start = (pgno - first) * pageSize;
      await side?.file.read(into.subarray(start, start + pageSize), offset);
    }
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    await this.#parts.close();
  }
}

/** Fills `into`, with zeros where the file ends or cannot be read. Returns the pieces that could not be read, and why. */
async function readWhatCan(
  path: string,
  main: Bytes,
  into: Uint8Array,
  offset: number,
  piece = into.length,
): Promise<{ failed: number[]; fault?: unknown }> {
  let fault: unknown;
  try {
    into.fill(0, await main.read(into, offset));
    return { failed: [] };
  } catch (error) {
    fault = fileError(error, path);
    if (faultOf(error, "read")?.kind !== "io") throw fault;
  }
  const failed: number[] = [];
  for (let start = 0; start < into.length; start += piece) {
    const part = into.subarray(start, start + piece);
    try {
      part.fill(0, await main.read(part, offset + start));
    } catch {
      part.fill(0);
      failed.push(start / piece);
    }
  }
  return { failed, fault };
}

function hasBytes(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}
