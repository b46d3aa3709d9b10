// Going on in a tree behind an entry. `(a, b) > (?, ?)` knows no NULL and no DESC; so the entries behind one are asked
// for in parts, each a range of the index: those that are equal in all but the last term and behind in it, then those
// equal in all but the last two, and so on. SQLite reads one part after the other, and no more than there is need for.
import type { SortTerm, Tree } from "./schema.ts";
import { type ExactValue, joined, type Parameters } from "./values.ts";

/** D1 and Durable Objects take so many SELECTs in one. */
const COMPOUND = 5;
/** And so many terms in ORDER BY: an index of 100 columns has the rowid behind them, which decides no more where it is read by itself. */
const TERMS = 100;
/** More parts would make a statement too long: the last terms of a longer key are compared together. */
const PARTS = 12;

/**
 * The first `limit` entries of `tree` behind `last`, from the beginning without it: `columns`, as SQL.
 *
 * @param last the value of each term that the tree is sorted by
 */
export function entriesBehind(
  tree: Tree,
  columns: string,
  last: readonly ExactValue[] | undefined,
  limit: number | undefined,
  parameters: Parameters,
): string {
  const most = limit === undefined ? "" : ` LIMIT ${limit}`;
  const sorted = ` ORDER BY ${tree.order.slice(0, TERMS).map(sortedBy).join(", ")}${most}`;
  const part = (conditions: readonly string[]) => {
    const all = [...conditions, ...(tree.where ? [`(${tree.where})`] : [])];
    const where = all.length > 0 ? ` WHERE ${all.join(" AND ")}` : "";
    return `SELECT ${columns} FROM ${tree.from}${where}${sorted}`;
  };
  if (!last) return part([]);
  const parts = conditionsBehind(tree.order, last, parameters).map(part);
  if (parts.length === 0) return part(["0"]);
  return parts.length === 1 ? (parts[0] as string) : `${united(parts)}${most}`;
}

function conditionsBehind(
  order: readonly SortTerm[],
  last: readonly ExactValue[],
  parameters: Parameters,
): string[][] {
  const said = last.map((value) => (value.type === "null" ? "NULL" : parameters.add(value)));
  const equal = order.map((term, at) => `${compared(term)} IS ${said[at]}`);
  const behind = order.map((term, at) => behindIn(term, last[at]?.type === "null", said[at] ?? "NULL"));
  const single = Math.min(order.length, PARTS);
  const parts = Array.from({ length: single }, (_, back) => single - 1 - back).flatMap((at) =>
    (behind[at] ?? []).map((condition) => [...equal.slice(0, at), condition]),
  );
  const rest = together(equal.slice(single), behind.slice(single));
  return rest === "0" ? parts : [[...equal.slice(0, single), rest], ...parts];
}

/** Whether an entry is behind another in some terms. In halves, as expressions may be nested 100 deep only. */
function together(equal: readonly string[], behind: readonly string[][]): string {
  if (equal.length <= 1) return joined(behind[0] ?? [], "OR", "0");
  const half = equal.length >> 1;
  const first = together(equal.slice(0, half), behind.slice(0, half));
  const rest = together(equal.slice(half), behind.slice(half));
  return `(${first} OR (${joined(equal.slice(0, half), "AND", "1")} AND ${rest}))`;
}

/** NULL comes first, and last in descending order. */
function behindIn(term: SortTerm, isNull: boolean, said: string): string[] {
  const expr = compared(term);
  if (term.isDescending) return isNull ? [] : [`${expr} < ${said}`, `${expr} IS NULL`];
  return [isNull ? `${expr} IS NOT NULL` : `${expr} > ${said}`];
}

function compared({ expr, collation }: SortTerm): string {
  return collation === undefined ? expr : `${expr} COLLATE ${collation}`;
}

function sortedBy(term: SortTerm): string {
  return `${compared(term)}${term.isDescending ? " DESC" : ""}`;
}

/** The parts one after the other, no more of them in one than D1 takes. */
function united(parts: readonly string[]): string {
  const nested = parts.map((part) => `SELECT * FROM (${part})`);
  if (nested.length <= COMPOUND) return nested.join(" UNION ALL ");
  const groups: string[] = [];
  for (let at = 0; at < parts.length; at += COMPOUND) groups.push(united(parts.slice(at, at + COMPOUND)));
  return united(groups);
}
