// Which statements a request may run.
import type { SqlValue } from "../engine/index.ts";
import { PagemarkError } from "../errors/index.ts";

/** What would reach beyond the transaction that every request is. */
const TRANSACTIONS = /^(BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)$/;
const FILES = /^(ATTACH|DETACH|VACUUM)$/;

/** Pragmas that look, or that change what is stored. Others would change the connection, which others use too. */
const PRAGMAS = new Set([
  "application_id",
  "collation_list",
  "compile_options",
  "data_version",
  "defer_foreign_keys",
  "encoding",
  "foreign_key_check",
  "foreign_key_list",
  "freelist_count",
  "function_list",
  "index_info",
  "index_list",
  "index_xinfo",
  "integrity_check",
  "module_list",
  "optimize",
  "page_count",
  "page_size",
  "pragma_list",
  "quick_check",
  "schema_version",
  "table_info",
  "table_list",
  "table_xinfo",
  "user_version",
]);
/** Those of them that D1 refuses. */
const NOT_IN_D1 = new Set([
  "application_id",
  "collation_list",
  "compile_options",
  "encoding",
  "freelist_count",
  "function_list",
  "integrity_check",
  "module_list",
  "page_count",
  "pragma_list",
  "schema_version",
  "user_version",
]);
/** Switches that D1 has, too: they hold for one request. */
const SWITCHES = [
  "case_sensitive_like",
  "ignore_check_constraints",
  "legacy_alter_table",
  "recursive_triggers",
  "reverse_unordered_selects",
];
const SWITCHES_OFF = SWITCHES.map((name) => `PRAGMA ${name} = OFF`).join("; ");
/** Those that may only be looked at: a value would change the connection. */
const LOOKS = new Set(["encoding", "page_size"]);
/** Taken, and without effect, as in D1: foreign keys are on. */
const IGNORED = new Set(["foreign_keys"]);
const TAKEN = new Set([...PRAGMAS, ...SWITCHES, ...IGNORED]);

/** What most begin with; these are let in. */
const USUAL = /^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)\b/i;

/**
 * Refuses a text whose first statement is none that a request may run. Look before SQLite compiles it: that is when a
 * PRAGMA takes effect.
 *
 * @throws PagemarkError `STATEMENT_REFUSED`
 */
export function checkStatement(
  sql: string,
  { asD1 = false, isImport = false }: { asD1?: boolean | undefined; isImport?: boolean } = {},
): void {
  if (USUAL.test(sql)) return;
  const words = firstWords(sql, 10);
  const [first = "", second = "", third = "", fourth = "", fifth = ""] = words;
  const keyword = first.toUpperCase();
  if (TRANSACTIONS.test(keyword)) {
    refuse(`${keyword} is not for requests: all statements of one request are one transaction; leave it out`);
  }
  if (FILES.test(keyword)) {
    const why = keyword === "VACUUM" ? ": space that is freed is used again" : "";
    refuse(`${keyword} is not for requests${why}`);
  }
  // Nothing of that name is dumped, compared or counted, and what others wrote is what it is.
  const made = isImport ? undefined : madeName(words);
  if (made !== undefined && /^_cf_/i.test(made))
    refuse(`${made.slice(0, 100)}: names that begin with _cf_ are Cloudflare's own, here as in D1`);
  if (keyword !== "PRAGMA") return;
  const [name, after] = third === "." ? [fourth.toLowerCase(), fifth] : [second.toLowerCase(), third];
  if (LOOKS.has(name) && /[=(]/.test(after)) refuse(`PRAGMA ${name} with a value is not for requests`);
  if (asD1 && NOT_IN_D1.has(name)) refuse(`PRAGMA ${name} is not for requests, as PAGEMARK_D1_LIMITS is set`);
  if (!TAKEN.has(name)) refuse(`PRAGMA ${name.slice(0, 100)} is not for requests`);
}

/** The name of what a statement makes, or the new one that it gives a table. */
function madeName(words: readonly string[]): string | undefined {
  const [verb = "", ...rest] = words;
  const upper = rest.map((word) => word.toUpperCase());
  if (/^CREATE$/i.test(verb)) {
    let at = upper.findIndex((word) => /^(TABLE|INDEX|VIEW|TRIGGER)$/.test(word)) + 1;
    if (upper[at] === "IF") at += 3; // NOT EXISTS
    return rest[at + 1] === "." ? rest[at + 2] : rest[at];
  }
  const at = upper.findIndex((word, index) => word === "RENAME" && upper[index + 1] === "TO");
  return /^ALTER$/i.test(verb) && at >= 0 ? rest[at + 2] : undefined;
}

/** What puts back all that PRAGMAs of a request may have switched; nothing where there are none. */
export function puttingBack(queries: readonly { sql: string }[]): string | undefined {
  return queries.some(({ sql }) => /pragma/i.test(sql)) ? SWITCHES_OFF : undefined;
}

function refuse(message: string): never {
  throw new PagemarkError("STATEMENT_REFUSED", message);
}

/** May come before the word that says what a statement is; EXPLAIN does not keep a PRAGMA from taking effect. */
const BEFORE = /^(;|EXPLAIN|QUERY|PLAN)$/i;

/** The first words and signs of a statement, without comments. */
export function firstWords(sql: string, count = 5): string[] {
  const tokens = sql.matchAll(
    // A byte order mark is space to SQLite where it begins a word, and no space to JavaScript's \w.
    /\ufeff|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|[\w$\u0080-\uffff]+|"[^"]*"|`[^`]*`|\[[^\]]*\]|'[^']*'|[^\s]/g,
  );
  const words: string[] = [];
  for (const [token] of tokens) {
    if (token === "\ufeff" || token.startsWith("--") || token.startsWith("/*")) continue;
    if (words.length === 0 && BEFORE.test(token)) continue;
    words.push(token.replace(/^["'`[](.*)["'`\]]$/, "$1"));
    if (words.length === count) break;
  }
  return words;
}

/** About what a row of an answer takes, in bytes. */
export function rowBytes(row: readonly SqlValue[]): number {
  let size = 16;
  for (const value of row) {
    if (typeof value === "string") size += 16 + value.length;
    else if (value instanceof Uint8Array) size += 64 + value.length;
    else size += 16;
  }
  return size;
}
