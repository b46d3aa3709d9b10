import type { EngineDatabase } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";

/** An open database of the engine, shared with its statements and moments: they end with it. */
export class Handle {
  readonly name: string;
  /** While it is, SQL of others would become part of the import. */
  isImporting = false;
  /** Id of this opening: within one, TXIDs count commits that follow each other. */
  readonly session = crypto.getRandomValues(new Uint32Array(4)).join("-");
  readonly #opened: string | undefined;
  #engine: EngineDatabase | undefined;

  constructor(engine: EngineDatabase, name: string) {
    this.#engine = engine;
    this.name = name;
    this.#opened = bookmarkOf(() => engine.bookmark());
  }

  /**
   * Whether a state is one that the database went through. Its TXID alone does not say so: a store that was put back to
   * an older copy of itself counts on from there, and gives numbers again that it gave before.
   */
  wentThrough(session: string | undefined, bookmark: string): boolean {
    if (session === this.session || bookmark === this.#opened) return true;
    return bookmarkOf(() => this.engine.bookmarkAt(bookmark, Date.now())) === bookmark;
  }

  /** @throws PagemarkError `ENGINE_CLOSED` */
  get engine(): EngineDatabase {
    if (this.#engine) return this.#engine;
    throw new PagemarkError("ENGINE_CLOSED", `${this.name}: the database was closed; open it again`);
  }

  /** The same, to run SQL. @throws PagemarkError `ENGINE_CLOSED`, `ENGINE_BUSY` */
  get idle(): EngineDatabase {
    if (this.isImporting) {
      throw new PagemarkError("ENGINE_BUSY", `${this.name}: an import is under way; wait until it has ended`);
    }
    return this.engine;
  }

  get isClosed(): boolean {
    return this.#engine === undefined;
  }

  /** Whoever comes later finds it closed. `undefined` when it was already. */
  take(): EngineDatabase | undefined {
    const engine = this.#engine;
    this.#engine = undefined;
    return engine;
  }
}

function bookmarkOf(bookmark: () => string): string | undefined {
  try {
    return bookmark();
  } catch {
    // There is none, or none any more.
    return undefined;
  }
}
