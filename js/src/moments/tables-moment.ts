import { named, type Subset, subsetOf } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import { checkRead, type Moment } from "../sources/source.ts";

/**
 * Some tables of the database of `moment` as a database of their own: the same rows and indexes on the same pages, under other numbers.
 * Reads all pages of the tables once; the moment is released with this one, or when that fails.
 *
 * @throws PagemarkError `TABLE_UNKNOWN`, `PAGE_RESERVE`
 */
export async function momentOfTables(
  moment: Moment,
  name: string,
  tables: readonly string[],
  signal?: AbortSignal,
): Promise<Moment> {
  try {
    const subset = await take(moment, name, tables, signal);
    return new TablesMoment(moment, name, subset, tables);
  } catch (error) {
    await moment.release().catch(() => {});
    throw named(error, name);
  }
}

async function take(
  moment: Moment,
  name: string,
  tables: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Subset> {
  const { pageSize, pageCount } = moment;
  const first = new Uint8Array(pageSize);
  await moment.read(1, first, signal);
  const subset = await subsetOf(first, pageCount, tables);
  try {
    for (let needed = subset.poll(); needed.length > 0; needed = subset.poll()) {
      for (let at = 0; at < needed.length; at += 2) {
        const [first = 1, count = 0] = needed.subarray(at, at + 2);
        const pages = new Uint8Array(count * pageSize);
        await moment.read(first, pages, signal);
        subset.feed(first, pages);
      }
    }
    return subset;
  } catch (error) {
    const unknown = subset.unknownTables().map((table) => JSON.stringify(table));
    subset.free();
    if (!(error instanceof PagemarkError) || error.code !== "TABLE_UNKNOWN") throw error;
    throw new PagemarkError("TABLE_UNKNOWN", `${name}: there is no table ${unknown.join(", ")}`, { name });
  }
}

class TablesMoment implements Moment {
  readonly pageSize: number;
  readonly pageCount: number;
  readonly taken: Moment["taken"];
  readonly identity?: NonNullable<Moment["identity"]>;
  readonly #whole: Moment;
  readonly #name: string;
  readonly #subset: Subset;
  #isReleased = false;

  constructor(whole: Moment, name: string, subset: Subset, tables: readonly string[]) {
    this.pageSize = whole.pageSize;
    this.pageCount = subset.pageCount;
    this.taken = whole.taken;
    this.#whole = whole;
    this.#name = name;
    this.#subset = subset;
    const { place, file, bornMs } = whole.identity ?? {};
    const which = JSON.stringify(tables);
    if (place !== undefined) {
      this.identity = {
        place: `${place} ${which}`,
        ...(file !== undefined && { file: `${file} ${which}` }),
        ...(bornMs !== undefined && { bornMs }),
      };
    }
  }

  async read(first: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { pageSize, pageCount } = this;
    checkRead({ name: this.#name, pageSize, pageCount, isReleased: this.#isReleased }, first, into);
    const origins = this.#subset.origins(first, into.length / pageSize);
    for (let at = 0; at < origins.length; ) {
      const origin = origins[at] ?? 0;
      let end = at + 1;
      while (end < origins.length && origins[end] === origin + end - at) end++;
      // Page 0 is none: what is made anew needs nothing.
      if (origin > 0) await this.#whole.read(origin, into.subarray(at * pageSize, end * pageSize), signal);
      at = origin > 0 ? end : at + 1;
    }
    this.#subset.convert(first, into);
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#subset.free();
    await this.#whole.release();
  }
}
