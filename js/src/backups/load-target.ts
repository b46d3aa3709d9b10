import { SourceError } from "../errors/index.ts";
import { type Cell, HALF_LOADED, NOT_TRACKING, type RowSource } from "../sources/source.ts";

export interface TargetState {
  isEmpty: boolean;
  halfLoaded?: HalfLoaded;
  /**
   * Type and name of each object, tables with what their foreign keys refer to, and full-text tables with the table that
   * SQLite leaves behind when they are dropped.
   */
  objects: {
    type: string;
    name: string;
    table: string;
    isVirtual: boolean;
    leaves?: string;
    parents: Parent[];
  }[];
}

/** A load that has not come to its end. */
export interface HalfLoaded {
  /** What is being loaded. */
  load: string;
  /** How many of its statements are in. */
  done: number;
  /** The bookmark of what was there before. */
  undo?: string;
}

interface Parent {
  table: string;
  /** What becomes of the rows that refer to one that is deleted. */
  onDelete: string;
}

const OURS = String.raw`name NOT LIKE '\_cf\_%' ESCAPE '\' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`;
/** Left of a virtual table that is gone: SQLite still takes it for a part of one, until it reads the schema again. */
const IS_LEFT = String.raw`name LIKE '%\_content' ESCAPE '\'
  AND substr(name, 1, length(name) - 8) NOT IN (SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage = 0)`;
const OBJECTS = `SELECT type AS a, name AS b, tbl_name AS d, rootpage AS c, rootpage = 0 AND sql LIKE '%contentless_unindexed%' AS e FROM sqlite_schema m
  WHERE ${OURS} AND ${NOT_TRACKING} AND (name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') OR ${IS_LEFT})`;
const PARENTS = `SELECT m.name AS a, f."table" AS b, f.on_delete AS c FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
  WHERE m.type = 'table' AND ${NOT_TRACKING} AND m.${OURS.replace("AND name", "AND m.name")}`;

export async function targetState(target: RowSource, signal?: AbortSignal): Promise<TargetState> {
  const { rows } = await target.ask([{ sql: OBJECTS }, { sql: PARENTS }], signal);
  const [listed = [], keys = []] = rows;
  const objects = listed.map(([type, name, table, root, leaves]) => ({
    type: String(type),
    name: String(name),
    table: String(table),
    isVirtual: type === "table" && Number(root ?? 0) === 0,
    ...(Number(leaves) === 1 && { leaves: `${String(name)}_content` }),
    parents: keys.flatMap(([child, parent, onDelete]) =>
      same(child, name) ? [{ table: String(parent), onDelete: String(onDelete) }] : [],
    ),
  }));
  const state = { isEmpty: objects.length === 0, objects };
  if (!objects.some(({ name }) => name === HALF_LOADED)) return state;
  const half = [{ sql: `SELECT load, done, undo FROM ${HALF_LOADED}` }];
  const [[[load, done, undo] = []] = []] = (await target.ask(half, signal)).rows;
  const bookmark = typeof undo === "string" ? { undo } : {};
  return { ...state, halfLoaded: { load: String(load), done: Number(done), ...bookmark } };
}

/**
 * What has to go before `tables` can be made anew; everything, without them.
 *
 * @throws SourceError `SOURCE_REFUSED` where that would change other tables
 */
export function dropsFor(target: string, state: TargetState, tables: readonly string[] = []): string[] {
  if (tables.length === 0) return dropsOf(state);
  const isMeant = (name: string) => tables.some((table) => same(table, name));
  for (const { name, parents } of state.objects) {
    const parent = parents.find(({ table, onDelete }) => isMeant(table) && onDelete !== "NO ACTION");
    if (!parent || isMeant(name)) continue;
    const does = `ON DELETE ${parent.onDelete}`;
    const message = `${target}: table ${JSON.stringify(name)} refers to ${JSON.stringify(parent.table)} with ${does}, which replacing that table would set off; restore both, or all tables`;
    throw new SourceError("SOURCE_REFUSED", message, { name: target });
  }
  // Their indexes and triggers go with them; INSTEAD OF triggers with their view.
  return dropsOf({
    ...state,
    objects: state.objects.filter(({ name, type }) => type !== "trigger" && isMeant(name)),
  });
}

/** Has SQLite read the schema anew: until then it drops no table that was part of a virtual one, though that is gone. */
const REREAD = [
  "CREATE TABLE pagemark_reread (a)",
  "ALTER TABLE pagemark_reread ADD COLUMN b",
  "DROP TABLE pagemark_reread",
];

/** What empties the database: triggers, which would run; views; virtual tables; then children before their parents. */
function dropsOf({ objects }: TargetState): string[] {
  const drop = (type: string, names: string[]) =>
    names.map((name) => `DROP ${type} IF EXISTS "${name.replaceAll('"', '""')}"`);
  const of = (wanted: string) => objects.filter(({ type }) => type === wanted);
  const names = (some: TargetState["objects"]) => some.map(({ name }) => name);
  const plain = of("table").filter(({ isVirtual }) => !isVirtual);
  const left = objects.flatMap(({ leaves = [] }) => leaves);
  const mayBeLeft = left.length > 0 || plain.some(({ name }) => /_content$/i.test(name));
  return [
    ...drop("TRIGGER", names(of("trigger"))),
    ...drop("VIEW", names(of("view"))),
    ...drop("TABLE", names(of("table").filter(({ isVirtual }) => isVirtual))),
    ...(mayBeLeft ? REREAD : []),
    ...drop("TABLE", left),
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
    for (const other of tables)
      if (other.parents.some((parent) => same(parent.table, table.name))) visit(other);
    order.push(table);
  };
  for (const table of tables) visit(table);
  return order;
}

function same(one: Cell | undefined, other: Cell | undefined): boolean {
  return String(one).toLowerCase() === String(other).toLowerCase();
}
