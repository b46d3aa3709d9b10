// A store of page versions as short as an honest one can be: what the engine's tests keep databases in.
import type { PageStore, Scratch } from "pagemark/engine";

type Opened = NonNullable<ReturnType<PageStore["open"]>>;
type StoredCommit = Opened["commits"][number];
type Keep = Parameters<PageStore["retain"]>[0];

/** What a page was from a commit on. */
interface Version {
  txid: number;
  page: Uint8Array;
}

/** Keeps versions in a Map. Nothing of it is as clever as a real one; it is meant to be right by looking at it. */
export class MapStore implements PageStore {
  #versions = new Map<number, Version[]>();
  #commits: StoredCommit[] = [];
  #lineage: string | undefined;
  #keep = { from: 1, pins: [] as number[] };
  readonly scratch: MapScratch | undefined;

  /** With `scratch` it takes what is not committed, too. */
  constructor({ scratch = false } = {}) {
    if (scratch) this.scratch = new MapScratch();
  }

  open(): Opened | undefined {
    this.scratch?.clear();
    if (this.#lineage === undefined) return undefined;
    return { lineage: this.#lineage, commits: [...this.#commits], keep: structuredClone(this.#keep) };
  }

  read(pgno: number, txid: number): Uint8Array {
    const staged = this.scratch?.page(pgno, txid);
    if (staged) return staged;
    const version = this.#versions.get(pgno)?.findLast((each) => each.txid <= txid);
    if (!version) throw new Error(`there is no page ${pgno} of ${txid}`);
    return version.page;
  }

  commit(commit: StoredCommit, lineage: string, pgnos: Uint32Array, pages: Uint8Array[], keep: Keep): void {
    const { txid, pageCount } = commit;
    const all = new Map(this.scratch?.take(txid));
    pgnos.forEach((pgno, index) => {
      all.set(pgno, (pages[index] ?? new Uint8Array()).slice());
    });
    for (const [pgno, page] of all) {
      if (pgno > pageCount) continue;
      this.#versions.set(pgno, [...(this.#versions.get(pgno) ?? []), { txid, page }]);
    }
    this.#commits.push(commit);
    this.#lineage = lineage;
    this.retain(keep);
  }

  retain({ from, pins }: Keep): void {
    this.#keep = { from, pins: [...pins] };
    const commits = this.#commits;
    const newest = commits.at(-1)?.txid ?? 0;
    const shown = commits.filter(
      ({ txid }) => txid >= from || txid === newest || this.#keep.pins.includes(txid),
    );
    for (const [pgno, versions] of this.#versions) {
      const needed = new Set<Version | undefined>();
      for (const { txid, pageCount } of shown) {
        if (pgno <= pageCount) needed.add(versions.findLast((each) => each.txid <= txid));
      }
      const left = versions.filter((version) => needed.has(version));
      if (left.length > 0) this.#versions.set(pgno, left);
      else this.#versions.delete(pgno);
    }
    const kept = new Set(shown.map(({ txid }) => txid));
    this.#commits = commits.filter(({ txid }, at) => kept.has(txid) || kept.has(commits[at - 1]?.txid ?? 0));
  }

  changed(after: number, upto: number): number[] {
    const isNewer = (versions: Version[]) =>
      (versions.findLast(({ txid }) => txid <= upto)?.txid ?? 0) > after;
    const changed = [...this.#versions].filter(([, versions]) => isNewer(versions)).map(([pgno]) => pgno);
    return changed.sort((a, b) => a - b);
  }

  /** Another store with the same in it. */
  copy(): MapStore {
    const copy = new MapStore();
    copy.#versions = new Map(this.#versions);
    copy.#commits = [...this.#commits];
    copy.#lineage = this.#lineage;
    copy.#keep = structuredClone(this.#keep);
    return copy;
  }

  get commits(): readonly StoredCommit[] {
    return this.#commits;
  }

  /** How many bytes of pages there are, over all versions. */
  get size(): number {
    const versions = [...this.#versions.values()].flat();
    return versions.reduce((sum, { page }) => sum + page.length, 0);
  }
}

/** What is not committed, in Maps. */
export class MapScratch implements Scratch {
  #staged = new Map<number, Uint8Array>();
  #txid = 0;
  #blocks = new Map<string, Uint8Array>();

  stage(txid: number, pgnos: Uint32Array, pages: Uint8Array[]): void {
    if (this.#staged.size > 0 && txid !== this.#txid) throw new Error(`${this.#txid} is staged`);
    this.#txid = txid;
    pgnos.forEach((pgno, index) => {
      this.#staged.set(pgno, (pages[index] ?? new Uint8Array()).slice());
    });
  }

  unstage(): void {
    this.#staged.clear();
  }

  writeBlock(file: number, block: number, bytes: Uint8Array): void {
    this.#blocks.set(`${file} ${block}`, bytes.slice());
  }

  readBlock(file: number, block: number): Uint8Array {
    const bytes = this.#blocks.get(`${file} ${block}`);
    if (!bytes) throw new Error(`there is no block ${block} of file ${file}`);
    return bytes;
  }

  dropFile(file: number): void {
    for (const key of this.#blocks.keys()) if (key.startsWith(`${file} `)) this.#blocks.delete(key);
  }

  page(pgno: number, txid: number): Uint8Array | undefined {
    return txid === this.#txid ? this.#staged.get(pgno) : undefined;
  }

  /** What is staged for a commit; it is not any more. */
  take(txid: number): Map<number, Uint8Array> {
    if (this.#staged.size > 0 && txid !== this.#txid) throw new Error(`${this.#txid} is staged`);
    const staged = this.#staged;
    this.#staged = new Map();
    return staged;
  }

  clear(): void {
    this.#staged.clear();
    this.#blocks.clear();
  }

  /** How many pages are staged, and how many blocks there are. */
  get held(): [pages: number, blocks: number] {
    return [this.#staged.size, this.#blocks.size];
  }
}

/** What is called around each call; either may throw. */
export interface Watching {
  before?: (method: Method) => void;
  /** The call has been done; what it gave is lost when this throws. */
  after?: (method: Method) => void;
}

export type Method = Exclude<keyof PageStore, "scratch"> | keyof Scratch;

/** The same store, with someone watching. */
export function watched(store: PageStore, { before, after }: Watching): PageStore {
  const { scratch } = store;
  const watch = <T>(method: Method, call: () => T): T => {
    before?.(method);
    const answer = call();
    after?.(method);
    return answer;
  };
  return {
    open: () => watch("open", () => store.open()),
    read: (...args) => watch("read", () => store.read(...args)),
    commit: (...args) => watch("commit", () => store.commit(...args)),
    retain: (...args) => watch("retain", () => store.retain(...args)),
    changed: (...args) => watch("changed", () => store.changed(...args)),
    scratch: scratch && {
      stage: (...args) => watch("stage", () => scratch.stage(...args)),
      unstage: () => watch("unstage", () => scratch.unstage()),
      writeBlock: (...args) => watch("writeBlock", () => scratch.writeBlock(...args)),
      readBlock: (...args) => watch("readBlock", () => scratch.readBlock(...args)),
      dropFile: (...args) => watch("dropFile", () => scratch.dropFile(...args)),
    },
  };
}
