// What D1's own export (`wrangler d1 export`) gets wrong, put right where the SQL still tells, and said where it does not.
import { dumpCore } from "../core/index.ts";

/** Every export of D1 begins so; our own SQL for D1 has a comment before it. */
const HEAD = "PRAGMA defer_foreign_keys=TRUE;";
/** An integer that JavaScript rounds is at least this, in size. */
const ROUNDED = 2n ** 53n;
/** Texts, names, words and numbers. */
const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|[A-Za-z_$][\w$]*|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?/g;
const TRIGGER = /^CREATE TRIGGER\b/i;
const INSERT = /^INSERT INTO\b/i;
/** How the export writes line ends. A text that has both signs and line ends cannot be told from one that has line ends only. */
const LINE_ENDS = /\breplace\(/gi;
/** Statements are given in pieces of about so many characters. */
const PIECE = 64 << 10;
const encoder = new TextEncoder();

/** Counts of what could not be put right. */
interface Losses {
  rounded: number;
  lineEnds: number;
  replaced: number;
}

/**
 * `sql` as it is, unless it is an export of D1. In one, triggers come after the views that they are on, infinite numbers are written so that SQLite
 * reads them, and texts with a NUL as hex. What the export has lost before is said to `onWarning` at the end.
 */
export async function* withD1Repairs(
  sql: AsyncIterable<Uint8Array>,
  onWarning: (message: string) => void,
): AsyncGenerator<Uint8Array, void, void> {
  const chunks = sql[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let length = 0;
  while (length < HEAD.length) {
    const { done, value } = await chunks.next();
    if (done) break;
    head.push(value.slice());
    length += value.length;
  }
  const start = head.map((chunk) => new TextDecoder().decode(chunk)).join("");
  const rest = { [Symbol.asyncIterator]: () => chunks };
  if (!start.startsWith(HEAD)) {
    yield* head;
    yield* rest;
    return;
  }
  yield* repaired(head, rest, onWarning);
}

async function* repaired(
  head: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
  onWarning: (message: string) => void,
): AsyncGenerator<Uint8Array, void, void> {
  const { Statements } = await dumpCore();
  const statements = new Statements();
  const losses: Losses = { rounded: 0, lineEnds: 0, replaced: 0 };
  const triggers: string[] = [];
  let text = "";
  const take = function* () {
    for (let next = statements.nextWhole(); next !== undefined; next = statements.nextWhole()) {
      if (TRIGGER.test(next)) triggers.push(next);
      else text += `${INSERT.test(next) ? repairedInsert(next, losses) : next}\n`;
      if (text.length < PIECE) continue;
      yield encoder.encode(text);
      text = "";
    }
  };
  try {
    for (const chunk of head) {
      statements.push(chunk);
      yield* take();
    }
    for await (const chunk of rest) {
      statements.push(chunk);
      yield* take();
    }
    // The last line has no end.
    statements.push(encoder.encode("\n;\n"));
    yield* take();
    yield encoder.encode([text, ...triggers, ""].join("\n"));
  } finally {
    statements.free();
  }
  for (const warning of warningsOf(losses)) onWarning(warning);
}

function repairedInsert(sql: string, losses: Losses): string {
  losses.lineEnds += sql.match(LINE_ENDS) && /'\\n',char\(10\)/.test(sql) ? 1 : 0;
  if (sql.includes("\ufffd")) losses.replaced++;
  let hasRounded = false;
  const repaired = sql.replace(TOKEN, (token) => {
    if (token === "Infinity") return "9e999";
    if (token === "NaN") return "NULL";
    if (token.startsWith("'") && token.includes("\0")) return hexText(token);
    if (/^\d{16,}$/.test(token) && BigInt(token) >= ROUNDED) hasRounded = true;
    return token;
  });
  if (hasRounded) losses.rounded++;
  return repaired;
}

function hexText(literal: string): string {
  const bytes = encoder.encode(literal.slice(1, -1).replaceAll("''", "'"));
  return `CAST(X'${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}' AS TEXT)`;
}

function warningsOf({ rounded, lineEnds, replaced }: Losses): string[] {
  const rows = (count: number) => (count === 1 ? "1 row has" : `${count} rows have`);
  const advice = "`pagemark dump d1://…` and `pagemark backup d1://…` lose nothing";
  const all: [number, string][] = [
    [rounded, "integers of 2^53 or more, which D1's export has rounded"],
    [
      lineEnds,
      "texts with line ends, in which D1's export turns a backslash followed by n or r into a line end, too",
    ],
    [replaced, "texts with U+FFFD, which D1's export writes for bytes that are not valid text"],
  ];
  return all.filter(([count]) => count > 0).map(([count, what]) => `${rows(count)} ${what}; ${advice}`);
}
