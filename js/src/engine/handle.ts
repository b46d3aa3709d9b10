import type { EngineDatabase } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";

/** An open database of the engine, shared with its statements and moments: they end with it. */
export class Handle {
  readonly name: string;
  /** While it is, SQL of others would become part of the import. */
  isImporting = false;
  #engine: EngineDatabase | undefined;

  constructor(engine: EngineDatabase, name: string) {
    this.#engine = engine;
    this.name = name;
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
