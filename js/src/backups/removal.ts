import { refusal } from "../catalog/folder.ts";
import { core } from "../core/index.ts";
import { StoreError } from "../errors/index.ts";
import { hostFailure, type Outcome } from "../host/drive.ts";
import { driveOnStore } from "../host/store-host.ts";
import type { Store } from "../stores/store.ts";

/** Where a database's backups are. */
export interface Place {
  store: Store;
  /** The database's folder. */
  folder: string;
}

/**
 * Deletes these backups for good, after what earlier removals have left (`src/run/remove.rs`). Nobody may back up on top of
 * them meanwhile.
 *
 * @throws PagemarkError `BACKUP_UNKNOWN`; `BACKUP_NEEDED` when another backup is made of one of them
 * @throws StoreError when the store does not delete; another removal goes on there
 */
export async function removeBackups(
  { store, folder }: Place,
  ids: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<void> {
  const { Machine } = await core();
  const random = crypto.getRandomValues(new Uint8Array(16));
  const machine = Machine.remove(folder, store.layout, [...ids], random);
  await driveOnStore<null, void>(machine, store, signal, (outcome) => {
    if (outcome.failure) throw problemOf(outcome);
  });
}

/** Goes on with the removals that did not come to their end. */
export function finishRemovals(place: Place, signal: AbortSignal | undefined): Promise<void> {
  return removeBackups(place, new Set(), signal);
}

function problemOf(outcome: Outcome<null>): unknown {
  const { failure } = outcome;
  const error = hostFailure(outcome);
  if (failure?.kind === "host" || failure?.kind === "otherName") return error;
  if (failure?.kind !== "undeleted") return refusal(failure as Parameters<typeof refusal>[0]);
  if (!(error instanceof StoreError)) return error;
  const message =
    `${error.message}; ${failure.size} of ${failure.wanted} objects were deleted. A store that is append-only keeps all of them: ` +
    "prune with the right to delete, which goes on here";
  return new StoreError(error.code as `STORE_${string}`, message, error.at, { cause: error });
}
