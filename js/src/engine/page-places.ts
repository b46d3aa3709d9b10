import { isNeeded, type Kept } from "./page-versions.ts";

/** A version of a page: which commit wrote it, and where it lies, in units of the file of pages. */
export interface Version {
  txid: number;
  offset: number;
}

/** A version that a commit replaced, or shrank away. */
interface Old extends Version {
  replacedAt: number;
}

/** Numbers of a version in a record of all of them. */
const FIELDS = 4;
const LEAST_ROOM = 64;

/** Where each version of each page lies. Takes 12 bytes for each page of the database, and some 60 for each older version. */
export class PagePlaces {
  /** TXIDs of the newest versions, by page number; 0 where there is none. */
  #txids = new Float64Array(LEAST_ROOM);
  #offsets = new Uint32Array(LEAST_ROOM);
  /** The highest page number that ever had a version. */
  #highest = 0;
  /** Versions that were replaced and are kept, by page number, ascending. */
  readonly #old = new Map<number, Old[]>();
  /** Their page numbers, by the commit that replaced them. */
  readonly #replaced = new Map<number, number[]>();

  /** The version that the state `txid` shows. */
  at(pgno: number, txid: number): Version | undefined {
    const newest = this.#newest(pgno);
    if (newest && newest.txid <= txid) return newest;
    return this.#old.get(pgno)?.findLast((old) => old.txid <= txid && old.replacedAt > txid);
  }

  /** Pages of which the state `upto` shows a version that is newer than `after`, ascending. */
  changed(after: number, upto: number): number[] {
    const changed: number[] = [];
    for (let pgno = 1; pgno <= this.#highest; pgno++) {
      if ((this.at(pgno, upto)?.txid ?? 0) > after) changed.push(pgno);
    }
    return changed;
  }

  /** Adds the newest version of a page. */
  add(pgno: number, { txid, offset }: Version): void {
    if (pgno >= this.#txids.length) this.#grow(pgno);
    this.#txids[pgno] = txid;
    this.#offsets[pgno] = offset;
    this.#highest = Math.max(this.#highest, pgno);
  }

  /** Makes the newest version of a page, if there is one, an old one. */
  replace(pgno: number, replacedAt: number): void {
    const newest = this.#newest(pgno);
    if (!newest) return;
    this.#addOld(pgno, { ...newest, replacedAt });
    this.#txids[pgno] = 0;
  }

  /** Lets go of those versions that a commit replaced which `kept` does not need, and says which these were. */
  drop(replacedAt: number, kept: Kept): Version[] {
    const dropped: Version[] = [];
    const left = (this.#replaced.get(replacedAt) ?? []).filter((pgno) => {
      const old = this.#old.get(pgno) ?? [];
      const at = old.findIndex((version) => version.replacedAt === replacedAt);
      const version = old[at];
      if (!version) return false;
      if (isNeeded({ ...version, pgno }, kept)) return true;
      dropped.push(version);
      old.splice(at, 1);
      if (old.length === 0) this.#old.delete(pgno);
      return false;
    });
    if (left.length > 0) this.#replaced.set(replacedAt, left);
    else this.#replaced.delete(replacedAt);
    return dropped;
  }

  /** Every version. */
  *all(): Generator<Version, void, void> {
    for (let pgno = 1; pgno <= this.#highest; pgno++) {
      const newest = this.#newest(pgno);
      if (newest) yield newest;
    }
    for (const old of this.#old.values()) yield* old;
  }

  /** All that is known, four numbers a version: page number, offset, TXID, and the commit that replaced it or 0. */
  toNumbers(): Float64Array<ArrayBuffer> {
    let count = 0;
    for (const _ of this.all()) count++;
    const numbers = new Float64Array(FIELDS * count);
    let at = 0;
    const add = (pgno: number, { offset, txid }: Version, replacedAt: number) => {
      numbers.set([pgno, offset, txid, replacedAt], at);
      at += FIELDS;
    };
    for (let pgno = 1; pgno <= this.#highest; pgno++) {
      const newest = this.#newest(pgno);
      if (newest) add(pgno, newest, 0);
    }
    for (const [pgno, old] of this.#old) for (const version of old) add(pgno, version, version.replacedAt);
    return numbers;
  }

  /** From what {@link toNumbers} gave. */
  static from(numbers: Float64Array): PagePlaces {
    const places = new PagePlaces();
    for (let at = 0; at < numbers.length; at += FIELDS) {
      const [pgno = 0, offset = 0, txid = 0, replacedAt = 0] = numbers.subarray(at, at + FIELDS);
      if (replacedAt === 0) places.add(pgno, { txid, offset });
      else places.#addOld(pgno, { txid, offset, replacedAt });
    }
    return places;
  }

  #newest(pgno: number): Version | undefined {
    const txid = this.#txids[pgno];
    return txid ? { txid, offset: this.#offsets[pgno] ?? 0 } : undefined;
  }

  #addOld(pgno: number, old: Old): void {
    const before = this.#old.get(pgno);
    if (before) before.push(old);
    else this.#old.set(pgno, [old]);
    const replaced = this.#replaced.get(old.replacedAt);
    if (replaced) replaced.push(pgno);
    else this.#replaced.set(old.replacedAt, [pgno]);
  }

  /** Makes room for a page number. */
  #grow(pgno: number): void {
    const length = Math.max(2 * this.#txids.length, pgno + 1);
    const txids = new Float64Array(length);
    const offsets = new Uint32Array(length);
    txids.set(this.#txids);
    offsets.set(this.#offsets);
    [this.#txids, this.#offsets] = [txids, offsets];
  }
}
