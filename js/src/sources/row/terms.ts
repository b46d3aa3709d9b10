// What a CREATE INDEX says of its terms and its condition: PRAGMAs tell neither expressions nor WHERE.

export interface IndexTerms {
  /** Each term as an expression, without its direction. */
  terms: string[];
  /** The condition of a partial index. */
  where?: string;
}

/** Space, a comment, something quoted, a word, or one character. */
const TOKEN =
  /\s+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[\w$\u0080-\uffff]+|[\s\S]/g;

/** The tokens of SQL that SQLite has taken; a space for a comment. */
export function sqlTokens(sql: string): string[] {
  return (sql.match(TOKEN) ?? []).map((token) => (/^(--|\/\*)/.test(token) ? " " : token));
}

/** Reads `sql`, which is a CREATE INDEX that SQLite has taken. */
export function indexTerms(sql: string): IndexTerms {
  const tokens = sqlTokens(sql);
  let at = tokens.indexOf("(") + 1;
  const terms = [""];
  for (let depth = 1; at < tokens.length; at++) {
    const token = tokens[at] ?? "";
    if (token === "(") depth++;
    if (token === ")") depth--;
    if (depth === 0) break;
    if (depth === 1 && token === ",") terms.push("");
    else terms[terms.length - 1] += token;
  }
  const rest = tokens
    .slice(at + 1)
    .join("")
    .trim();
  const where = /^where\b/i.test(rest) ? rest.slice("where".length).trim() : "";
  return {
    terms: terms.map((term) => term.replace(/(?<=[\s"'`\])])(asc|desc)\s*$/i, "").trim()),
    ...(where && { where }),
  };
}
