import type { EngineDatabase } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";

/** An open database of the engine, shared with its statements and moments: they end with it. */
export class Handle {
  readonly name: string;
  /** Whether an import is under way: other SQL would become part of it. */
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
   * Whether the database went through a state. The TXID alone does not tell: a store that was replaced by an older copy
   * of itself counts on from there, and uses numbers again.
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

  /** The engine's database, to run SQL. @throws PagemarkError `ENGINE_CLOSED`, `ENGINE_BUSY` */
  get idle(): EngineDatabase {
    if (this.isImporting) {
      throw new PagemarkError("ENGINE_BUSY", `${this.name}: an import is under way; wait until it has ended`);
    }
    return this.engine;
  }

  get isClosed(): boolean {
    return this.#engine === undefined;
  }

  /** Takes the engine's database out, to close it; `undefined` when it was closed already. */
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
    // There is no such state, or it is no longer kept.
    return undefined;
  }
}
