import { free, type Hasher, type PageStore } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import type { SyncHandle } from "../opfs/folders.ts";
import { type LogRecord, PageLog, readAll, writeAll } from "./page-log.ts";
import { PagePlaces } from "./page-places.ts";
import { PageRoom, UNIT } from "./page-room.ts";
import { isEqual, type Kept, released } from "./page-versions.ts";

type Opened = NonNullable<ReturnType<PageStore["open"]>>;
type StoredCommit = Opened["commits"][number];
type Keep = Parameters<PageStore["retain"]>[0];

/** Who asked for a commit, and which of its requests that was. */
export type Note = readonly [from: string, id: number];

/** So many askers are remembered; those who asked last stay. */
const MOST_ASKERS = 100;

/** The files of a database, which nobody else may have open. */
export interface PageFileHandles {
  pages: SyncHandle;
  logs: readonly [SyncHandle, SyncHandle];
}

/** A log that has grown by so much, and to some times what it began with, is begun anew. In bytes. */
const MUCH = 1 << 20;
const TIMES = 2;
/** Pages that are written at once, in bytes. */
const LONGEST_RUN = 1 << 20;

/**
 * Keeps a database in files that are read and written at once: versions of pages in one, and a log of commits that says
 * where each lies (page-log.ts). A version is never overwritten while anything that lasts names it, so whenever the process
 * ends, the last commit or the one under way is there.
 */
export class PageFiles implements PageStore {
  readonly #pages: SyncHandle;
  readonly #log: PageLog;
  #lineage = "";
  #commits: StoredCommit[] = [];
  #keep: Kept = { from: 1, pins: [] };
  /** The object that said so, if it is known. */
  #told: Keep | undefined;
  #places = new PagePlaces();
  #notes = new CommitNotes();
  /** Page sizes, each with the first commit that has it. */
  #sizes: [txid: number, size: number][] = [];
  #room = new PageRoom();
  /** The page that was read last: the engine has copied it before it reads another. */
  #page = new Uint8Array();

  /** @param hasher one that begins anew after each digest */
  constructor({ pages, logs }: PageFileHandles, hasher: Hasher) {
    this.#pages = pages;
    this.#log = new PageLog(logs, hasher);
  }

  /** For whom commits were made. */
  get notes(): CommitNotes {
    return this.#notes;
  }

  /** @throws DamageError `STORE_DAMAGED` when there was a database, and its log cannot be read */
  open(): Opened | undefined {
    const [first, ...records] = this.#log.open();
    this.#places = new PagePlaces();
    this.#notes = new CommitNotes();
    if (!first) {
      if (this.#pages.getSize() === 0) this.#log.restart(this.#all());
      else throw new DamageError("STORE_DAMAGED", "the log of the database is damaged: restore a backup");
    } else {
      this.#takeAll(first);
      for (const { head, numbers } of records) {
        if (head.kind === "commit") {
          this.#apply(head.commit as StoredCommit, numbers);
          this.#lineage = head.lineage as string;
          this.#notes.add(head.note as Note | undefined);
        }
        if (head.keep) this.#retain(head.keep as Kept);
      }
    }
    this.#told = undefined;
    this.#makeRoom();
    if (this.#commits.length === 0) return undefined;
    return { lineage: this.#lineage, commits: this.#commits, keep: this.#keep };
  }

  read(pgno: number, txid: number): Uint8Array {
    const version = this.#places.at(pgno, txid);
    if (!version) throw new DamageError("STORE_DAMAGED", `there is no page ${pgno} of TXID ${txid}`);
    const size = this.#sizeAt(version.txid);
    if (this.#page.length !== size) this.#page = new Uint8Array(size);
    readAll(this.#pages, this.#page, version.offset * UNIT);
    return this.#page;
  }

  commit(commit: StoredCommit, lineage: string, pgnos: Uint32Array, pages: Uint8Array[], keep: Keep): void {
    const { pageSize } = commit;
    this.#log.cut();
    const offsets = this.#room.take(pages.length, pageSize);
    const numbers = new Float64Array(2 * pages.length);
    for (const [at, offset] of offsets.entries()) numbers.set([pgnos[at] ?? 0, offset], 2 * at);
    const kept = this.#newKeep(keep);
    const note = this.#notes.next;
    const head = { kind: "commit", lineage, commit, ...(kept && { keep: kept }), ...(note && { note }) };
    try {
      this.#write(pages, offsets, pageSize);
      this.#pages.flush();
      this.#log.append({ head, numbers }, { flush: true });
    } catch (error) {
      this.#room.giveBack(offsets, pageSize);
      throw error;
    }
    // What was let go before is said in a record that lasts now.
    this.#room.settle();
    this.#lineage = lineage;
    this.#apply(commit, numbers);
    this.#notes.add(note);
    if (kept) this.#retain(kept);
    this.#room.settle();
    this.#told = keep;
    // The garbage collector would let many megabytes pile up.
    for (const page of pages) free(page);
    this.#tidy();
  }

  retain(keep: Keep): void {
    const kept = this.#newKeep(keep);
    this.#told = keep;
    if (!kept) return;
    this.#log.append({ head: { kind: "keep", keep: kept }, numbers: new Float64Array() }, { flush: false });
    this.#retain(kept);
  }

  changed(after: number, upto: number): number[] {
    return this.#places.changed(after, upto);
  }

  /** Closes the files. */
  close(): void {
    this.#pages.close();
    this.#log.close();
  }

  /** What is to be kept, unless that was said before. */
  #newKeep(keep: Keep): Kept | undefined {
    if (this.#told === keep) return undefined;
    const kept = { from: keep.from, pins: [...keep.pins] };
    return isEqual(this.#keep, kept) ? undefined : kept;
  }

  /** Writes pages that lie side by side at once. */
  #write(pages: Uint8Array[], offsets: number[], size: number): void {
    for (let at = 0; at < pages.length; ) {
      const first = offsets[at] ?? 0;
      let end = at + 1;
      const follows = () => offsets[end] === first + ((end - at) * size) / UNIT;
      while (end < pages.length && (end - at) * size < LONGEST_RUN && follows()) end++;
      const run = new Uint8Array((end - at) * size);
      for (let each = at; each < end; each++) run.set(pages[each] ?? [], (each - at) * size);
      writeAll(this.#pages, run, first * UNIT);
      at = end;
    }
  }

  /** Takes a commit in, whose pages are stored at the places in `numbers`. */
  #apply(commit: StoredCommit, numbers: Float64Array): void {
    const { txid, pageSize, pageCount } = commit;
    const before = this.#commits.at(-1)?.pageCount ?? 0;
    if (this.#sizeAt(txid) !== pageSize) this.#sizes.push([txid, pageSize]);
    for (let at = 0; at < numbers.length; at += 2) {
      const [pgno = 0, offset = 0] = numbers.subarray(at, at + 2);
      this.#places.replace(pgno, txid);
      if (pgno <= pageCount) this.#places.add(pgno, { txid, offset });
      else this.#room.let(offset, pageSize);
    }
    for (let pgno = pageCount + 1; pgno <= before; pgno++) this.#places.replace(pgno, txid);
    this.#commits.push(commit);
  }

  /** Lets go of what `kept` does not need. */
  #retain(kept: Kept): void {
    const before = this.#keep;
    this.#keep = kept;
    const gone = [...released(before, kept), [before.from, kept.from] as const];
    for (const [after, upto] of gone) {
      for (let txid = after + 1; txid <= upto; txid++) this.#drop(txid, kept);
    }
    const newest = this.#commits.at(-1)?.txid;
    const pins = new Set(kept.pins);
    const isShown = (txid: number) => txid >= kept.from || txid === newest || pins.has(txid);
    // The record after a kept state says until when that state lasted.
    this.#commits = this.#commits.filter(
      ({ txid }, at, all) => isShown(txid) || isShown(all[at - 1]?.txid ?? -1),
    );
  }

  /** Lets go of the versions that a commit replaced, as far as `kept` does not need them. */
  #drop(replacedAt: number, kept: Kept): void {
    for (const { txid, offset } of this.#places.drop(replacedAt, kept))
      this.#room.let(offset, this.#sizeAt(txid));
  }

  /** Begins the log anew when it has become long, and gives back what is free at the end of the pages. */
  #tidy(): void {
    if (this.#log.grown < Math.max(MUCH, TIMES * this.#log.first)) return;
    try {
      this.#log.restart(this.#all());
      this.#makeRoom();
    } catch {
      // The commit lasts already, in the log as it was. The next one tries again.
    }
  }

  /** Finds out what is free, and gives back what is behind the last page. All that is known must last. */
  #makeRoom(): void {
    const taken: [offset: number, size: number][] = [];
    for (const { txid, offset } of this.#places.all()) taken.push([offset, this.#sizeAt(txid)]);
    this.#room = PageRoom.around(taken, this.#sizeAt(Number.POSITIVE_INFINITY));
    if (this.#pages.getSize() > this.#room.end) this.#pages.truncate(this.#room.end);
  }

  #all(): LogRecord {
    const head = {
      kind: "all",
      lineage: this.#lineage,
      commits: this.#commits,
      keep: this.#keep,
      sizes: this.#sizes,
      notes: [...this.#notes],
    };
    return { head, numbers: this.#places.toNumbers() };
  }

  #takeAll({ head, numbers }: LogRecord): void {
    this.#lineage = head.lineage as string;
    this.#commits = head.commits as StoredCommit[];
    this.#keep = head.keep as Kept;
    this.#sizes = head.sizes as [number, number][];
    this.#places = PagePlaces.from(numbers);
    for (const note of (head.notes ?? []) as Note[]) this.#notes.add(note);
  }

  /** Size of the pages that a commit wrote, in bytes. */
  #sizeAt(txid: number): number {
    return this.#sizes.findLast(([from]) => from <= txid)?.[1] ?? UNIT;
  }
}

/**
 * For whom commits were made, which lasts with them: so that after the end of a process it can be told whether a request was done
 * whose answer did not arrive.
 */
class CommitNotes implements Iterable<Note> {
  /** The maker of the next commit. */
  next: Note | undefined;
  readonly #ids = new Map<string, Set<number>>();

  has(from: string, id: number): boolean {
    return this.#ids.get(from)?.has(id) ?? false;
  }

  add(note: Note | undefined): void {
    if (!note) return;
    const [from, id] = note;
    const ids = this.#ids.get(from) ?? new Set<number>();
    this.#ids.delete(from);
    this.#ids.set(from, ids.add(id));
    const [oldest] = this.#ids.keys();
    if (this.#ids.size > MOST_ASKERS && oldest !== undefined) this.#ids.delete(oldest);
  }

  /** Forgets what `from` asked for before its request `open`, the first that it has no answer to. */
  forget(from: string, open: number): void {
    const ids = this.#ids.get(from);
    for (const id of ids ?? []) if (id < open) ids?.delete(id);
  }

  *[Symbol.iterator](): Generator<Note, void, void> {
    for (const [from, ids] of this.#ids) for (const id of ids) yield [from, id];
  }
}
