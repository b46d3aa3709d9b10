import { type Core, core } from "../core/index.ts";
import { DamageError, ObjectMissingError, PagemarkError } from "../errors/index.ts";
import type { Store, StoredObject } from "../stores/store.ts";
import { collectText } from "../streams/streams.ts";
import { type BackupRecord, txidOf } from "./record.ts";

/** Records fetched at a time. */
const CONCURRENCY = 16;
/** A record with the text that is stored of it. */
export type EncodedRecord = InstanceType<Core["EncodedRecord"]>;

/** Larger than any record; what is longer is not one. */
const MOST_RECORD_BYTES = 1 << 20;

/** A link of a chain: a backup, and the keys of its objects. */
export interface Link {
  record: BackupRecord;
  ltx: string;
  fingerprints: string;
}

/** What the next backup will be; see the core's `catalog::Next`. */
export interface NextBackup {
  first: string;
  txid: string;
  previous: { first: string; sha256: string } | null;
  lineage: string;
  fullBecause: string | null;
  damaged: boolean;
}

/** An LTX file in the store, with or without a record. */
export interface LtxObject {
  key: string;
  size: number;
  createdMs: number;
}

export type Listed = { first: string } & (
  | { record: BackupRecord }
  | { damage: { code: string; message: string } }
);

/** The backups of one database in one store. */
export class History {
  readonly ltxFiles: LtxObject[] = [];
  /** Keys of the fingerprint files, with or without a record. */
  readonly fingerprintFiles: string[] = [];
  readonly #store: Store;
  readonly #folder: string;
  readonly #history: InstanceType<Core["History"]>;
  #recordKeys: string[] = [];
  /** By key in the store, in bytes. */
  readonly #sizes = new Map<string, number>();

  private constructor(store: Store, folder: string, history: InstanceType<Core["History"]>) {
    this.#store = store;
    this.#folder = folder;
    this.#history = history;
  }

  /**
   * Lists the database's folder and reads its records: all, or with `newest` only back to the last full backup,
   * which is all that the next backup needs. `onObject` is told what was listed.
   */
  static async load(
    store: Store,
    folder: string,
    which: "all" | "newest",
    signal?: AbortSignal,
    onObject?: (object: StoredObject) => void,
  ): Promise<History> {
    const history = new History(store, folder, new (await core()).History());
    await history.#list(signal, onObject);
    await history.#read(which, signal);
    return history;
  }

  /** Takes in a backup that was made since: its objects, and its record, which nobody else has any use for. */
  add(objects: readonly StoredObject[], record: EncodedRecord): void {
    for (const object of objects) this.#see(object);
    this.#history.addEncoded(record);
  }

  /** Refuses a folder that looks like backups and cannot be read. */
  checkKind(): void {
    this.#history.checkKind();
  }

  /**
   * Beginnings of the keys of all objects from those of `record` on, and of little else; none where they would be too
   * many.
   */
  prefixesFrom(record: BackupRecord): string[] {
    const below = this.#history.prefixes(record.first, this.#store.layout);
    return below.map((prefix) => `${this.#folder}/${prefix}`);
  }

  /** Every backup, oldest first, as part of its chain, or with what is wrong with that. */
  checked(): ({ first: string } & (Link | { damage: { code: string; message: string } }))[] {
    const checked: ReturnType<History["checked"]> = JSON.parse(this.#history.checked(this.#store.layout));
    return checked.map((entry) => ("ltx" in entry ? { ...entry, ...this.#placed(entry) } : entry));
  }

  /** Whether there is any record. */
  get isEmpty(): boolean {
    return this.#recordKeys.length === 0;
  }

  /** Oldest first. */
  list(): Listed[] {
    return JSON.parse(this.#history.list());
  }

  /** The backup that `at` means: see the core's `catalog::Target`. */
  find(at: string): BackupRecord {
    return namingOldest(
      () => JSON.parse(this.#history.find(at, Date.now())),
      () => this.list().flatMap((entry) => ("record" in entry ? [entry.record.createdAt] : []))[0],
    );
  }

  /** The backup that a database is compared with; see the core's `catalog::History::reference`. */
  reference(changes?: number): BackupRecord | undefined {
    return JSON.parse(this.#history.reference(changes)) ?? undefined;
  }

  /** A backup's objects. */
  linkOf(record: BackupRecord): Link {
    return this.#placed(JSON.parse(this.#history.linkOf(txidOf(record), this.#store.layout)));
  }

  /** From the full backup to `record`, oldest first. */
  chain(record: BackupRecord): Link[] {
    return this.#links(this.#history.chain(txidOf(record), this.#store.layout));
  }

  /** The backups whose fingerprint files together tell every page of `record`, oldest first. */
  fingerprints(record: BackupRecord): Link[] {
    return this.#links(this.#history.fingerprints(txidOf(record), this.#store.layout));
  }

  /** The LTX file of a link, if it is there and as long as it must be. */
  hasLtx({ ltx, record }: Link): boolean {
    return this.#sizes.get(ltx) === record.ltx.size;
  }

  /** How long an object was when it was listed, in bytes; of a record, nothing. */
  sizeOf(key: string): number | undefined {
    return this.#sizes.get(key);
  }

  wantsCompleteFingerprints(record: BackupRecord, changed: number): boolean {
    return this.#history.wantsCompleteFingerprints(txidOf(record), changed);
  }

  /** A database that has no lineage yet is given one. */
  next(): NextBackup {
    const next: NextBackup & { lineage: string | null } = JSON.parse(this.#history.next());
    return { ...next, lineage: next.lineage ?? randomHex(8) };
  }

  async #list(signal: AbortSignal | undefined, onObject?: (object: StoredObject) => void): Promise<void> {
    let cursor: string | undefined;
    do {
      const page = await this.#store.list(`${this.#folder}/`, { cursor, signal });
      for (const object of page.objects) {
        this.#see(object);
        onObject?.(object);
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  #see({ key, size, modified }: StoredObject): void {
    const below = key.slice(this.#folder.length + 1);
    if (this.#history.see(below, this.#store.layout)) this.#recordKeys.push(below);
    else if (below.endsWith(".pages")) {
      this.fingerprintFiles.push(below);
      this.#sizes.set(key, size);
    } else if (below.endsWith(".ltx")) {
      this.ltxFiles.push({ key: below, size, createdMs: modified.getTime() });
      this.#sizes.set(key, size);
    }
  }

  async #read(which: "all" | "newest", signal: AbortSignal | undefined): Promise<void> {
    const newestFirst = this.#recordKeys.toReversed();
    for (let at = 0; at < newestFirst.length; at += CONCURRENCY) {
      const keys = newestFirst.slice(at, at + CONCURRENCY);
      const texts = await Promise.all(keys.map((key) => this.#readRecord(key, signal)));
      for (const [index, key] of keys.entries()) {
        const text = texts[index];
        if (text !== undefined) this.#history.add(key, text);
      }
      if (which === "newest" && this.#history.hasFull) return;
    }
  }

  /** `undefined` when the record was deleted since it was listed. */
  async #readRecord(key: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    try {
      const stream = await this.#store.get(`${this.#folder}/${key}`, { length: MOST_RECORD_BYTES, signal });
      // What is no UTF-8 shows in the record's digest.
      return await collectText(stream);
    } catch (error) {
      if (error instanceof ObjectMissingError) return undefined;
      throw error;
    }
  }

  #links(json: string): Link[] {
    const links: Link[] = JSON.parse(json);
    return links.map((link) => this.#placed(link));
  }

  #placed({ record, ltx, fingerprints }: Link): Link {
    return { record, ltx: `${this.#folder}/${ltx}`, fingerprints: `${this.#folder}/${fingerprints}` };
  }
}

/** Runs `find`. When it says that a time is before the first backup, the error says which that is. */
export function namingOldest<T>(find: () => T, oldest: () => string | undefined): T {
  try {
    return find();
  } catch (error) {
    if ((error as { code?: string }).code !== "TIME_BEFORE_FIRST") throw error;
    const message = `that time is before the first backup; the oldest is of ${oldest() ?? "a later time"}`;
    throw new PagemarkError("TIME_BEFORE_FIRST", message);
  }
}

function randomHex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))]
    .map((b) => b.toString(16).padStart(2, "0"))
    .join("");
}

/** Checks that a link's LTX file is there and as long as it must be, before anything is read or written. */
export async function checkPresence(
  store: Store,
  files: { key: string; size: number }[],
  signal?: AbortSignal,
) {
  for (let at = 0; at < files.length; at += CONCURRENCY) {
    const batch = files.slice(at, at + CONCURRENCY);
    const found = await Promise.all(batch.map(({ key }) => store.head(key, { signal })));
    for (const [index, { key, size }] of batch.entries()) {
      const object = found[index];
      if (!object) throw new ObjectMissingError(key);
      if (object.size !== size) {
        const message = `${key} has ${object.size} bytes instead of ${size}: it is damaged; restore another backup, or put the object back`;
        throw new DamageError("OBJECT_DAMAGED", message, { name: key });
      }
    }
  }
}
