// Where the D1Database of `pagemark/client` differs from D1's own, and why: docs/worker.md says the same in words.

/** By the reason, as it begins a row of the table in docs/worker.md: the calls that differ. */
export const DIFFERENCES: Readonly<Record<string, readonly string[]>> = {
  "a whole number is bound as INTEGER": [
    "what bind makes of true",
    "what bind makes of false",
    "what bind makes of zero",
    "what bind makes of a small integer",
    "what bind makes of a negative integer",
    "what bind makes of 2^31",
    "what bind makes of 2^53 - 1",
  ],
  "BigInt can be bound": [
    "bind a BigInt",
    "what bind makes of a BigInt",
    "bind a BigInt beyond 2^53",
    "what bind makes of a BigInt beyond 2^53",
  ],
  "infinity and -0 are bound as they are": [
    "what bind makes of infinity",
    "bind -0",
    "select -0.0",
    "raw -0.0",
  ],
  "a view is bound as its bytes": [
    "bind a Uint16Array",
    "what bind makes of a Uint16Array",
    "bind a DataView",
    "what bind makes of a DataView",
  ],
  "a lone surrogate is one U+FFFD": ["bind a lone surrogate", "what bind makes of a lone surrogate"],
  "exec takes statements over several lines": [
    "exec of a statement over two lines",
    "exec of a statement over two lines, and others",
    "exec of a trigger over lines",
  ],
  "exec names the line that failed": ["exec of what is wrong on the second line"],
  "meta counts what was done": ["run of ALTER TABLE", "a text with several statements that write"],
  "meta says what else the caller should know": [
    "run of DROP TABLE of one that others refer to",
    "all of integers beyond 2^53",
  ],
  "a refusal says what was refused": [
    "refused: BEGIN",
    "refused: BEGIN TRANSACTION",
    "refused: COMMIT",
    "refused: SAVEPOINT",
    "refused: ATTACH",
    "refused: VACUUM",
    "refused: a PRAGMA that is refused",
    "refused: a PRAGMA of the file",
    "a batch of a text",
    "prepare(undefined)",
    "prepare(5)",
    "prepare(null)",
  ],
  "more is allowed": ["refused: PRAGMA user_version", "refused: a very long LIKE"],
  "dump works": ["dump"],
};
