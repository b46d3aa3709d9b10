import { type Backup, refuseWithoutRecords } from "../catalog/folder.ts";
import { core } from "../core/index.ts";
import { DamageError, PagemarkError } from "../errors/index.ts";
import { drive, hostFailure, type Request } from "../host/drive.ts";
import { StoreHost } from "../host/store-host.ts";
import { ObjectReader, otherSize, type StoredFile } from "../objects/object-reader.ts";
import { restoreStream } from "../stored/restore.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions } from "../streams/progress.ts";
import { drain } from "../streams/streams.ts";

/** What is verified. */
export interface VerifyOptions extends JobOptions {
  /** Verifies this backup alone: id, bookmark, TXID or time. All of them unless given. */
  at?: string;
  /**
   * Reads a part of the objects only, and does not put the newest backup together; that all are there, and as long as they must
   * be, is checked all the same.
   */
  sample?: Sample | undefined;
}

/** A share of the objects, at random (above 0, 1 for all); or the part `part` of `of` parts, which together are all of them. */
export type Sample = { share: number } | { part: number; of: number };

/** What is wrong with one backup. */
export interface Problem {
  code: string;
  message: string;
  /** Key of the object, or first TXID of the record. */
  name: string;
}

/** What a verification read, and what it found. */
export interface Verification {
  /** Backups that can be restored. */
  sound: Backup[];
  /** What is wrong; empty when all is well. */
  problems: Problem[];
  /** Stored bytes that were read. */
  bytes: number;
}

/** What the core found: see `src/run/verify.rs`. */
interface Found {
  sound: Backup[];
  problems: (Problem | { token: number; name: string })[];
  /** Keys of files that are made of others. */
  merged: string[];
}

/**
 * Reads every object of every backup against its recorded digest, and puts the newest backup (or the one of `at`)
 * together as a restore would, against its database checksum.
 */
export async function verify(
  store: Store,
  folder: string,
  options: VerifyOptions = {},
): Promise<Verification> {
  const { Machine } = await core();
  const machine = Machine.verify(folder, store.layout, options.at, Date.now());
  const host = new VerifyHost(store, options);
  try {
    const outcome = await drive<Found>(machine, (request) => host.perform(request));
    if (!outcome.result) throw hostFailure(outcome);
    const { sound, problems, merged: keys } = outcome.result;
    if (sound.length + problems.length === 0) await refuseWithoutRecords(store, folder, options.signal);
    const told = problems.map((each) =>
      "token" in each ? problemOf(outcome.failures[each.token], each.name) : each,
    );
    const merged = await host.proveMerged(keys);
    // The newest backup may have been put together of one of them.
    const others = told.filter(({ name }) => !merged.some((each) => each.name === name));
    const lost = await lostOf(store, folder, options.signal);
    return { sound, problems: [...lost, ...others, ...merged], bytes: host.bytes };
  } finally {
    machine.free();
  }
}

/** What is missing by the account of a store that keeps one. */
async function lostOf(store: Store, folder: string, signal: AbortSignal | undefined): Promise<Problem[]> {
  try {
    await store.checkComplete?.(folder, { signal });
    return [];
  } catch (error) {
    if (!(error instanceof PagemarkError) || !error.code.startsWith("LOCALITY_")) throw error;
    return [{ code: error.code, message: error.message, name: error.at.name ?? folder }];
  }
}

type Proving = Extract<Request, { kind: "prove" }>;

/** Reads what is to be proved. */
class VerifyHost {
  bytes = 0;
  readonly #store: Store;
  readonly #storeHost: StoreHost;
  readonly #options: VerifyOptions;
  readonly #isRead: (key: string) => boolean;
  /** Keys of objects that were read by themselves. */
  readonly #proved = new Set<string>();
  /** What ended one of those that read: the others then end, too, and say nothing more. */
  #isOver = false;

  constructor(store: Store, options: VerifyOptions) {
    this.#isRead = samplerOf(options.sample);
    this.#store = store;
    this.#storeHost = new StoreHost(store, options.signal);
    this.#options = options;
  }

  async perform(request: Request) {
    this.#storeHost.check(request);
    if (request.kind === "prove") return this.#blamingStore(() => this.#prove(request));
    if (request.kind === "putTogether") return this.#blamingStore(() => this.#putTogether(request));
    return this.#storeHost.perform(request);
  }

  async #prove({ file, listed, total }: Proving): Promise<undefined> {
    const { signal, onProgress } = this.#options;
    if (listed === file.size && !this.#isRead(file.key)) return;
    this.#proved.add(file.key);
    const reader = await ObjectReader.open(this.#store, file, Number.POSITIVE_INFINITY, signal);
    try {
      // A restore refuses an object that is too long, though all that it would read is right.
      if (listed !== undefined && listed !== file.size) throw otherSize(file, listed);
      for (let bytes = await reader.next(); bytes.length > 0 && !this.#isOver; bytes = await reader.next()) {
        this.bytes += bytes.length;
        // Until it has returned, so that what it throws is the last that is heard of it.
        this.#isOver = true;
        onProgress?.({ phase: "verify", done: this.bytes, total, bytes: this.bytes });
        this.#isOver = false;
      }
    } finally {
      await reader.close();
    }
  }

  async #putTogether({ files, bookmark }: { files: StoredFile[]; bookmark?: string }): Promise<undefined> {
    const { signal } = this.#options;
    const isReplica = bookmark === undefined;
    if (!isReplica && this.#options.sample) return;
    // Files without a record, of Litestream or of states that are watched, prove themselves: they are read here alone.
    const others = isReplica ? files.filter(({ key }) => !this.#proved.has(key)) : [];
    this.bytes += others.reduce((sum, { size }) => sum + size, 0);
    const plan = { files, ...(!isReplica && { backup: { view: { bookmark } } }) };
    await drain(restoreStream(this.#store, plan, isReplica ? this.#options : { signal }));
  }

  /** Finds files made of others that cannot be read: each proves itself, and no backup is lost with it. */
  async proveMerged(keys: readonly string[]): Promise<Problem[]> {
    const { signal } = this.#options;
    const { Compaction } = await core();
    const problems: Problem[] = [];
    for (const key of keys.filter(this.#isRead)) {
      const compaction = new Compaction(1);
      const body = await this.#store.get(key, { signal });
      const reader = body.getReader();
      try {
        for (let next = compaction.next(); next !== undefined; next = compaction.next()) {
          if (typeof next !== "number") continue;
          const { value = new Uint8Array() } = await reader.read();
          this.bytes += value.length;
          compaction.feed(0, value);
        }
      } catch (error) {
        const { code, message } = error as PagemarkError;
        if (!(error instanceof DamageError)) throw error;
        problems.push({
          code,
          message: `${message}; delete this file: it is made of others, and made again`,
          name: key,
        });
      } finally {
        await reader.cancel().catch(() => {});
        compaction.free();
      }
    }
    return problems;
  }

  /** What the package throws says something of what is stored; other errors, and an abort, end the job. */
  async #blamingStore<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const isOurs = error instanceof PagemarkError;
      this.#isOver ||= this.#options.signal?.aborted === true || !isOurs;
      this.#options.signal?.throwIfAborted();
      if (!isOurs || error instanceof DamageError) throw error;
      throw new DamageError(error.code, error.message, error.at);
    }
  }
}

function problemOf(error: unknown, name: string): Problem {
  const { code, message, at } = error as PagemarkError;
  return { code, message, name: at.name ?? name };
}

/** Says which objects are read. */
function samplerOf(sample: Sample | undefined): (key: string) => boolean {
  if (sample === undefined) return () => true;
  if ("share" in sample) {
    const { share } = sample;
    if (!(share > 0 && share <= 1))
      throw new PagemarkError("USAGE", "a sample must be above 0 % and at most 100 %");
    return () => Math.random() < share;
  }
  const { part, of } = sample;
  if (!(Number.isInteger(part) && Number.isInteger(of) && part >= 1 && part <= of))
    throw new PagemarkError("USAGE", "a sample n/t must be of whole numbers, from 1/t to t/t");
  return (key) => hashOf(key) % of === part - 1;
}

/** The same for a key every time: FNV-1a, mixed once more, since keys differ in their last digits. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
