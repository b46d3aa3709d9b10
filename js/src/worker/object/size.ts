// How large a database is, and who hears of it.
import type { Database, Statement } from "../../entry/engine.workerd.ts";

export interface Size {
  /** User tables. */
  tables: number;
  /** In bytes. */
  size: number;
  /** Another one after each change of the schema. */
  schema: number;
}

const TABLES = `SELECT count(*) FROM sqlite_schema
  WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'`;

/** What was measured last, and of which state; compiled once, because every request that writes is followed by it. */
interface Measured {
  bookmark: string;
  pageSize: number;
  size: Size;
  read: { pages: Statement; pageSize: Statement; schema: Statement; tables: Statement };
}
const measured = new WeakMap<Database, Measured>();

/** How many user tables a database has, and its size; no tables where a restore brought a schema that cannot be read. */
export function measure(db: Database): Size {
  try {
    return measureNow(db);
  } catch (error) {
    const { pageSize, pageCount } = db.states().at(-1) ?? {};
    if (pageSize === undefined || pageCount === undefined) throw error;
    return { tables: 0, size: pageSize * pageCount, schema: 0 };
  }
}

function measureNow(db: Database): Size {
  const last = measured.get(db);
  const bookmark = db.bookmark();
  if (last?.bookmark === bookmark) return last.size;
  const read = last?.read ?? {
    pages: db.prepare("PRAGMA page_count"),
    pageSize: db.prepare("PRAGMA page_size"),
    schema: db.prepare("PRAGMA schema_version"),
    tables: db.prepare(TABLES),
  };
  const schema = numberOf(read.schema);
  // VACUUM, a restore and an import change the schema's number as well.
  const isKnown = last?.size.schema === schema;
  const pageSize = isKnown ? last.pageSize : numberOf(read.pageSize);
  const tables = isKnown ? last.size.tables : numberOf(read.tables);
  const size = { tables, size: numberOf(read.pages) * pageSize, schema };
  measured.set(db, { bookmark, pageSize, size, read });
  return size;
}

function numberOf(statement: Statement): number {
  return Number(statement.values()[0]?.[0]);
}

type Reported = Omit<Size, "schema">;

/** What grows with every write is told once in so many milliseconds. */
const PAUSE_MS = 1000;

/** Tells the registry what lists show: only when it changed, one report at a time, and the newest. */
export class Reports {
  readonly #send: (tables: number, size: number) => Promise<void>;
  #newest: Reported | undefined;
  #told: Reported | undefined;
  #toldMs = 0;
  #hurry: () => void = () => {};
  #telling: Promise<void> | undefined;

  constructor(send: (tables: number, size: number) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves when the registry knows. */
  async tell(newest: Reported): Promise<void> {
    if (newest.tables !== this.#newest?.tables) this.#hurry();
    this.#newest = newest;
    this.#telling ??= this.#tellNewest().finally(() => {
      this.#telling = undefined;
    });
    await this.#telling;
  }

  async #tellNewest(): Promise<void> {
    while (this.#newest && !isEqual(this.#newest, this.#told)) {
      const pause = this.#toldMs + PAUSE_MS - Date.now();
      if (pause > 0 && this.#newest.tables === this.#told?.tables) {
        await Promise.race([scheduler.wait(pause), new Promise<void>((hurry) => (this.#hurry = hurry))]);
      }
      const { tables, size } = this.#newest;
      await this.#send(tables, size);
      this.#told = { tables, size };
      this.#toldMs = Date.now();
    }
  }
}

function isEqual(a: Reported, b: Reported | undefined): boolean {
  return a.tables === b?.tables && a.size === b.size;
}
