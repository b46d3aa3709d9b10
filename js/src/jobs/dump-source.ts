import type { PageSource } from "../sources/source.ts";
import { type DumpOptions, dumpMoment } from "./dump.ts";

/**
 * The database as it is now, as SQL, read from its pages without SQLite.
 *
 * @throws SourceError
 * @throws DamageError when it is not a database
 */
export async function dumpSource(
  source: PageSource,
  options: DumpOptions = {},
): Promise<ReadableStream<Uint8Array>> {
  const moment = await source.pin({ signal: options.signal });
  try {
    return await dumpMoment(moment, source.name, options);
  } catch (error) {
    await moment.release().catch(() => {});
    throw error;
  }
}
