import { type Cell, HALF_LOADED, type RowSource } from "../sources/source.ts";

export interface TargetState {
  isEmpty: boolean;
  /** What is being loaded, and how many of its statements are in. */
  halfLoaded?: { load: string; done: number };
  /** Type and name of each object, tables with what their foreign keys refer to. */
  objects: { type: string; name: string; isVirtual: boolean; parents: string[] }[];
}

const OURS = String.raw`name NOT LIKE '\_cf\_%' ESCAPE '\' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`;
const OBJECTS = `SELECT type AS a, name AS b, rootpage AS c FROM sqlite_schema
  WHERE ${OURS} AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')`;
const PARENTS = `SELECT m.name AS a, f."table" AS b FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
  WHERE m.type = 'table' AND m.${OURS.replace("AND name", "AND m.name")}`;

export async function targetState(target: RowSource, signal?: AbortSignal): Promise<TargetState> {
  const { rows } = await target.ask([{ sql: OBJECTS }, { sql: PARENTS }], signal);
  const [listed = [], keys = []] = rows;
  const objects = listed.map(([type, name, root]) => ({
    type: String(type),
    name: String(name),
    isVirtual: type === "table" && Number(root ?? 0) === 0,
    parents: keys.flatMap(([child, parent]) => (same(child, name) ? [String(parent)] : [])),
  }));
  const state = { isEmpty: objects.length === 0, objects };
  if (!objects.some(({ name }) => name === HALF_LOADED)) return state;
  const [[row = []] = []] = (await target.ask([{ sql: `SELECT load, done FROM ${HALF_LOADED}` }], signal))
    .rows;
  return { ...state, halfLoaded: { load: String(row[0]), done: Number(row[1]) } };
}

/** What empties the database: triggers, which would run; views; virtual tables; then children before their parents. */
export function dropsOf({ objects }: TargetState): string[] {
  const drop = (type: string, names: string[]) =>
    names.map((name) => `DROP ${type} IF EXISTS "${name.replaceAll('"', '""')}"`);
  const of = (wanted: string) => objects.filter(({ type }) => type === wanted);
  const names = (some: TargetState["objects"]) => some.map(({ name }) => name);
  const plain = of("table").filter(({ isVirtual }) => !isVirtual);
  return [
    ...drop("TRIGGER", names(of("trigger"))),
    ...drop("VIEW", names(of("view"))),
    ...drop("TABLE", names(of("table").filter(({ isVirtual }) => isVirtual))),
    ...drop("TABLE", names(childrenFirst(plain))),
  ];
}

/** Where tables refer to each other in a circle, what is left of it is checked when the transaction ends. */
function childrenFirst(tables: TargetState["objects"]): TargetState["objects"] {
  const [order, seen] = [[] as TargetState["objects"], new Set<string>()];
  const visit = (table: TargetState["objects"][number]) => {
    const name = table.name.toLowerCase();
    if (seen.has(name)) return;
    seen.add(name);
    for (const other of tables) if (other.parents.some((parent) => same(parent, table.name))) visit(other);
    order.push(table);
  };
  for (const table of tables) visit(table);
  return order;
}

function same(one: Cell | undefined, other: Cell | undefined): boolean {
  return String(one).toLowerCase() === String(other).toLowerCase();
}
