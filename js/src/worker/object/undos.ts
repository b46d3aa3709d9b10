import type { Database } from "../../entry/engine.workerd.ts";
import type { Home } from "./home.ts";

/** A restore can be undone for so long, whatever history thins, in milliseconds; of the last ones. */
const UNDO_MS = 24 * 3_600_000;
const MOST_UNDOS = 20;

interface Undo {
  bookmark: string;
  untilMs: number;
}

/** Holds the states that restores have replaced, also when another object takes over. */
export class Undos {
  readonly #kv: DurableObjectStorage["kv"];

  constructor({ storage, live }: Pick<Home, "storage" | "live">) {
    this.#kv = storage.kv;
    live.onOpened((database) => {
      for (const undo of this.#all()) hold(database, undo);
    });
  }

  /** Holds the state of a bookmark from now on. */
  add(database: Database, bookmark: string): void {
    const undo = { bookmark, untilMs: Date.now() + UNDO_MS };
    this.#kv.put(
      "undos",
      [...this.#all().filter((each) => each.bookmark !== bookmark), undo].slice(-MOST_UNDOS),
    );
    hold(database, undo);
  }

  #all(): Undo[] {
    return (this.#kv.get<Undo[]>("undos") ?? []).filter(({ untilMs }) => untilMs > Date.now());
  }
}

/** Keeps a state readable until then. */
export function hold(database: Database, { bookmark, untilMs }: Undo): void {
  try {
    database.hold({ at: bookmark, leaseMs: untilMs - Date.now() });
  } catch {
    // It is gone, as when the storage was full.
  }
}
