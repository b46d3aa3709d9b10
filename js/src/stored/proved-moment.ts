import type { RestorePlan } from "../catalog/folder.ts";
import type { Moment } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import { drain } from "../streams/streams.ts";
import type { Reach } from "./frame-reader.ts";
import { PageProof } from "./page-proof.ts";
import { isLostFingerprint, PreviousStates } from "./page-states.ts";
import { restoreStream } from "./restore.ts";
import { SparseChain, type SparsePlan } from "./sparse-chain.ts";
import { openStoredMoment, StoredMoment } from "./stored-moment.ts";

/** How a stored backup is opened. */
export interface ProvedOptions {
  signal?: AbortSignal | undefined;
  /** What will be read; most of the pages unless given. */
  reach?: Reach;
  /** Where the pages lie, if somebody knows it already. */
  chain?: SparseChain | undefined;
}

/**
 * The pages of a stored backup, each proved: part of a stored file has no checksum of its own. Where there are no
 * fingerprints, or no more, the whole chain is read once as a restore reads it.
 */
export async function openProvedMoment(
  store: Store,
  plan: RestorePlan,
  options: ProvedOptions = {},
): Promise<Moment> {
  const { signal, reach = "most" } = options;
  if (reach !== "most" && SparseChain.isFor(plan)) return openSparseMoment(store, plan, options);
  const proof = await loadProof(store, plan, signal);
  if (!proof) await drain(restoreStream(store, plan, { signal }));
  try {
    return await openStoredMoment(store, plan, { signal, proof, reach });
  } catch (error) {
    proof?.free();
    throw error;
  }
}

/** The same for a backup of which few pages will be read: nothing is read but what they take. */
async function openSparseMoment(store: Store, plan: SparsePlan, options: ProvedOptions): Promise<Moment> {
  const { signal } = options;
  const chain = options.chain ?? (await openSparseChain(store, plan, signal));
  if (!chain) return openProvedMoment(store, plan, { signal });
  return new SparseMoment(store, plan, new StoredMoment(store, chain, plan.backup.name, options), options);
}

/** Where the pages of a backup lie; nothing where that is damaged. */
export async function openSparseChain(
  store: Store,
  plan: SparsePlan,
  signal?: AbortSignal,
): Promise<SparseChain | undefined> {
  try {
    return await SparseChain.open(store, plan, signal);
  } catch (error) {
    if (isLostFingerprint(error, plan.backup)) return undefined;
    throw error;
  }
}

/** Goes over to reading what it can when fingerprints turn out to be damaged. */
class SparseMoment implements Moment {
  readonly taken: Moment["taken"];
  readonly pageSize: number;
  readonly pageCount: number;
  readonly #store: Store;
  readonly #plan: SparsePlan;
  readonly #options: ProvedOptions;
  #moment: Promise<Moment>;
  #isWhole = false;

  constructor(store: Store, plan: SparsePlan, moment: Moment, options: ProvedOptions) {
    this.taken = moment.taken;
    this.pageSize = moment.pageSize;
    this.pageCount = moment.pageCount;
    this.#store = store;
    this.#plan = plan;
    this.#options = options;
    this.#moment = Promise.resolve(moment);
  }

  async read(first: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    try {
      return await (await this.#moment).read(first, into, signal);
    } catch (error) {
      if (!isLostFingerprint(error, this.#plan.backup)) throw error;
      if (!this.#isWhole)
        this.#moment = openProvedMoment(this.#store, this.#plan, { signal: this.#options.signal });
      this.#isWhole = true;
      return await (await this.#moment).read(first, into, signal);
    }
  }

  async release(): Promise<void> {
    await (await this.#moment).release();
  }
}

async function loadProof(
  store: Store,
  { backup }: RestorePlan,
  signal: AbortSignal | undefined,
): Promise<PageProof | undefined> {
  if (!backup) return undefined;
  let states: PreviousStates | undefined;
  try {
    states = await PreviousStates.open(store, backup, signal);
    return await PageProof.load(states, backup.view.pageSize);
  } catch (error) {
    if (!isLostFingerprint(error, backup)) throw error;
    return undefined;
  } finally {
    await states?.close();
  }
}
