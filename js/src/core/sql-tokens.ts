/** Space, a comment, something quoted, a word, or one character. */
const TOKEN =
  /\s+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[\w$\u0080-\uffff]+|[\s\S]/g;

/** The tokens of SQL that SQLite has taken; a space for a comment. */
export function sqlTokens(sql: string): string[] {
  return (sql.match(TOKEN) ?? []).map((token) => (/^(--|\/\*)/.test(token) ? " " : token));
}
