// The engine as a source of pages: the suite of every source. Two things are the engine's own, and undone here so that
// the rest is compared byte for byte:
//
// - A loaded file takes effect as a commit of the database it is loaded into. So that SQLite sees that its cache and its
//   statements are of another time, the change counter (bytes 24 and 92) and the schema cookie (byte 40) become higher
//   ones than both had. Nothing else of the file differs, but for the mark of WAL mode (see below).
// - A database that is open is one, so what is no database is refused when it is loaded, and not when it is pinned.
import { DamageError, type Moment, type PageSource } from "pagemark";
import { Database } from "pagemark/engine";
import { describe, expect, test } from "vitest";
import { sourceContract } from "../contracts/source.ts";
import { allPages, imageOf } from "../contracts/source-cases/image.ts";
import { bodyOf } from "../contracts/store-cases/bytes.ts";
import { bytesOf, column, rejectionOf } from "./support.ts";

/** Where the numbers are that a load makes higher. */
const RENEWED = [24, 40, 92];

/** Loads `image` when it is first pinned, and shows the numbers of the file that was loaded last. */
class AsLoaded implements PageSource {
  readonly name = "engine";
  readonly #db: Database;
  readonly #image: Uint8Array;
  #loaded: Promise<void> | undefined;
  /** By the mark of the commit that a load made: the first bytes of the file. */
  readonly #headers = new Map<string | undefined, Uint8Array>();

  constructor(db: Database, image: Uint8Array) {
    this.#db = db;
    this.#image = image;
  }

  async pin(options?: Parameters<PageSource["pin"]>[0]): Promise<Moment> {
    await this.#first();
    const moment = await this.#db.pin(options);
    const header = this.#headers.get(moment.mark);
    return {
      pageSize: moment.pageSize,
      pageCount: moment.pageCount,
      taken: moment.taken,
      read: async (first, into, signal) => {
        await moment.read(first, into, signal);
        if (first === 1 && header) unrenew(into, header);
      },
      release: () => moment.release(),
    };
  }

  async replace(...[body, options]: Parameters<Database["replace"]>): Promise<void> {
    await this.#first();
    await this.#load(body, (noted) => this.#db.replace(noted, options));
  }

  #first(): Promise<void> {
    this.#loaded ??= this.#load(bodyOf([this.#image]).stream, (body) => this.#db.load(body));
    return this.#loaded;
  }

  async #load(
    body: ReadableStream<Uint8Array>,
    load: (body: ReadableStream<Uint8Array>) => Promise<void>,
  ): Promise<void> {
    const header = new Uint8Array(100);
    const reader = body.getReader();
    let length = 0;
    const noting = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          if (length < 100) header.set(value.subarray(0, 100 - length), length);
          length += value.length;
          controller.enqueue(value);
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
    await load(noting).catch((error) => {
      // For whoever loads, a file that ends early is of the wrong size; a source says that it was cut off.
      if ((error as { code?: string }).code !== "LOAD_SIZE") throw error;
      throw new DamageError("DATABASE_TRUNCATED", (error as Error).message);
    });
    const moment = await this.#db.pin();
    this.#headers.set(moment.mark, header);
    await moment.release();
  }
}

/** Puts back what loading made higher. */
function unrenew(pages: Uint8Array, header: Uint8Array): void {
  const [loaded, original] = [pages, header].map((each) => new DataView(each.buffer, each.byteOffset));
  for (const at of RENEWED) {
    expect(loaded?.getUint32(at)).toBeGreaterThan(original?.getUint32(at) ?? 0);
    loaded?.setUint32(at, original?.getUint32(at) ?? 0);
  }
}

sourceContract("a database of the engine", async (image) => {
  const db = await Database.open();
  return { source: new AsLoaded(db, image), cleanup: () => db.close() };
});

describe("what is loaded", () => {
  test("of a file in WAL mode is one in rollback mode: here there is no WAL", async () => {
    using db = await Database.open();
    const image = imageOf(4096, 5);
    image.set([2, 2], 18);
    await db.load(image);
    const moment = await db.pin();
    const pages = await allPages(moment);
    expect([...pages.subarray(18, 20)]).toEqual([1, 1]);
    image.set([1, 1], 18);
    unrenew(pages, image);
    expect(Buffer.compare(pages, image)).toBe(0);
    await moment.release();
  });

  test("is cut off behind the pages that its header counts, as SQLite does", async () => {
    using db = await Database.open();
    await db.load(new Uint8Array([...imageOf(512, 4), ...new Uint8Array(1024)]));
    expect(db.states().at(-1)?.pageCount).toBe(4);
  });

  test("comes in pieces of any size, and a file that is not whole changes nothing", async () => {
    using db = await Database.open();
    db.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const file = db.serialize();
    db.exec("DELETE FROM t");
    for (const length of [99, 4096, file.length - 1]) {
      const { code } = await rejectionOf(db.load(file.slice(0, length)));
      expect(["LOAD_SIZE", "DATABASE_TRUNCATED"]).toContain(code);
    }
    expect(column(db, "SELECT a FROM t")).toEqual([]);
    const single = Array.from(file, (_, at) => file.slice(at, at + 1));
    await db.load(bodyOf(single).stream);
    expect(column(db, "SELECT a FROM t")).toEqual([1]);
    expect(await bytesOf(db.compact())).toHaveLength(file.length);
  });

  test("in UTF-16 is read as what it is, by statements that were compiled before", async () => {
    using db = await Database.open();
    const select = db.prepare("SELECT 'ä' AS a, count(*) AS n FROM sqlite_schema");
    select.get();
    using other = await Database.open();
    other.exec("PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (a); INSERT INTO t VALUES ('東京')");
    await db.load(other.serialize());
    expect([select.get(), column(db, "SELECT a FROM t"), column(db, "PRAGMA encoding")]).toEqual([
      { a: "ä", n: 1 },
      ["東京"],
      ["UTF-16le"],
    ]);
  });
});
