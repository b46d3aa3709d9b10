// The states before migrations: whoever changes the schema by a tool finds the way back by the migration's name.
import type { Database } from "../../entry/engine.workerd.ts";
import { migrationIn } from "../../service/migrations.ts";
import type { Query } from "../../service/options.ts";
import type { MigrationMark, QueryResult } from "../../service/service.ts";
import type { Home } from "./home.ts";
import { hold } from "./undos.ts";

const LOST_ROWS = / deleted \d+ rows? of /;
/** Some tools send each statement by itself: those within this time are of one migration, in milliseconds. */
const ONE_MIGRATION_MS = 60_000;
const MOST = 100;
/** A state before a migration stays for so long, whatever history thins, in milliseconds; of the last ones. */
const HELD_MS = 24 * 3_600_000;
const MOST_HELD = 20;

export class Migrations {
  readonly #kv: DurableObjectStorage["kv"];
  /** The state before the first of some statements that changed the schema. */
  #begun: { bookmark: string; lastMs: number } | undefined;

  constructor({ storage, live }: Pick<Home, "storage" | "live">) {
    this.#kv = storage.kv;
    live.onOpened((database) => {
      for (const { bookmark, created_at } of this.all().slice(0, MOST_HELD)) {
        const untilMs = Date.parse(created_at) + HELD_MS;
        if (untilMs > Date.now()) hold(database, { bookmark, untilMs });
      }
    });
  }

  /** The newest first. */
  all(): MigrationMark[] {
    return this.#kv.get<MigrationMark[]>("migrations") ?? [];
  }

  /** Look before statements run; what it gives takes what they did. */
  before(database: Database, queries: readonly Query[]): (results: readonly QueryResult[][]) => void {
    const { noted, changes } = migrationIn(queries);
    if (!noted && !changes) return () => {};
    const bookmark = database.bookmark();
    const now = Date.now();
    if (changes && !noted) {
      const isFirst = !this.#begun || now - this.#begun.lastMs > ONE_MIGRATION_MS;
      this.#begun = { bookmark: isFirst || !this.#begun ? bookmark : this.#begun.bookmark, lastMs: now };
    }
    return (results) => {
      const lost = addWayBack(results, bookmark);
      if (!noted) return;
      const begun = changes ? undefined : this.#begun;
      this.#begun = undefined;
      const isOfOne = begun !== undefined && now - begun.lastMs <= ONE_MIGRATION_MS;
      if (!changes && !isOfOne && !noted.isByTool) return;
      const from = isOfOne ? begun.bookmark : bookmark;
      this.#add(database, { bookmark: from, migration: noted.name, messages: lost });
    };
  }

  #add(
    database: Database,
    { messages, ...mark }: Required<Pick<MigrationMark, "bookmark" | "migration" | "messages">>,
  ): void {
    const created_at = new Date().toISOString();
    const all = [{ ...mark, created_at, ...(messages.length > 0 && { messages }) }, ...this.all()];
    this.#kv.put("migrations", all.slice(0, MOST));
    hold(database, { bookmark: mark.bookmark, untilMs: Date.now() + HELD_MS });
  }
}

/** What was lost, with the bookmark of the state before. */
function addWayBack(results: readonly QueryResult[][], bookmark: string): string[] {
  const lost: string[] = [];
  for (const { meta } of results.flat()) {
    if (!meta.messages) continue;
    meta.messages = meta.messages.map((message) => {
      if (!LOST_ROWS.test(message)) return message;
      lost.push(message);
      return `${message}; bookmark ${bookmark} is the state before`;
    });
  }
  return lost;
}
