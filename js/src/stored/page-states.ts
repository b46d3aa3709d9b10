import type { Link } from "../catalog/history.ts";
import { checksumIn } from "../catalog/record.ts";
import { type Core, core } from "../core/index.ts";
import { damaged, ObjectReader } from "../objects/object-reader.ts";
import type { Store } from "../stores/store.ts";

/** Length of a page's state, in bytes: its checksum, then its fingerprint. */
export const STATE_SIZE = 24;

/** The states of every page at the last backup, in order: what an incremental backup compares with. */
export class PreviousStates {
  readonly pageCount: number;
  readonly checksum: string;
  readonly #previous: InstanceType<Core["Previous"]>;
  readonly #base: ObjectReader;
  readonly #baseKey: string;
  #atEnd = false;

  /** Reads the fingerprint files of `links`, oldest first: the first one streamed, the others whole. */
  static async open(store: Store, links: Link[], signal?: AbortSignal): Promise<PreviousStates> {
    const [base, ...changes] = links;
    const last = links.at(-1);
    if (!base || !last) throw new Error("a chain has at least one link");
    const { pageSize, pageCount, bookmark } = last.record;
    const checksum = checksumIn(bookmark);
    const previous = new (await core()).Previous(pageSize, pageCount, checksum);
    const open = ({ record, fingerprints }: Link, step: number) =>
      ObjectReader.open(store, { key: fingerprints, ...record.fingerprints }, step, signal);
    for (const link of changes) {
      previous.addChanges(
        await readWhole(await open(link, Number.POSITIVE_INFINITY), link.record.fingerprints.size),
      );
    }
    return new PreviousStates(previous, await open(base, Number.POSITIVE_INFINITY), base.fingerprints, {
      pageCount,
      checksum,
    });
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

/** Whether `error` says that the fingerprints of `links` cannot be used, so that a full backup must be made. */
export function isLostFingerprint(error: unknown, links: Link[]): boolean {
  const { code, at } = error as { code?: string; at?: { name?: string } };
  if (code === "FINGERPRINTS") return true;
  const lost = code === "OBJECT_DAMAGED" || code === "OBJECT_MISSING";
  return lost && links.some(({ fingerprints }) => fingerprints === at?.name);
}
