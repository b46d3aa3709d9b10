// D1 databases at Cloudflare: `d1://<account>/<database>`.
import { fstatSync } from "node:fs";
import { PagemarkError } from "../errors/index.ts";
import { TemporaryFile } from "../node/temporary-file.ts";
import type { D1ApiOptions } from "../sources/d1/api.ts";
import { exportD1 } from "../sources/d1/export.ts";
import { d1Http } from "../sources/d1/http.ts";
import { spooled } from "../sources/file/spooled.ts";
import { refuseHalf } from "../sources/row/moment.ts";
import type { PageSource, RowTarget, Scratch } from "../sources/source.ts";
import { withNewDatabase } from "./engine.ts";
import { hostedName } from "./values.ts";

const PLACE = /^d1:\/\/(?:([^/]+)\/)?([^/]+)\/?$/i;
/** Bytes of a block in a scratch, at most. */
const BLOCK = 1 << 20;

/** @throws PagemarkError `USAGE` when the account or the token is not known */
export function openHosted(place: string, tracking = false): PageSource & RowTarget {
  const source = d1Http({ ...complete(place), tracking });
  // In memory there is not room for the pages of a large one.
  return { ...source, pin: (options) => source.pin({ ...options, scratch: new FileScratch() }) };
}

/** What D1's own export gives of it, as SQL. */
export function exportHosted(
  place: string,
  options: Parameters<typeof exportD1>[1],
): Promise<ReadableStream<Uint8Array>> {
  return exportD1(complete(place), options);
}

/** A database made of what D1's own export gives. */
export function exportedSource(place: string, signal: AbortSignal): PageSource {
  const name = optionsFor(place).database;
  return {
    name,
    async pin(options) {
      const sql = await exportHosted(place, { signal });
      let pinned: ReturnType<PageSource["pin"]> | undefined;
      await withNewDatabase(
        async (database) => {
          await database.import(sql, { signal });
          refuseHalf({ objects: database.prepare("SELECT name FROM sqlite_schema").all() }, name);
        },
        async (file) => {
          pinned = spooled(() => file, name).pin(options);
          await pinned;
        },
      );
      if (!pinned) throw new PagemarkError("INTERNAL", `${name}: the export made no database`);
      return pinned;
    },
  };
}

function optionsFor(place: string): { accountId: string | undefined; database: string } {
  const [, account, database] = PLACE.exec(place) ?? [];
  if (database === undefined) {
    const message = `${place}: give a D1 database as d1://<account id>/<name or UUID>`;
    throw new PagemarkError("USAGE", message);
  }
  const { CLOUDFLARE_ACCOUNT_ID } = process.env;
  return { accountId: account ?? CLOUDFLARE_ACCOUNT_ID, database: hostedName(database, place) };
}

function complete(place: string): D1ApiOptions {
  const { accountId, database } = optionsFor(place);
  const { CLOUDFLARE_API_TOKEN: apiToken, CLOUDFLARE_API_BASE_URL, CLOUDFLARE_BASE_URL } = process.env;
  if (!accountId) {
    const message = `${place}: whose database is it? Give d1://<account id>/${database}, or set CLOUDFLARE_ACCOUNT_ID`;
    throw new PagemarkError("USAGE", message);
  }
  if (!apiToken) {
    const message = `${place}: set CLOUDFLARE_API_TOKEN to a token with the permission D1 Read, and D1 Edit for a restore`;
    throw new PagemarkError("USAGE", message);
  }
  // The first is wrangler's name for it, the second that of Cloudflare's libraries.
  const baseUrl = CLOUDFLARE_API_BASE_URL || CLOUDFLARE_BASE_URL || undefined;
  return { accountId, database, apiToken, baseUrl };
}

/** Blocks in a temporary file. */
class FileScratch implements Scratch {
  #file: Promise<TemporaryFile> | undefined;

  async put(block: number, bytes: Uint8Array): Promise<void> {
    this.#file ??= TemporaryFile.create();
    await (await this.#file).write(bytes, block * BLOCK);
  }

  async get(block: number): Promise<Uint8Array> {
    const file = await this.#file;
    if (!file) return new Uint8Array(BLOCK);
    const bytes = new Uint8Array(Math.max(0, Math.min(BLOCK, fstatSync(file.fd).size - block * BLOCK)));
    await file.read(bytes, block * BLOCK);
    return bytes;
  }

  async drop(): Promise<void> {
    const file = await this.#file;
    this.#file = undefined;
    await file?.close();
  }
}
