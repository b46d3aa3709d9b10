// Runs SQL from outside on a file: dumps, exports, scripts. All of it in one transaction, on a connection of its own.
import { DatabaseSync } from "node:sqlite";
import { dumpCore } from "../core/index.ts";
import type { Imported } from "../engine/index.ts";
import { smallest } from "../engine/values.ts";
import { PagemarkError, SqlError } from "../errors/index.ts";
import { checkStatement, firstWords } from "../service/statements.ts";
import { resultCode } from "../sources/file/sqlite.ts";

type Statements = InstanceType<Awaited<ReturnType<typeof dumpCore>>["Statements"]>;

/** For how long another writer is waited for, in milliseconds. */
const BUSY_MS = 10_000;
/** Longer statements than this are none, in bytes: a quote in them is not closed. */
const MOST_STATEMENT = 256 << 20;
/** What SQLite's shell and D1 begin a dump with: its rows come in any order, and are checked when all of them are there. */
const DUMP = /^(foreign_keys(=|\()(off|0|no|false)|defer_foreign_keys(=|\()(on|1|yes|true))/i;
/** A virtual table in a dump of the shell, which is entered in the schema. */
const VIRTUAL =
  /^INSERT\s+INTO\s+sqlite_(schema|master)\s*\(type,\s*name,\s*tbl_name,\s*rootpage,\s*sql\)\s*VALUES\s*\('table',.*,0,'CREATE VIRTUAL TABLE /is;

export class Import {
  readonly #db: DatabaseSync;
  readonly #statements: Statements;
  #isBegun = false;
  #isDump = false;
  /** Whether the SQL has begun a transaction of its own that it has not ended. */
  #isOpen = false;
  #count = 0;
  /** Bytes since the last whole statement. */
  #pending = 0;

  static async begin(path: string): Promise<Import> {
    const { Statements } = await dumpCore();
    return new Import(new DatabaseSync(path, { timeout: BUSY_MS }), new Statements());
  }

  private constructor(db: DatabaseSync, statements: Statements) {
    this.#db = db;
    this.#statements = statements;
  }

  feed(chunk: Uint8Array): void {
    this.#pending += chunk.length;
    this.#statements.push(chunk);
    for (let sql = this.#statements.nextWhole(); sql !== undefined; sql = this.#statements.nextWhole()) {
      this.#pending = 0;
      this.#run(sql);
    }
    if (this.#pending > MOST_STATEMENT) {
      throw new PagemarkError(
        "IMPORT_SIZE",
        `statement ${this.#count + 1} is longer than 256 MiB, or a quote in it is not closed`,
      );
    }
  }

  /** All has come: commits. */
  end(): Omit<Imported, "warnings"> {
    this.feed(new TextEncoder().encode("\n;"));
    // Where a quote or a trigger is still open, this becomes a part of it.
    const probe = "SELECT 'the end';";
    this.#statements.push(new TextEncoder().encode(probe));
    if (this.#statements.nextWhole() !== probe || this.#isOpen) {
      throw new PagemarkError(
        "IMPORT_CUT_OFF",
        "the SQL ends in the middle, as a dump does whose end is missing; nothing of it stays",
      );
    }
    this.#begin();
    if (this.#isDump) this.#checkForeignKeys();
    const statement = this.#db.prepare("SELECT total_changes(), last_insert_rowid()");
    statement.setReturnArrays(true);
    statement.setReadBigInts(true);
    const [changes, lastRowid] = statement.get() as unknown as [bigint, bigint];
    this.#db.exec("COMMIT");
    this.close();
    return { statements: this.#count, changes: Number(changes), lastInsertRowid: smallest(lastRowid) };
  }

  /** What is not committed is rolled back. Idempotent. */
  close(): void {
    if (!this.#db.isOpen) return;
    this.#statements.free();
    this.#db.close();
  }

  #run(sql: string): void {
    const [first = "", second = "", ...rest] = firstWords(sql, 6);
    if (first === "") return;
    this.#count++;
    const keyword = first.toUpperCase();
    if (keyword === "PRAGMA") this.#pragma(sql, [second, ...rest].join(""));
    else if (keyword === "BEGIN") this.#own(true);
    else if (keyword === "COMMIT" || keyword === "END") this.#own(false);
    else if (keyword === "ROLLBACK") {
      const message =
        "the SQL rolls its own transaction back, as a dump does that its maker could not finish; nothing of it stays";
      throw new PagemarkError("IMPORT_ROLLBACK", message);
    } else {
      this.#begin();
      if (VIRTUAL.test(sql)) this.#enter(sql);
      else this.#try(() => this.#allowed(sql));
    }
  }

  #allowed(sql: string): void {
    checkStatement(sql, { isImport: true });
    this.#db.exec(sql);
  }

  /** The transaction of the SQL: all of it is one anyway. */
  #own(isOpen: boolean): void {
    if (isOpen) this.#begin();
    this.#isOpen = isOpen;
  }

  /** A setting of the connection is passed over where it is none of a request's; one that is stored is set. */
  #pragma(sql: string, setting: string): void {
    if (!this.#isBegun && DUMP.test(setting)) {
      this.#isDump = true;
      this.#db.exec("PRAGMA foreign_keys = OFF");
      return;
    }
    if (!/^(user_version|application_id)[=(]/i.test(setting)) return;
    this.#begin();
    this.#try(() => this.#db.exec(sql));
  }

  /** As the shell does: the schema is read again, so that the rows that follow find their table. */
  #enter(sql: string): void {
    this.#db.exec("PRAGMA writable_schema = ON");
    try {
      this.#try(() => this.#db.exec(sql));
    } finally {
      this.#db.exec("PRAGMA writable_schema = RESET");
    }
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#try(() => this.#db.exec("BEGIN IMMEDIATE"));
  }

  #checkForeignKeys(): void {
    const [broken] = this.#db.prepare("PRAGMA foreign_key_check").all() as {
      table: string;
      parent: string;
    }[];
    if (!broken) return;
    const message = `a row of ${broken.table} refers to no row of ${broken.parent}; nothing of the import stays`;
    throw new PagemarkError("IMPORT_FOREIGN_KEY", message);
  }

  /** What goes wrong says in which statement. */
  #try(run: () => void): void {
    try {
      run();
    } catch (error) {
      const { message, code, errcode } = error as Error & { code: string; errcode?: number };
      if (resultCode(error) === undefined && code !== "STATEMENT_REFUSED") throw error;
      throw new SqlError(
        "IMPORT_STATEMENT",
        `statement ${this.#count}: ${message}`,
        errcode,
        {},
        { cause: error },
      );
    }
  }
}
