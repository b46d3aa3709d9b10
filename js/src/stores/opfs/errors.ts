import { StoreError } from "../../errors/store-error.ts";
import { faultOf, type Kind } from "../../opfs/faults.ts";

const CODES: Readonly<Record<Kind, `STORE_${string}`>> = {
  missing: "STORE_IO",
  "not a file": "STORE_NOT_A_FOLDER",
  held: "STORE_IO",
  full: "STORE_FULL",
  denied: "STORE_DENIED",
  changed: "STORE_IO",
  io: "STORE_IO",
};

/** For `.catch()`: throws what the browser reported as a StoreError, and anything else as it is. */
export function failed(doing: "read" | "list" | "write" | "delete", path: string): (cause: unknown) => never {
  return (cause) => {
    const fault = faultOf(cause);
    if (!fault) throw cause;
    const what = path === "" ? "the store" : JSON.stringify(path);
    const message = `cannot ${doing} ${what}: ${fault.meaning}`;
    throw new StoreError(CODES[fault.kind], message, { name: path }, { cause });
  };
}

/** The error for a full store, which says how much of its room this origin has taken. */
export async function fullError(path: string, cause: unknown): Promise<StoreError> {
  const { usage = 0, quota = 0 } = await navigator.storage.estimate().catch(() => ({}) as StorageEstimate);
  const share = quota > 0 ? ` (${mebibytes(usage)} of ${mebibytes(quota)} MiB are used)` : "";
  const message =
    `cannot write ${JSON.stringify(path)}: the browser gives this origin no more room${share}; prune
 backups, or ask for more with navigator.storage.persist()`.replace("\n", "");
  return new StoreError("STORE_FULL", message, { name: path }, { cause });
}

/** Whether an error says that there is no room left. */
export function isFull(error: unknown): boolean {
  return faultOf(error)?.kind === "full";
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
