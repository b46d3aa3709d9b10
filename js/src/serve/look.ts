// What a file has in it, read from its pages: no connection is opened for it, so nothing is made beside the file.
import { statSync } from "node:fs";
import { DamageError } from "../errors/index.ts";
import { readTables } from "../moments/tables.ts";
import { file } from "../sources/file/file.ts";
import { stateOf } from "./state.ts";

export interface Look {
  /** Names of the user tables; none where the schema cannot be read. */
  tables: readonly string[];
  /** In bytes. */
  size: number;
  isDamaged: boolean;
}

/** Whoever has the file locked for longer is not waited for, in milliseconds. */
const BUSY_MS = 1000;

/** Looks at files, and remembers what was seen until they change. */
export class Looks {
  readonly #seen = new Map<string, Look & { state: string }>();

  async at(path: string): Promise<Look> {
    const state = stateOf(path);
    const known = this.#seen.get(path);
    if (known?.state === state) return known;
    const look = await lookAt(path);
    this.#seen.set(path, { ...look, state });
    return look;
  }
}

/** What is damaged, or locked, has a size all the same: its backups can still be listed and restored. */
export async function lookAt(path: string): Promise<Look> {
  try {
    const moment = await file(path, { busyTimeoutMs: BUSY_MS }).pin();
    try {
      const { pageSize, pageCount } = moment;
      const read = async (pgno: number) => {
        const page = new Uint8Array(pageSize);
        await moment.read(pgno, page);
        return page;
      };
      const tables = await readTables(read, pageCount, false);
      return { tables: tables.map(({ name }) => name), size: pageSize * pageCount, isDamaged: false };
    } finally {
      await moment.release();
    }
  } catch (error) {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return { tables: [], size, isDamaged: error instanceof DamageError };
  }
}
