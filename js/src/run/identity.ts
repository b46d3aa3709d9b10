// Whether a database is the one whose backups a chain holds. The core decides; this looks where it wants to know more.

import type { History } from "../catalog/history.ts";
import { type BackupRecord, type Identity, momentOf } from "../catalog/record.ts";
import { core, named } from "../core/index.ts";
import { DamageError, ObjectMissingError, PagemarkError } from "../errors/index.ts";
import { pagesPerBatch } from "../moments/page-runs.ts";
import { readerOf, readSchema, readTables, type Schema } from "../moments/tables.ts";
import type { Moment } from "../sources/source.ts";
import { StoredPages } from "../stored/stored-pages.ts";
import type { BackupPlan } from "./backup-plan.ts";
import type { Subject } from "./subject.ts";

/** Pages of the last backup whose rows are looked for. */
const SAMPLE = 64;
/** A database up to this size is looked through whole, in bytes: rows may have come to lie on other pages. */
const SMALL = 16 << 20;

/** What there is to know of a database before its pages are packed. */
export interface Identified {
  schema: Schema;
  identity: Identity;
}

/**
 * What tells the database of `moment` from others, for its record.
 *
 * @throws PagemarkError `OTHER_DATABASE` when the chain's backups are of another one; with `isSame` that is not asked
 */
export async function identify(
  subject: Subject,
  { history, next }: BackupPlan,
  moment: Moment,
  { isSame = false, signal }: { isSame?: boolean | undefined; signal?: AbortSignal | undefined },
): Promise<Identified> {
  const { identityDigest, tableSketch } = await core();
  const schema = await readSchema(readerOf(moment, signal), moment.pageCount).catch((error) => {
    throw moment.beyond ? cutOff(named(error, subject.source.name), moment) : error;
  });
  const { place, file } = moment.identity ?? {};
  const digest = (text: string) => identityDigest(next.lineage, text);
  const identity: Identity = {
    ...(place !== undefined && { place: digest(`path ${place}`) }),
    ...(file !== undefined && { file: digest(`file ${file}`) }),
    changes: schema.changes,
    schema: schema.cookie,
    tables: tableSketch(schema.names),
  };
  const sign = isSame || subject.safety ? "same" : await judge(subject, history, moment, identity, signal);
  if (sign !== "same") throw otherDatabase(subject, moment, sign);
  return { schema, identity };
}

/** `same`, or what shows that it is another database. */
async function judge(
  subject: Subject,
  history: History,
  moment: Moment,
  now: Identity,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { judgeIdentity, RowSearch } = await core();
  const last = history.reference();
  if (!last) return "same";
  const bornMs = moment.identity?.bornMs;
  const judged = (before: Identity, found?: Found) =>
    judgeIdentity(
      JSON.stringify(before),
      JSON.stringify(now),
      bornMs,
      momentOf(last),
      found?.search,
      found?.isIdentical ?? false,
    );
  const looking = (record: BackupRecord) =>
    lookInto(subject, history, record, moment, signal).catch((error) => {
      // Damage says nothing of what the database is; verify finds it.
      if (error instanceof DamageError || error instanceof ObjectMissingError) return undefined;
      throw error;
    });
  if (!last.identity) {
    const found = await looking(last);
    return found ? judged(found.identity, found) : "same";
  }
  const verdict = judged(last.identity);
  if (verdict !== "unsure") return verdict;
  const found = await looking(history.reference(now.changes) ?? last);
  return judged(last.identity, found ?? { search: new RowSearch(), isIdentical: false });
}

interface Found {
  /** Used up by the judgement. */
  search: InstanceType<Awaited<ReturnType<typeof core>>["RowSearch"]>;
  isIdentical: boolean;
}

/** Looks for rows of a backup in the database, and reads what its record does not say. */
async function lookInto(
  { store }: Subject,
  history: History,
  record: BackupRecord,
  moment: Moment,
  signal: AbortSignal | undefined,
): Promise<Found & { identity: Identity }> {
  const { RowSearch, DatabaseHeader, tableSketch } = await core();
  const files = history.chain(record).map(({ record, ltx }) => ({ key: ltx, ...record.ltx }));
  const stored = await StoredPages.open(store, { files, record }, signal);
  const search = new RowSearch();
  try {
    const before = await readSchema((pgno) => stored.read(pgno, signal), record.pageCount);
    const readNow = readerOf(moment, signal);
    const [thenHeader, nowHeader] = [before.first, await readNow(1)].map((page) =>
      DatabaseHeader.parse(page),
    );
    if (!thenHeader || !nowHeader) throw new Error("there are two first pages");
    const step = Math.max(1, Math.ceil(record.pageCount / SAMPLE));
    const all = Array.from({ length: Math.ceil(record.pageCount / step) }, (_, index) => 1 + index * step);
    const sample = all.filter((pgno) => !before.pages.has(pgno));
    const { pageSize, pageCount } = moment;
    if (pageSize * pageCount <= SMALL) {
      const perBatch = pagesPerBatch(pageSize);
      for (let first = 1; first <= pageCount; first += perBatch) {
        const pages = new Uint8Array(Math.min(perBatch, pageCount - first + 1) * pageSize);
        await moment.read(first, pages, signal);
        for (let at = 0; at < pages.length; at += pageSize)
          search.add(nowHeader, pageCount, first + at / pageSize, pages.subarray(at, at + pageSize));
      }
    }
    let isIdentical = pageSize === record.pageSize && pageCount === record.pageCount;
    isIdentical &&= equal(before.first, await readNow(1));
    for (const pgno of sample) {
      const then = await stored.read(pgno, signal);
      const now = pgno <= pageCount ? await readNow(pgno) : new Uint8Array();
      isIdentical &&= equal(then, now);
      if (now.length > 0) search.add(nowHeader, pageCount, pgno, now);
      search.lookFor(thenHeader, record.pageCount, pgno, then);
    }
    thenHeader.free();
    nowHeader.free();
    const identity = { changes: before.changes, schema: before.cookie, tables: tableSketch(before.names) };
    return { search, isIdentical, identity };
  } catch (error) {
    search.free();
    throw error;
  } finally {
    stored.close();
  }
}

/**
 * What a database lacks whose header says that it ends before its tables do; SQLite, too, reads no further. Walks through
 * all tables, and only where the file goes on behind that end.
 */
export async function lackOf(moment: Moment, signal: AbortSignal | undefined): Promise<string | undefined> {
  if (!moment.beyond) return undefined;
  const tables = await readTables(readerOf(moment, signal), moment.pageCount, true);
  const lacking = tables.filter(({ damagedPage }) => damagedPage !== undefined).map(({ name }) => name);
  if (lacking.length === 0) return undefined;
  const names = lacking.slice(0, 3).map((name) => JSON.stringify(name));
  const more = lacking.length > 3 ? ` and ${lacking.length - 3} more` : "";
  return `${saysOf(moment)}: the backup lacks what ${names.join(", ")}${more} has there. ${ADVICE}`;
}

function cutOff(error: unknown, moment: Moment): unknown {
  if (!(error instanceof DamageError) || error.code !== "BTREE_PAGE") return error;
  const message = `${error.at.name ?? "the database"}: ${saysOf(moment)}, which its schema points to. ${ADVICE}`;
  return new DamageError("DATABASE_HEADER", message, { ...error.at, page: 1 }, { cause: error });
}

function saysOf({ pageCount, beyond = 0 }: Moment): string {
  return `the header says that the database ends after page ${pageCount}, but ${beyond} pages follow in the file`;
}

const ADVICE = "Run `pagemark dump --salvage` on it, or `.recover` in sqlite3, and load what comes out";

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

const SIGNS: Record<string, string> = {
  beside: "that one lies elsewhere, and this one was there when it was backed up last",
  elsewhere: "that one lies elsewhere, and this one lacks rows of its last backup",
  contents: "this one has next to nothing in common with its last backup",
};

function otherDatabase({ source, store, name }: Subject, { identity }: Moment, sign: string): PagemarkError {
  const what = identity?.place ?? source.name;
  const message =
    `${what}: ${JSON.stringify(name)} in ${store.description} is another database: ${SIGNS[sign]}. ` +
    "Back this one up under another `name`, or say once that it is the same, moved or made anew (`sameDatabase`)";
  return new PagemarkError("OTHER_DATABASE", message, { name: what });
}
