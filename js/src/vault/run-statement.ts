// Statements, carried out one at a time. Which there are, src/statement says.
import { Backups } from "../backups/backups.ts";
import { type Backup, databasesIn } from "../catalog/folder.ts";
import { parseStatement, type Statement, type TableName, type Targets } from "../core/index.ts";
import { checkOptions, PagemarkError } from "../errors/index.ts";
import { layers } from "../objects/layers.ts";
import { newestFirst, wholeName } from "../run/partial.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions } from "../streams/progress.ts";
import { runScheduleStatement } from "./run-schedules.ts";
import {
  type CheckpointFacts,
  type RestoreDone,
  type RestoreRequest,
  type Row,
  type StatementDatabase,
  type StatementHost,
  storeIn,
} from "./statement-host.ts";

/** How a statement is carried out. */
export interface StatementOptions extends JobOptions {
  /** The database that is meant where a statement names none; all of them unless given. */
  database?: string | undefined;
  /** Refuses what changes anything. */
  readOnly?: boolean;
}

/** What a statement answers. */
export interface StatementResult {
  /** Names of the columns, in order. */
  columns: string[];
  rows: Row[];
  /** What the user should know, a sentence each. */
  notices: string[];
}

type Of<Kind extends Statement["kind"]> = Extract<Statement, { kind: Kind }>;

/** What has all it takes to carry a statement out. */
interface Context {
  readonly host: StatementHost;
  readonly options: StatementOptions;
  readonly notices: string[];
}

/**
 * Carries one statement out, and resolves once what it made is durable. It is never SQL that reaches a database.
 *
 * @throws PagemarkError `STATEMENT_SYNTAX` with `at.position`, `STATEMENT_UNSUPPORTED`, `READ_ONLY`, `DATABASE_UNKNOWN`, and
 *   what backups and restores throw
 */
export async function runStatement(
  text: string,
  host: StatementHost,
  options: StatementOptions = {},
): Promise<StatementResult> {
  checkOptions(options);
  const { statement, time } = await parseStatement(text);
  if (options.readOnly && !statement.kind.startsWith("show-")) {
    throw new PagemarkError("READ_ONLY", "only statements that begin with SHOW are allowed here");
  }
  const context: Context = { host, options, notices: [] };
  const rows = await rowsOf(statement, time ?? undefined, context);
  return { columns: [...new Set(rows.flatMap(Object.keys))], rows, notices: context.notices };
}

/** That statement, or a part of it, is not for this host. */
function unsupported(what: string): PagemarkError {
  return new PagemarkError("STATEMENT_UNSUPPORTED", what);
}

async function rowsOf(statement: Statement, timeMs: number | undefined, context: Context): Promise<Row[]> {
  switch (statement.kind) {
    case "backup":
      return backUp(statement, timeMs, context);
    case "restore":
      return restore(statement, context);
    case "show-databases":
      return gather(context.host.databases(), async (database) => [await database.describe()]);
    case "show-orphaned-backups":
      if (!context.host.orphans) return [];
      return gather(context.host.orphans(), async (row) => [row]);
    case "show-backups":
      return showBackups(statement, context);
    case "show-backup":
      return showBackup(statement, context);
    case "create-checkpoint":
    case "release-checkpoint":
    case "show-checkpoints":
      return checkpoints(statement, context);
    default:
      return runScheduleStatement(statement, context.host);
  }
}

async function backUp(statement: Of<"backup">, timeMs: number | undefined, context: Context): Promise<Row[]> {
  const { targets, place, base, at } = statement;
  if (at !== null && timeMs === undefined) {
    throw unsupported("AS OF SYSTEM TIME of a backup takes a time or an age, such as '-1m'");
  }
  const below = base.kind === "places" ? base.places.map((each) => storeIn(each, context.host)) : [];
  const top = place === null ? undefined : storeIn(place, context.host);
  const store = top && below.length > 0 ? layers(top, below) : top;
  return each(await targeted(targets, context), "backed up", context, async ({ tables, ...target }) => {
    const database = await target.database();
    if (base.kind === "places" && store) await refuseNothing(database.name, store);
    if (base.kind === "moment" && store) await refuseOlder(database.name, store, base.at);
    return [await backUpOne(database, { statement, store, timeMs, tables }, context)];
  });
}

/** Rows of each database, one after the other. One that fails keeps no other from its turn; at the end all that failed are told. */
async function each<T extends { name: string }>(
  all: readonly T[],
  what: "backed up" | "restored" | "released",
  { options }: Context,
  work: (one: T) => Promise<Row[]>,
): Promise<Row[]> {
  const rows: Row[] = [];
  const failures: { name: string; error: unknown }[] = [];
  for (const one of all) {
    try {
      rows.push(...(await work(one)));
    } catch (error) {
      if (options.signal?.aborted) throw error;
      failures.push({ name: one.name, error });
    }
  }
  const [first] = failures;
  if (!first) return rows;
  const { error } = first;
  if (all.length === 1 || !(error instanceof PagemarkError)) throw error;
  const names = failures.map(({ name }) => name).join(", ");
  const message = `${names}: not ${what}, and ${all.length - failures.length} others are: ${error.message}`;
  throw new PagemarkError(error.code, message, error.at, { cause: error });
}

interface One {
  statement: Of<"backup">;
  store: Store | undefined;
  timeMs: number | undefined;
  tables: readonly string[] | undefined;
}

async function backUpOne(
  database: StatementDatabase,
  { statement, store, timeMs, tables }: One,
  context: Context,
): Promise<Row> {
  const { base, revisionHistory, tag, note } = statement;
  const { backup, fullBecause, notices } = await database.backup(
    {
      store,
      full: base.kind === "nothing",
      timeMs,
      tables,
      revisionHistory,
      tag: tag ?? undefined,
      note: note ?? undefined,
    },
    jobOf(context),
  );
  context.notices.push(...notices);
  if (backup.kind === "full" && base.kind !== "nothing" && base.kind !== "auto") {
    context.notices.push(
      `${database.name}: this is a full backup${fullBecause ? ` because ${fullBecause}` : ""}`,
    );
  }
  const { id, createdAt, bookmark, size, kind } = backup;
  return { database: database.name, id, createdAt, bookmark, size, state: "done", kind };
}

/** `INCREMENTAL FROM` what has no backup would be a full one that nobody asked for. */
async function refuseNothing(name: string, store: Store): Promise<void> {
  const backups = await (await Backups.open(name, store)).list();
  if (backups.length > 0) return;
  const message = `${name}: there is no backup to be incremental from in ${store.description}`;
  throw new PagemarkError("BACKUP_NONE", message, { name });
}

/** `INTO '…' IN` a backup that the next one is not made on top of: a chain has one end. */
async function refuseOlder(name: string, store: Store, at: string): Promise<void> {
  const backups = await Backups.open(name, store);
  const { id } = await backups.find(at);
  const newest = await backups.show("latest");
  if (newest.chain.some((each) => each.id === id)) return;
  const message = `${name}: backup ${id} is of an older chain than the newest, on top of which alone there can be another: say INTO LATEST IN`;
  throw unsupported(message);
}

async function restore(statement: Of<"restore">, context: Context): Promise<Row[]> {
  const { targets, places, at, intoDb, newDbName, noSafetyBackup } = statement;
  const [top, ...below] = places.map((place) => storeIn(place, context.host));
  const store = top && below.length > 0 ? layers(top, below) : top;
  return each(await named(targets, store, context), "restored", context, async ({ name, tables }) => {
    const target = newDbName ?? intoDb ?? name;
    const isNew = newDbName !== null || (store !== undefined && !(await exists(target, context)));
    const from = target === name ? undefined : name;
    const request = { store, from, at: at ?? undefined, tables, safety: !noSafetyBackup };
    const done = await restoreOne(target, request, isNew, context);
    context.notices.push(...done.notices);
    const facts = { backup: done.backup?.id ?? null, undo: done.undo ?? null };
    const shown = done.tables.map((table) => ({ table: table.name, rows: table.rows ?? null }));
    const tableRows = shown.length > 0 ? shown : [{ table: null, rows: null }];
    return tableRows.map((table) => ({ database: target, ...table, ...facts }));
  });
}

async function restoreOne(
  target: string,
  request: RestoreRequest,
  isNew: boolean,
  context: Context,
): Promise<RestoreDone> {
  const { host } = context;
  if (!isNew) return (await host.database(target)).restore(request, jobOf(context));
  if (host.create) return (await host.create(target)).restore({ ...request, safety: false }, jobOf(context));
  const from = await host.database(request.from ?? target);
  if (from.restoreTo) return from.restoreTo(target, request.at);
  throw unsupported(`${target}: no new database can be made here`);
}

async function showBackups({ database, place }: Of<"show-backups">, context: Context): Promise<Row[]> {
  const rows = (name: string, backups: readonly Backup[]): Row[] =>
    newestFirst(backups).map((backup) => {
      const { id, createdAt, kind, size, state, partial } = backup;
      const database = wholeName(name, backup);
      return { database, id, createdAt, kind, size, state, ...(partial && { partial: partial.join(", ") }) };
    });
  if (place !== null) {
    const store = storeIn(place, context.host);
    const names = database === null ? await storedNames(store) : [database];
    return gather(names, async (name) => {
      const backups = await Backups.open(name, store);
      // All names that a store has are those of partial backups, too.
      return rows(name, [...(await backups.list()), ...(database === null ? [] : await backups.partial())]);
    });
  }
  const databases = await several(database, context);
  return gather(databases, async (each) =>
    rows(each.name, [...(await each.backups()), ...(await each.partialBackups())]),
  );
}

async function showBackup({ at, database, place }: Of<"show-backup">, context: Context): Promise<Row[]> {
  const wanted = at ?? undefined;
  const rows = (name: string, { id, createdAt, kind, size }: Backup, tables: readonly string[]) =>
    tables.map((table): Row => ({ database: name, table, id, createdAt, kind, size }));
  if (place !== null) {
    const store = storeIn(place, context.host);
    const names = database === null ? await storedNames(store) : [database];
    return gather(names, async (name) => {
      const { backup, tables } = await (await Backups.open(name, store)).show(wanted);
      return rows(name, backup, namesOf(tables));
    });
  }
  return gather(await several(database, context), async (each) => {
    const shown = await each.show?.(wanted);
    if (shown) return rows(each.name, shown.backup, namesOf(shown.tables));
    const found = (await each.backups()).find(({ id }) => wanted === undefined || id.startsWith(wanted));
    if (!found) throw new PagemarkError("BACKUP_UNKNOWN", `${each.name}: no backup has that id`);
    const { id, createdAt, kind, size, tables } = found;
    return [{ database: each.name, id, createdAt, kind, size, tables }];
  });
}

async function checkpoints(
  { kind, database }: Of<"create-checkpoint" | "release-checkpoint" | "show-checkpoints">,
  context: Context,
): Promise<Row[]> {
  const databases = await several(database, context);
  const row = ({ name }: StatementDatabase, isHeld: boolean, facts?: CheckpointFacts): Row[] => [
    { database: name, in_progress: isHeld, ...facts },
  ];
  for (const one of databases) {
    if (!one.createCheckpoint || !one.releaseCheckpoint)
      throw unsupported(`${one.name}: this database cannot be held still; back it up instead`);
  }
  if (kind === "show-checkpoints") {
    return gather(databases, async (one) => {
      const facts = await one.checkpoint?.();
      return row(one, facts !== undefined, facts);
    });
  }
  if (kind === "release-checkpoint") {
    return each(databases, "released", context, async (one) =>
      row(one, false, await one.releaseCheckpoint?.()),
    );
  }
  const held: StatementDatabase[] = [];
  try {
    return await gather(databases, async (one) => {
      const rows = row(one, true, await one.createCheckpoint?.());
      held.push(one);
      return rows;
    });
  } catch (error) {
    // All of them are held, or none: nobody would release what an answer that failed says nothing of.
    for (const one of held) await one.releaseCheckpoint?.().catch(() => {});
    throw error;
  }
}

/** Looked for when its turn comes: one that is not there keeps no other from being backed up. */
type Target = { name: string; database(): Promise<StatementDatabase>; tables?: string[] | undefined };

/** Databases that are meant, with the tables that are. */
async function targeted(targets: Targets, context: Context): Promise<Target[]> {
  const find = (name: string) => ({ name, database: () => context.host.database(name) });
  if (targets.kind === "databases") return targets.names.map(find);
  if (targets.kind === "tables") {
    const wanted = await byDatabase(targets.names, context);
    return wanted.map(([name, tables]) => ({ ...find(name), tables }));
  }
  return (await several(null, context)).map((database) => ({
    name: database.name,
    database: async () => database,
  }));
}

/** Names of databases to restore, with the tables of each. */
async function named(
  targets: Targets,
  store: Store | undefined,
  context: Context,
): Promise<{ name: string; tables?: string[] | undefined }[]> {
  if (targets.kind === "tables") {
    const wanted = await byDatabase(targets.names, context);
    return wanted.map(([name, tables]) => ({ name, tables }));
  }
  if (targets.kind === "databases") return targets.names.map((name) => ({ name }));
  return (store ? await storedNames(store) : []).map((name) => ({ name }));
}

/** Tables by their databases. `undefined` for all tables of one. */
async function byDatabase(
  names: readonly TableName[],
  context: Context,
): Promise<[name: string, tables: string[] | undefined][]> {
  const found = new Map<string, string[] | undefined>();
  for (const { database, table } of names) {
    const name = database ?? (await onlyDatabase(context));
    const before = found.has(name) ? found.get(name) : [];
    found.set(name, table === null || before === undefined ? undefined : [...before, table]);
  }
  return [...found];
}

/** The database whose tables are meant where none is named. */
async function onlyDatabase({ host, options }: Context): Promise<string> {
  if (options.database !== undefined) return options.database;
  const names = await gather(host.databases(), async ({ name }) => [name]);
  const [only] = names;
  if (only !== undefined && names.length === 1) return only;
  const message = `there are ${names.length} databases: say which the table is in, as in TABLE app.orders`;
  throw new PagemarkError("USAGE", message);
}

/** That database; without a name all that are meant. */
async function several(name: string | null, { host, options }: Context): Promise<StatementDatabase[]> {
  const wanted = name ?? options.database;
  if (wanted !== undefined) return [await host.database(wanted)];
  return gather(host.databases(), async (each) => [each]);
}

async function exists(name: string, { host }: Context): Promise<boolean> {
  try {
    await host.database(name);
    return true;
  } catch (error) {
    if (error instanceof PagemarkError && error.code !== "DATABASE_UNKNOWN") throw error;
    return false;
  }
}

async function storedNames(store: Store): Promise<string[]> {
  const names = (await databasesIn(store)).map(({ name }) => name);
  if (names.length > 0) return names;
  throw new PagemarkError("BACKUP_NONE", `there are no backups in ${store.description}`);
}

function namesOf(all: readonly { name: string }[]): string[] {
  return all.map(({ name }) => name);
}

function jobOf({ options: { signal, onProgress } }: Context): JobOptions {
  return { signal, ...(onProgress && { onProgress }) };
}

/** What `make` gives of each, one after the other: a server does other things, too. */
async function gather<T, R>(
  all: AsyncIterable<T> | Iterable<T>,
  make: (one: T) => Promise<R[]>,
): Promise<R[]> {
  const made: R[] = [];
  for await (const one of all) made.push(...(await make(one)));
  return made;
}
