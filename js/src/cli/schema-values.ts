// Values that several commands print, as schemas.
import { z } from "zod";

export const text = (words: string) => z.string().describe(words);
export const count = (words: string) => z.int().nonnegative().describe(words);
export const size = (words: string) => count(`${words}, in bytes`);
export const flag = (words: string) => z.boolean().describe(words);
export const time = (words: string) => z.iso.datetime().describe(`${words} (RFC 3339, UTC)`);
export const texts = (words: string) => z.array(z.string()).describe(words);
export const warnings = texts("what is not as it should be; with any, the exit code is 3");
export const notes = texts("what is good to know");
export const bookmark = text("names the state");
export const txid = z
  .string()
  .regex(/^[0-9a-f]{16}$/)
  .describe("number of the state, 16 hex digits");
export const file = text("path of what was written");
export const undo = bookmark.describe("bookmark of what was replaced").optional();

export const failure = z.strictObject({
  code: text("docs/errors.md"),
  message: text("for people; may change"),
});

export const backupShape = {
  created_at: time("when it was made"),
  id: z.string().describe("UUID"),
  num_tables: count("user tables"),
  size: size("the database"),
  state: z.enum(["done", "damaged"]).describe("damaged: its record cannot be read"),
  kind: z.enum(["full", "incremental"]),
  bookmark,
  txid,
  stored_size: size("what was stored for it"),
  changed_pages: count("pages that were stored"),
  free_pages: count("pages of the database that hold nothing").optional(),
  taken: z.enum(["start", "end", "tracked"]).describe("which moment of the run its state is of"),
  safety: flag("whether a restore made it, of what it replaced"),
  tag: text("as given").optional(),
  note: text("as given").optional(),
  automatic: flag("whether a schedule made it"),
  partial: texts("the only tables that it holds").optional(),
  error: failure.describe("why its record cannot be read").optional(),
};
export const backup = z.strictObject(backupShape).meta({ id: "backup" });
export const state = backup.describe("missing for a folder that Litestream wrote").optional();

export const verifiedShape = {
  verified_at: time("when all of it was verified").nullable(),
  sampled_at: time("when a part of it was").nullable(),
};

export const table = z.strictObject({
  name: z.string(),
  rows: count("missing where they could not be counted").optional(),
  damaged_page: count("the page that kept them from being counted").optional(),
});

export const checkShape = {
  ok: flag("whether nothing is wrong"),
  integrity: texts("problems of tables, indexes and pages, in SQLite's words"),
  foreign_keys: z
    .array(z.strictObject({ table: z.string(), rowid: z.string().nullable(), parent: z.string() }))
    .describe("rows that refer to no row of the parent"),
  unchecked: texts("what could not be checked, and what that takes"),
  objects: z.array(
    z.strictObject({
      type: z.enum(["table", "index"]),
      name: z.string(),
      table: text("the table that an index is on"),
      state: z.enum(["sound", "damaged", "unchecked"]),
      details: z.array(z.string()),
    }),
  ),
};

export const cell = z.union([
  z.string(),
  z.number(),
  z.null(),
  z.strictObject({ hex: z.string() }).describe("a blob"),
]);

export const changed = { name: z.string(), redefined: flag("whether it is defined in other words") };

export const checkpointShape = {
  path: text("real path of the database"),
  mode: z.enum(["wal", "rollback"]).describe("wal: writers go on; rollback: they wait"),
  files: texts("what to copy, in this order"),
  since: time("since when it is held"),
  until: time("when it is released by itself"),
};

export const restored = z.strictObject({
  file,
  backup: state,
  undo,
  tables: z.array(table),
  notes,
  warnings,
});
export const restoredTables = z.strictObject({
  file,
  backup: state,
  undo,
  tables: z.array(z.strictObject({ ...table.shape, replaced: flag("whether it was there before") })),
  notes,
  warnings,
});
export const restoredRows = z.strictObject({
  database: text("d1://<account>/<name>"),
  backup: state,
  undo,
  verified: z
    .array(z.strictObject({ name: z.string(), rows: z.int(), sha256: text("of its rows as SQL") }))
    .nullable()
    .describe("tables that were read again, and are what was backed up"),
  notes,
  warnings,
});
export const preview = z.strictObject({
  file: text("what would be restored"),
  backup: state,
  compared: flag("whether contents were compared; otherwise tables that both have are `changed`"),
  tables: z.array(
    z.strictObject({
      ...changed,
      change: z.enum(["vanish", "come", "changed", "unchanged"]),
      rows: z
        .strictObject({
          back: count("rows that only the backup has"),
          gone: count("rows that only the database has"),
          updated: count("rows with other values"),
        })
        .nullable(),
      rows_now: count("rows of the database").nullable(),
      rows_then: count("rows of the backup").nullable(),
    }),
  ),
  unreadable: text("why the database could not be read").optional(),
});
export const followed = z.strictObject({
  event: z.literal("restored"),
  name: z.string(),
  database: text("path of the copy"),
  txid,
  bookmark,
  created_at: time("when the state was stored"),
});
