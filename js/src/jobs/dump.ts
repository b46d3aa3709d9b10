import { type DumpCore, dumpCore, translateCoreError } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import type { Moment } from "../sources/source.ts";
import type { JobOptions } from "./progress.ts";

/**
 * Where SQL is meant to go.
 *
 * - `sqlite`: any `sqlite3` of the last five years. Nothing is lost.
 * - `d1`: D1 and Durable Objects.
 * - `sqlite3-cli-3.40`, `sqlite3-cli-3.54`: byte for byte what that version of the sqlite3 shell prints for `.dump`,
 *   with all that it loses; `sqlite3-cli` is the newer one.
 */
export type Dialect = (typeof DIALECTS)[number];

export const DIALECTS = ["sqlite", "d1", "sqlite3-cli", "sqlite3-cli-3.40", "sqlite3-cli-3.54"] as const;

export interface DumpOptions extends JobOptions {
  /** `sqlite` unless given. */
  dialect?: Dialect | undefined;
  /** Only these tables, with their indexes, triggers and sequences; all of them when it is empty. */
  tables?: string[] | undefined;
  /** No rows. With `noSchema` too, what is left are the statements around them. */
  noData?: boolean | undefined;
  /** Only rows. */
  noSchema?: boolean | undefined;
  /** Goes on behind damaged pages, and warns of what was left out. Reads everything twice. */
  salvage?: boolean | undefined;
  /** Called once for each thing that the SQL does not carry, before the stream ends. */
  onWarning?: ((message: string) => void) | undefined;
}

const NEED_PAGES = 0;
const OUTPUT = 1;

/**
 * The database of `moment` as SQL. The moment is released when the stream ends, fails or is cancelled.
 *
 * @throws PagemarkError `USAGE` for a dialect that does not exist; the stream fails with `TABLE_UNKNOWN`, or with a
 * DamageError that names a page
 */
export async function dumpMoment(
  moment: Moment,
  name: string,
  options: DumpOptions,
): Promise<ReadableStream<Uint8Array>> {
  const chunks = dumpChunks(moment, name, checked(options), await dumpCore());
  const end = () => moment.release().catch(() => {});
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next();
          if (!done) return controller.enqueue(value);
          // What was read is only one moment if releasing says so.
          await moment.release();
          controller.close();
        } catch (error) {
          await end();
          throw error;
        }
      },
      async cancel() {
        await chunks.return();
        await end();
      },
    },
    { highWaterMark: 0 },
  );
}

function checked(options: DumpOptions): DumpOptions & { dialect: Dialect } {
  const { dialect = "sqlite" } = options;
  if (!DIALECTS.includes(dialect)) {
    throw new PagemarkError("USAGE", `${dialect} is no dialect; there are ${DIALECTS.join(", ")}`);
  }
  return { ...options, dialect: dialect === "sqlite3-cli" ? "sqlite3-cli-3.54" : dialect };
}

async function* dumpChunks(
  moment: Moment,
  name: string,
  options: DumpOptions & { dialect: Dialect },
  { Dump }: DumpCore,
): AsyncGenerator<Uint8Array, void, void> {
  const { dialect, tables = [], noData = false, noSchema = false, salvage = false } = options;
  const { signal, onProgress, onWarning } = options;
  const { pageSize, pageCount } = moment;
  const total = salvage ? pageCount * 2 : pageCount;
  let dump: InstanceType<DumpCore["Dump"]> | undefined;
  let bytes = 0;
  try {
    const header = new Uint8Array(pageSize);
    await moment.read(1, header, signal);
    dump = new Dump(header, pageCount, dialect, tables, noData, noSchema, salvage);
    for (let step = dump.poll(); ; step = dump.poll()) {
      signal?.throwIfAborted();
      if (step === NEED_PAGES) {
        const needed = dump.needed();
        for (let at = 0; at < needed.length; at += 2) {
          const [first = 1, count = 0] = needed.subarray(at, at + 2);
          const pages = new Uint8Array(count * pageSize);
          await moment.read(first, pages, signal);
          dump.feed(first, pages);
          bytes += pages.length;
        }
        onProgress?.({ phase: "dump", done: Math.min(dump.visited, total), total, bytes });
      } else if (step === OUTPUT) {
        yield dump.takeOutput();
      } else {
        break;
      }
    }
    for (const warning of dump.warnings()) onWarning?.(warning);
  } catch (error) {
    const translated = translateCoreError(error, name);
    if (!(translated instanceof PagemarkError) || translated.code !== "TABLE_UNKNOWN") throw translated;
    const unknown = (dump?.unknownTables() ?? []).map((table) => JSON.stringify(table)).join(", ");
    const message = `${name}: there is no table ${unknown}; leave the names out for all tables`;
    throw new PagemarkError("TABLE_UNKNOWN", message, { name });
  } finally {
    dump?.free();
  }
}
