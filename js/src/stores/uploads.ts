import { StoreError } from "../errors/store-error.ts";

/** Refuses a part of another length than every part but the last has; the last one is shorter. */
export function checkPart(part: Uint8Array, partSize: number, isLast: boolean): void {
  if (isLast ? part.length < partSize : part.length === partSize) return;
  const wanted = isLast ? "less than" : "exactly";
  throw new RangeError(`a part has ${part.length} bytes, where ${wanted} ${partSize} are wanted`);
}

/** For an upload of which the store knows nothing any more. */
export function uploadGone(key: string, options?: ErrorOptions): StoreError {
  const message = `what was stored of ${JSON.stringify(key)} is gone, swept perhaps as it lay for a day; begin anew`;
  return new StoreError("STORE_UPLOAD", message, { name: key }, options);
}
