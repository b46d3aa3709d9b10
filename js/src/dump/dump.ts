import { type DumpCore, detect, dumpCore, named } from "../core/index.ts";
import { checkHas, checkOptions, PagemarkError } from "../errors/index.ts";
import { AheadReader, type PageRange } from "../moments/ahead-reader.ts";
import type { Moment, PageSource, Scratch } from "../sources/source.ts";
import { DumpParts, OUTPUT_CHUNK, takeOutput } from "./dump-parts.ts";
import { checked, type Dialect, type DumpDetails, type DumpOptions } from "./options.ts";
import { sqlStream } from "./sql-stream.ts";

/**
 * The database as it is now, as SQL, read from its pages without SQLite.
 *
 * @throws SourceError
 * @throws DamageError when it is not a database
 */
export async function dumpSource(
  source: PageSource,
  options: DumpOptions & { scratch?: Scratch } = {},
): Promise<ReadableStream<Uint8Array>> {
  checkHas("pin", source, "the source", "one such as file(path)");
  const { signal, scratch } = checkOptions(options);
  const moment = await source.pin({ signal, scratch });
  try {
    return await dumpMoment(moment, source.name, options);
  } catch (error) {
    await moment.release().catch(() => {});
    throw error;
  }
}

/**
 * The database of `moment` as SQL. The moment is released when the stream ends, fails or is canceled.
 *
 * @throws PagemarkError `USAGE` for a dialect that does not exist; the stream fails with `TABLE_UNKNOWN`, or with a
 * DamageError that names a page
 */
export async function dumpMoment(
  moment: Moment,
  name: string,
  options: DumpOptions,
): Promise<ReadableStream<Uint8Array>> {
  const chunks = await dumpChunks(moment, name, options);
  return sqlStream(chunks, () => moment.release().catch(() => {}));
}

/**
 * As {@link dumpMoment}, in chunks. Each is of no use any more once the next is asked for: nothing is copied for it. The
 * moment is released when the last was given, or once one was asked for and the generator is ended.
 */
export async function dumpChunks(
  moment: Moment,
  name: string,
  options: DumpDetails,
): Promise<AsyncGenerator<Uint8Array, void, void>> {
  return dumpSteps(moment, name, checked(options), await dumpCore());
}

async function* dumpSteps(
  moment: Moment,
  name: string,
  options: DumpDetails & { dialect: Dialect },
  { Dump, DumpOptions: Settings }: DumpCore,
): AsyncGenerator<Uint8Array, void, void> {
  const {
    dialect,
    tables = [],
    noData = false,
    noSchema = false,
    salvage = false,
    freePages = false,
    drop = false,
    inBatches = false,
  } = options;
  const { signal, onProgress, onWarning } = options;
  const { pageSize, pageCount } = moment;
  const total = salvage ? pageCount * 3 : pageCount;
  const reader = new AheadReader(moment, signal);
  const memory = new Uint8Array(OUTPUT_CHUNK);
  let dump: InstanceType<DumpCore["Dump"]> | undefined;
  let parts: DumpParts | undefined;
  try {
    parts = DumpParts.start(moment, options);
    const header = salvage ? await detectHeader(moment, options) : new Uint8Array(pageSize);
    if (!salvage) await moment.read(1, header, signal);
    const settings = new Settings(dialect, tables, noData, noSchema);
    dump = new Dump(header, pageCount, Object.assign(settings, { salvage, drop, freePages, inBatches }));
    for (let step = dump.poll(); ; step = dump.poll()) {
      signal?.throwIfAborted();
      if (step === "pages") {
        const { feed } = dump;
        for (const range of pageRanges(dump.needed())) {
          await reader.read(range, (first, pages) => feed.call(dump, first, pages));
        }
        reader.readAhead(pageRanges(dump.ahead()));
        onProgress?.({ phase: "dump", done: Math.min(dump.visited, total), total, bytes: reader.bytes });
      } else if (step === "output") {
        yield* takeOutput(dump, memory);
      } else if (step === "given" && parts) {
        yield* parts.paste(dump, memory);
      } else {
        break;
      }
      parts?.give(dump);
    }
    for (const warning of [...dump.warnings(), ...(moment.notes ?? [])]) onWarning?.(warning);
    await reader.end();
    // What was read is only one moment if releasing says so.
    await moment.release();
  } catch (error) {
    if (!(error instanceof PagemarkError) || error.code !== "TABLE_UNKNOWN") throw named(error, name);
    const unknown = (dump?.unknownTables() ?? []).join(", ");
    const message = `${name}: there is no table ${unknown}; leave the names out for all tables`;
    throw new PagemarkError("TABLE_UNKNOWN", message, { name });
  } finally {
    await parts?.end();
    await reader.end();
    await moment.release().catch(() => {});
    dump?.free();
  }
}

/** A header that fits the pages: that of a damaged database may not. */
async function detectHeader(moment: Moment, { signal, onWarning }: DumpOptions): Promise<Uint8Array> {
  const { pageSize, pageCount } = moment;
  const { header, isRepaired } = await detect(pageSize * pageCount, pageSize, (into, offset) =>
    moment.read(offset / pageSize + 1, into, signal),
  );
  if (isRepaired)
    onWarning?.(`the header of the database is damaged; its pages of ${pageSize} bytes say what it does not`);
  return header;
}

function pageRanges(numbers: Uint32Array): PageRange[] {
  return Array.from({ length: numbers.length / 2 }, (_, index) => {
    const [first = 1, count = 0] = numbers.subarray(index * 2);
    return { first, count };
  });
}
