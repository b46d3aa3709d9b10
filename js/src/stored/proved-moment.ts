import type { RestorePlan } from "../catalog/folder.ts";
import type { Moment } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import { drain } from "../streams/streams.ts";
import { PageProof } from "./page-proof.ts";
import { isLostFingerprint, PreviousStates } from "./page-states.ts";
import { restoreStream } from "./restore.ts";
import { openStoredMoment } from "./stored-moment.ts";

/**
 * The pages of a stored backup, each proved: part of a stored file has no checksum of its own. Where there are no
 * fingerprints, or no more, the whole chain is read once as a restore reads it.
 */
export async function openProvedMoment(
  store: Store,
  plan: RestorePlan,
  signal?: AbortSignal,
  isSparse = false,
): Promise<Moment> {
  const proof = await loadProof(store, plan, signal);
  if (!proof) await drain(restoreStream(store, plan, { signal }));
  try {
    return await openStoredMoment(store, plan, { signal, proof, isSparse });
  } catch (error) {
    proof?.free();
    throw error;
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
