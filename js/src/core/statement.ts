// Statements such as `BACKUP DATABASE app TO '…'`, read by a wasm of their own: only those who type them load it.
import { PagemarkError } from "../errors/pagemark-error.ts";
import * as glue from "../pkg/statement/pagemark.js";
import { starting } from "./core.ts";
import type { Wasm } from "./platform.ts";

/** A store: one URL, or those of the localities that it is made of. */
type Place = string[];

/** The name of a table; of all of a database where `table` is `null`. */
export interface TableName {
  database: string | null;
  table: string | null;
}

/** What is backed up or restored. */
export type Targets =
  | { kind: "all" }
  | { kind: "databases"; names: string[] }
  | { kind: "tables"; names: TableName[] };

/** What a backup is made on top of: whatever fits, nothing, the newest at its destination, or backups elsewhere. */
export type Base =
  | { kind: "auto" | "nothing" | "latest" }
  | { kind: "moment"; at: string }
  | { kind: "places"; places: Place[] };

/** Which backups of a schedule are full ones. */
export type Full = { kind: "auto" | "always" } | { kind: "recurring"; times: string };

/** A statement, as `src/statement/syntax.rs` describes it. */
export type Statement =
  | {
      kind: "backup";
      targets: Targets;
      place: Place | null;
      base: Base;
      at: string | null;
      revisionHistory: boolean;
      tag: string | null;
      note: string | null;
    }
  | {
      kind: "restore";
      targets: Targets;
      places: Place[];
      at: string | null;
      intoDb: string | null;
      newDbName: string | null;
      noSafetyBackup: boolean;
    }
  | { kind: "show-databases" | "show-orphaned-backups" | "show-schedules" }
  | { kind: "show-backups"; database: string | null; place: Place | null }
  | { kind: "show-backup"; at: string | null; database: string | null; place: Place | null }
  | {
      kind: "create-schedule";
      name: string | null;
      ifNotExists: boolean;
      targets: Targets;
      place: Place | null;
      revisionHistory: boolean;
      recurring: string;
      full: Full;
      timezone: string | null;
    }
  | { kind: "pause-schedule" | "resume-schedule" | "drop-schedule"; name: string }
  | { kind: "create-checkpoint" | "release-checkpoint" | "show-checkpoints"; database: string | null };

/** A statement, and the time that it names a state by, in milliseconds since 1970. */
export interface ParsedStatement {
  statement: Statement;
  time: number | null;
}

let find: (() => Promise<Wasm>) | undefined;

/** Says where the wasm that reads statements is. Set once, by the runtime's file in `entry/`. */
export function useStatements(wasm: () => Promise<Wasm>): void {
  find ??= wasm;
}

const start = /* @__PURE__ */ starting("statement", glue, findWasm);

async function findWasm(): Promise<Wasm> {
  if (find) return find();
  throw new Error("statements were imported past their entry points: import them as 'pagemark/vault'");
}

/**
 * Reads one statement. Ages in it count from now.
 *
 * @throws PagemarkError `STATEMENT_SYNTAX`, whose `at.position` is the place of the word that is wrong
 */
export async function parseStatement(text: string): Promise<ParsedStatement> {
  const wasm = await start();
  const parsed: ParsedStatement | { position: number; message: string } = wasm.parseStatement(
    text,
    Date.now(),
  );
  if ("statement" in parsed) return parsed;
  const { position, message } = parsed;
  throw new PagemarkError("STATEMENT_SYNTAX", `${message} (position ${position})`, { position });
}
