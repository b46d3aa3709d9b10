import { dispose } from "../core/dispose.ts";
import { LiveDatabase } from "../engine/database.ts";
import { opfsPages } from "../engine/opfs-pages.ts";
import type { PageFiles } from "../engine/page-files.ts";
import type { Statement } from "../engine/statement.ts";
import { PagemarkError } from "../errors/index.ts";
import { thrownOf } from "../errors/thrown.ts";
import { opfsStore } from "../stores/opfs/opfs.ts";
import type { Answer, Bound, Request, SharedOptions, Work } from "./shared-messages.ts";

/** How long the files of a leader that ended may stay open behind it, in milliseconds, and how often to look. */
const PATIENCE_MS = 5_000;
const LOOK_MS = 50;

/** Does what the members of a shared database ask for, each work once. */
export class Leader {
  readonly #db: LiveDatabase;
  readonly #files: PageFiles;
  readonly #onChange: (bookmark: string) => void;
  #bookmark: string | undefined;
  /** The work before the next one. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(db: LiveDatabase, files: PageFiles, onChange: (bookmark: string) => void) {
    this.#db = db;
    this.#files = files;
    this.#onChange = onChange;
    this.#bookmark = this.#newest();
  }

  /** Opens the database. @param onChange is called after each commit */
  static async open(
    path: string,
    options: SharedOptions,
    onChange: (bookmark: string) => void,
  ): Promise<Leader> {
    const files = await patiently(() => opfsPages(path));
    const db = await LiveDatabase.open({ ...options, name: path, store: files });
    return new Leader(db, files, onChange);
  }

  /** Does one work after the other; a backup reads a state of its own, and holds nobody up. */
  answer(request: Request): Promise<Answer> {
    const { method } = request;
    if (method === "backup") return this.#answer(request);
    const answer = this.#last.then(() => this.#answer(request));
    this.#last = answer;
    return answer;
  }

  /** Closes the database once what was asked for is done. */
  async close(): Promise<void> {
    await this.#last;
    this.#db.close();
  }

  async #answer(request: Request): Promise<Answer> {
    const { id, from, open, again, method } = request;
    const { notes } = this.#files;
    try {
      notes.forget(from, open);
      if (again && notes.has(from, id)) return { id, value: doneBefore(method) };
      if (method !== "backup") notes.next = [from, id];
      const value = await this.#perform(request);
      if (method !== "backup") this.#refuseOpen();
      return { id, value };
    } catch (error) {
      return { id, thrown: thrownOf(error) };
    } finally {
      if (method !== "backup") notes.next = undefined;
      this.#tell();
    }
  }

  async #perform({ method, argument }: Request): Promise<unknown> {
    const db = this.#db;
    // Methods and arguments come in pairs, which the type of a request does not say.
    const given = <M extends keyof Work>() => argument as Work[M];
    switch (method) {
      case "exec":
        return this.#exec(given<"exec">());
      case "run":
      case "all":
      case "get":
      case "values": {
        const [sql, ...parameters] = given<"run">();
        const statement = db.prepare(sql);
        try {
          return statement[method](...parameters);
        } finally {
          statement[dispose]();
        }
      }
      case "batch":
        return this.#batch(given<"batch">());
      case "import": {
        const sql = given<"import">();
        return db.import(sql instanceof Blob ? sql.stream() : sql);
      }
      case "load":
        return db.load(given<"load">());
      case "serialize":
        return db.serialize();
      case "bookmark":
        return db.bookmark();
      case "bookmarkAt":
        return db.bookmarkAt(given<"bookmarkAt">());
      case "states":
        return db.states();
      case "restore":
        return db.restore({ at: given<"restore">() });
      case "check":
        return db.check();
      case "backup": {
        const { folder, options } = given<"backup">();
        return db.backup({ ...options, store: opfsStore(folder) });
      }
    }
  }

  /** A transaction that stays open would have the statements of all tabs in it. */
  #refuseOpen(): void {
    if (!this.#db.inTransaction) return;
    this.#db.exec("ROLLBACK");
    const message = "a transaction cannot stay open between calls, and was rolled back; use batch()";
    throw new PagemarkError("USAGE", message);
  }

  /** Runs a script in one commit, so that it is noted whole or not at all. Some statements, such as VACUUM, run by themselves only. */
  #exec(sql: string): void {
    const first = this.#db.prepareNext(sql);
    first?.statement[dispose]();
    if (first && this.#isScript(first.rest)) this.#db.transaction(() => this.#db.exec(sql));
    else this.#db.exec(sql);
  }

  #isScript(rest: string): boolean {
    try {
      const next = this.#db.prepareNext(rest);
      next?.statement[dispose]();
      return next !== undefined;
    } catch {
      return true; // it may need what the statement before makes
    }
  }

  #batch(batch: readonly Bound[]): unknown {
    const statements: Statement[] = [];
    try {
      // Each may need what those before it make.
      return this.#db.transaction(() =>
        batch.map(([sql, ...parameters]) => {
          const statement = this.#db.prepare(sql);
          statements.push(statement);
          return statement.all(...parameters);
        }),
      );
    } finally {
      for (const statement of statements) statement[dispose]();
    }
  }

  #tell(): void {
    const bookmark = this.#newest();
    if (bookmark === this.#bookmark || bookmark === undefined) return;
    this.#bookmark = bookmark;
    this.#onChange(bookmark);
  }

  #newest(): string | undefined {
    try {
      return this.#db.bookmark();
    } catch {
      return undefined; // nothing is in it yet
    }
  }
}

/** What is answered for work that an earlier leader did, but whose answer it took with it. */
function doneBefore(method: keyof Work): undefined {
  if (method === "exec" || method === "load") return undefined;
  const message =
    "it was done, but the tab that did it was closed before it could answer; read what is there now";
  throw new PagemarkError("ENGINE_ANSWER_LOST", message);
}

/** Opens files that a worker which has just ended may still have open. */
async function patiently(open: () => Promise<PageFiles>): Promise<PageFiles> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      const isHeld = error instanceof PagemarkError && error.code === "ENGINE_IN_USE";
      if (!isHeld || Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
