import { type Core, core } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import { damaged, ObjectReader, type StoredFile } from "../objects/object-reader.ts";
import type { Store } from "../stores/store.ts";

/** Length of a page's state, in bytes: its checksum, then its fingerprint. */
export const STATE_SIZE = 24;

/** A backup whose pages' fingerprints are wanted. */
export interface Fingerprinted {
  view: { pageSize: number; pageCount: number };
  /** Oldest first. */
  fingerprints: StoredFile[];
  /** Database checksum, 16 hex digits. */
  checksum: string;
}

/** The states of every page at the last backup, in order: what an incremental backup compares with. */
export class PreviousStates {
  readonly pageCount: number;
  readonly checksum: string;
  readonly #previous: InstanceType<Core["Previous"]>;
  readonly #base: ObjectReader;
  readonly #baseKey: string;
  #atEnd = false;

  /** Reads the fingerprint files of a backup: the oldest one streamed, the others whole. */
  static async open(store: Store, backup: Fingerprinted, signal?: AbortSignal): Promise<PreviousStates> {
    const { fingerprints, checksum } = backup;
    const { pageSize, pageCount } = backup.view;
    const [base, ...changes] = fingerprints;
    // As of a state between backups, and of a backup whose records are lost.
    if (!base) throw new DamageError("FINGERPRINTS", "there are no fingerprints of that state");
    const previous = new (await core()).Previous(pageSize, pageCount, checksum);
    const open = (file: StoredFile) => ObjectReader.open(store, file, Number.POSITIVE_INFINITY, signal);
    for (const file of changes) previous.addChanges(await readWhole(await open(file), file.size));
    return new PreviousStates(previous, await open(base), base.key, { pageCount, checksum });
  }

  private constructor(
    previous: InstanceType<Core["Previous"]>,
    base: ObjectReader,
    baseKey: string,
    { pageCount, checksum }: { pageCount: number; checksum: string },
  ) {
    this.#previous = previous;
    this.#base = base;
    this.#baseKey = baseKey;
    this.pageCount = pageCount;
    this.checksum = checksum;
  }

  /** The states of the next `count` pages, 24 bytes each; zeros for a page that was not there. */
  async next(count: number): Promise<Uint8Array> {
    for (;;) {
      const states = this.#previous.states(count);
      if (states) return states;
      if (!(await this.#feed())) throw damaged(this.#baseKey, "ends too early");
    }
  }

  /** Reads the rest, so that the base file is proved whole: until then nothing may rest on it. */
  async finish(): Promise<void> {
    while (await this.#feed());
  }

  async close(): Promise<void> {
    await this.#base.close();
    this.#previous.free();
  }

  async #feed(): Promise<boolean> {
    if (this.#atEnd) return false;
    const bytes = await this.#base.next();
    this.#atEnd = bytes.length === 0;
    if (!this.#atEnd) this.#previous.feed(bytes);
    return !this.#atEnd;
  }
}

async function readWhole(reader: ObjectReader, size: number): Promise<Uint8Array> {
  const whole = new Uint8Array(size);
  let filled = 0;
  for (let bytes = await reader.next(); bytes.length > 0; bytes = await reader.next()) {
    whole.set(bytes, filled);
    filled += bytes.length;
  }
  return whole;
}

/** Whether `error` says that the fingerprint files of a backup cannot be used. */
export function isLostFingerprint(error: unknown, { fingerprints }: Fingerprinted): boolean {
  const { code, at } = error as { code?: string; at?: { name?: string } };
  if (code === "FINGERPRINTS") return true;
  const lost = code === "OBJECT_DAMAGED" || code === "OBJECT_MISSING";
  return lost && fingerprints.some(({ key }) => key === at?.name);
}
