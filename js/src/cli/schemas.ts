// What `--json` prints, as one schema a command. The build makes JSON schemas of them (`pagemark/schemas/*.json`) and docs/json.md; tests
// hold what commands print against them. Nothing that runs loads them.
import { z } from "zod";
import {
  backup,
  backupShape,
  bookmark,
  cell,
  changed,
  checkpointShape,
  checkShape,
  count,
  failure,
  file,
  flag,
  followed,
  notes,
  preview,
  restored,
  restoredRows,
  restoredTables,
  size,
  state,
  table,
  text,
  texts,
  time,
  txid,
  verifiedShape,
  warnings,
} from "./schema-values.ts";

/** Raised when a key goes away or means something else; keys may be added without. */
export const JSON_VERSION = 1;

/** What a command prints. */
export interface Output {
  /** One value, or one a line. */
  each: "value" | "line";
  /** When the command prints it, in a few words. */
  what: string;
  schema: z.ZodType;
}

const one = (what: string, schema: z.ZodType): Output => ({ each: "value", what, schema });
const many = (what: string, schema: z.ZodType): Output => ({ each: "line", what, schema });

/** By the name of the schema's file: the command's words, and what is given to it where that matters. */
export const OUTPUTS: Readonly<Record<string, Output>> = {
  backup: one(
    "the backup that was made",
    z.strictObject({ ...backupShape, full_because: text("why it is a full one").optional() }),
  ),
  "backup-project": one(
    "of a project that wrangler runs: its databases",
    z.strictObject({
      databases: z.array(z.strictObject({ name: z.string(), ...backupShape })),
      failed: count("databases that could not be backed up"),
    }),
  ),
  watch: many(
    "what happens, as it happens",
    z.strictObject({
      event: z.enum(["started", "stored", "failed", "missing"]),
      name: text("of the database"),
      txid: txid.optional(),
      bookmark: bookmark.optional(),
      error: failure.optional(),
      retry_ms: count("after how many milliseconds it is tried again").optional(),
    }),
  ),
  run: many(
    "each backup, when it was made",
    z.strictObject({ name: z.string(), missed: count("earlier times that were missed"), backup }),
  ),
  serve: many(
    "once it can be asked",
    z.strictObject({ url: z.string(), token_file: text("where the token is kept").optional() }),
  ),
  status: one(
    "each database of a configuration",
    z.array(
      z.strictObject({
        name: z.string(),
        state: z
          .enum(["ok", "late", "none", "failed"])
          .describe("late: the newest is too old; failed: the store could not be asked"),
        last: time("when the newest state was stored").nullable(),
        age_seconds: z.int().nullable(),
        size: size("the database").nullable(),
        ...verifiedShape,
        next: time("when the next backup is due").nullable(),
        error: failure.optional(),
      }),
    ),
  ),
  list: one(
    "backups of a database, newest first",
    z.array(z.strictObject({ ...backupShape, ...verifiedShape })),
  ),
  "list-databases": one(
    "without a name: the databases of a store",
    z.array(
      z.strictObject({
        name: z.string(),
        backups: count("0 for a folder that Litestream wrote"),
        stored_size: size("all that is stored"),
        backups_of: z
          .string()
          .optional()
          .describe("another database, which they are of: the folder was renamed or swapped"),
        newest: backup.optional(),
      }),
    ),
  ),
  restore: one("a file that was restored", restored),
  "restore-tables": one("with --table: a file whose tables were", restoredTables),
  "restore-d1": one("into d1://…", restoredRows),
  "restore-dry-run": one("with --dry-run", preview),
  "restore-follow": many("with --follow: each state that was restored", followed),
  download: one("the file", z.strictObject({ file, backup: state, tables: z.array(table), notes, warnings })),
  dump: one("with -o: the file", z.strictObject({ file, size: size("what was written"), warnings })),
  import: one(
    "the database",
    z.strictObject({ file, size: size("the database"), statements: count("statements that ran"), warnings }),
  ),
  show: one(
    "a backup",
    z.strictObject({
      ...backupShape,
      chain: z.array(backup).describe("what it is made of, oldest first"),
      tables: texts("names of its tables"),
    }),
  ),
  open: many(
    "each row, by the names of its columns",
    z
      .record(z.string(), z.union([z.string(), z.number(), z.null()]))
      .describe("integers beyond 2^53 are text, blobs hex digits"),
  ),
  sql: one(
    "the answer to each statement",
    z.strictObject({
      columns: z.array(z.string()),
      rows: z.array(z.record(z.string(), z.unknown())),
      notices: texts("what is good to know; with any, the exit code is 3"),
    }),
  ),
  diff: one(
    "tables, and how their rows differ",
    z.strictObject({
      from: backup,
      to: z.union([backup, z.literal("now")]),
      tables: z.array(
        z.strictObject({
          ...changed,
          change: z.enum(["added", "removed", "changed", "unchanged"]),
          rows: z
            .strictObject({ added: count("rows"), removed: count("rows"), updated: count("rows") })
            .nullable(),
        }),
      ),
    }),
  ),
  verify: one(
    "what was read, and what is wrong",
    z.strictObject({
      sound: texts("ids of backups that can be restored"),
      problems: z.array(
        z.strictObject({ ...failure.shape, name: text("key of the object, or TXID of the record") }),
      ),
      bytes: size("what was read"),
      sampled: flag("whether a part was read only"),
      restored: z
        .strictObject({
          ...checkShape,
          differing: texts("tables and indexes that are not what was backed up").optional(),
          queries: z.array(
            z.strictObject({
              sql: z.string(),
              columns: z.array(z.string()),
              rows: z.array(z.array(cell)).describe("integers beyond 2^53 are text"),
            }),
          ),
        })
        .describe("with --restore or --query")
        .optional(),
    }),
  ),
  check: one("what is wrong with a database", z.strictObject(checkShape)),
  prune: one(
    "what went, and what stayed",
    z.strictObject({
      removed: z.array(backup),
      kept: z.array(z.strictObject({ ...backupShape, reasons: texts("what kept it") })),
      dry_run: flag("whether nothing was deleted"),
    }),
  ),
  delete: one("what was deleted", z.strictObject({ deleted: backup })),
  "key-list": one(
    "keys of a store",
    z.array(
      z.strictObject({
        name: z.string(),
        kind: z.enum(["recipients", "passphrase"]),
        created_at: time("when it was added"),
      }),
    ),
  ),
  "key-add": one("keys that were added", z.strictObject({ added: texts("their names") })),
  "key-remove": one("the key that was removed", z.strictObject({ removed: text("its name") })),
  audit: one(
    "what lies in which of several stores",
    z.strictObject({
      ok: flag("whether nothing but ids is where it should not be"),
      stores: z.array(
        z.strictObject({
          locality: z.string(),
          store: text("where it is, without secrets"),
          databases: z.array(z.string()),
          objects: count("objects of databases"),
          bytes: size("these"),
          accounts: count("objects that hold ids only"),
        }),
      ),
      problems: z.array(
        z.strictObject({
          kind: z.enum(["lost", "moved", "forbidden", "content", "foreign", "unaccounted"]),
          locality: z.string(),
          keys: texts("of the objects"),
        }),
      ),
    }),
  ),
  "checkpoint-create": one("the checkpoint", z.strictObject(checkpointShape)),
  "checkpoint-release": one("the checkpoint that ended", z.strictObject(checkpointShape)),
  "checkpoint-status": one(
    "whether there is one",
    z.union([
      z.strictObject({ in_progress: z.literal(true), ...checkpointShape }),
      z.strictObject({ in_progress: z.literal(false) }),
    ]),
  ),
  copy: one(
    "databases that were copied",
    z.array(
      z.strictObject({
        name: z.string(),
        backups: count("backups that were not there before"),
        objects: count("objects that were copied"),
        bytes: size("these"),
        present: count("objects that were there"),
      }),
    ),
  ),
  "d1-migrate": one(
    "the backup before, and rows before and after",
    z.strictObject({
      backup,
      status: z.int().describe("exit code of the command"),
      tables: z.array(
        z.strictObject({ table: z.string(), before: z.int().nullable(), after: z.int().nullable() }),
      ),
      undo: text("the command that brings back what was"),
      warnings,
    }),
  ),
  "d1-untrack": one(
    "whether triggers were there to be taken away",
    z.strictObject({
      database: text("its name"),
      untracked: flag("whether there was anything to take away"),
    }),
  ),
  compact: one(
    "the copy",
    z.strictObject({
      file,
      size_before: size("the database"),
      size: size("the copy"),
      is_copy: flag("whether it could not be rebuilt, and is a copy with its free space"),
    }),
  ),
  error: one(
    "on stderr, when a command fails",
    z.strictObject({
      error: z.strictObject({
        ...failure.shape,
        at: z.record(z.string(), z.unknown()).describe("where: docs/errors.md"),
      }),
    }),
  ),
};

/** The schema of an output, for whoever reads JSON schema. Keys that it does not name may be added. */
export function jsonSchema(name: string): Record<string, unknown> {
  const { each, what, schema } = OUTPUTS[name] as Output;
  const made = z.toJSONSchema(schema, {
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
    },
  });
  return {
    ...made,
    $id: `urn:pagemark:json:${JSON_VERSION}:${name}`,
    title: `pagemark ${name}`,
    description: `${what}; ${each === "line" ? "one value a line" : "one value"}`,
  };
}
