import type { Database } from "../../entry/engine.workerd.ts";
import { firstWords } from "../../service/statements.ts";

/** A foreign key that does something when the row it refers to is deleted. */
interface Reference {
  child: string;
  parent: string;
  action: string;
}

const FOREIGN_KEYS =
  "PRAGMA foreign_keys = OFF has no effect, as in D1: foreign keys stay enforced, and to drop a table deletes its rows first";

/**
 * What the caller of a statement should know that its result does not say. Look before it runs; what this gives says it
 * afterwards, in sentences.
 */
export function noticesOf(db: Database, sql: string): () => string[] {
  // Nearly all statements are neither, which a look at their beginning tells.
  if (!/\b(DROP|PRAGMA)\b/i.test(sql.slice(0, 1000))) return () => [];
  const words = firstWords(sql, 8);
  const [first = "", ...others] = words;
  if (first.toUpperCase() === "PRAGMA") {
    const said = isForeignKeysOff(others) ? [FOREIGN_KEYS] : [];
    return () => said;
  }
  if (!/^DROP,TABLE,/i.test(words.join())) return () => [];
  const [name = "", dot, after = ""] = words.slice(/^DROP,TABLE,IF,EXISTS,/i.test(words.join()) ? 4 : 2);
  return dropping(db, dot === "." ? after : name);
}

function isForeignKeysOff(words: readonly string[]): boolean {
  const [name = "", sign = "", value = ""] = words[1] === "." ? words.slice(2) : words;
  return /^foreign_keys$/i.test(name) && /^[=(]$/.test(sign) && /^(off|0|no|false)$/i.test(value);
}

/** What dropping a table does to the rows of others. */
function dropping(db: Database, table: string): () => string[] {
  const before = referencesTo(db, table).map((reference) => ({
    ...reference,
    rows: countOf(db, reference.child),
  }));
  return () =>
    before.flatMap(({ child, action, rows }) => {
      if (action !== "CASCADE") {
        return rows === 0
          ? []
          : [`DROP TABLE ${table} may have changed ${child}, which refers to it with ON DELETE ${action}`];
      }
      const deleted = rows - countOf(db, child);
      if (deleted === 0) return [];
      const what = `DROP TABLE ${table} deleted ${deleted} ${deleted === 1 ? "row" : "rows"} of ${child}`;
      return [`${what}, which refers to it with ON DELETE CASCADE: foreign keys are enforced, as in D1`];
    });
}

/** The foreign keys to a table, and those to tables whose rows go with its own. */
function referencesTo(db: Database, table: string): Reference[] {
  using statement = db.prepare(
    `SELECT DISTINCT t.name, k."table", k.on_delete FROM sqlite_schema t, pragma_foreign_key_list(t.name) k
      WHERE t.type = 'table' AND k.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT')`,
  );
  const all = (statement.values() as string[][]).map(([child = "", parent = "", action = ""]) => ({
    child,
    parent,
    action,
  }));
  const found = new Map<string, Reference>();
  const parents = [table.toLowerCase()];
  for (const parent of parents) {
    for (const reference of all) {
      const child = reference.child.toLowerCase();
      if (reference.parent.toLowerCase() !== parent || found.has(child) || child === parents[0]) continue;
      found.set(child, reference);
      if (reference.action === "CASCADE") parents.push(child);
    }
  }
  return [...found.values()];
}

function countOf(db: Database, table: string): number {
  using statement = db.prepare(`SELECT count(*) FROM "${table.replaceAll('"', '""')}"`);
  return Number(statement.values()[0]?.[0] ?? 0);
}
